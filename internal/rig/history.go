package rig

import (
	"math"
	"sync"
	"time"
)

// unanswered is the end of a call whose outcome nobody knows: it may take
// effect at any time after it was made, or never.
const unanswered = time.Duration(math.MaxInt64)

// span is when a call was made and when its answer was there, on the clock of
// the one process that made them all.
type span struct{ call, done time.Duration }

// write is a call that opens or closes a gate.
type write struct {
	span
	open bool
}

// gate is one condition of a right: a secret in force, a key's limits, an
// account's plan. One caller at a time changes it. It starts out closed.
type gate struct {
	name   string
	writes []write // in the order of their calls
}

// could returns whether the gate may have stood open, and closed, at a moment
// of s, by any order of effects that the calls' answers leave possible.
func (g *gate) could(s span) (open, closed bool) {
	// Backward from the newest: the first write that was over before s began
	// hides all before it, but for those that may take effect at any time.
	settled := false
	for i := len(g.writes) - 1; i >= 0; i-- {
		w := g.writes[i]
		if w.call > s.done || settled && w.done != unanswered {
			continue
		}
		open, closed = open || w.open, closed || !w.open
		settled = settled || w.done < s.call
	}
	return open, closed || !settled
}

// secret is a key's secret and all that must be open for a use of it.
type secret struct {
	text  string
	key   *key
	gates []*gate
}

// use is one request with a secret, and its answer: 0 when there was none.
type use struct {
	span
	secret *secret
	node   int
	status int
	tries  int // times that it may have been sent
}

// call is one call of the operator API.
type call struct {
	span
	node   int
	kind   string
	narrow bool
	err    error
}

// fault is what was done to a node, to all of them through the database when
// node is allNodes, and from when it was surely in effect until it was lifted.
type fault struct {
	span
	kind string
	node int
	cut  bool // the node could not renew its lease meanwhile
	deaf bool // its customers could get no answer meanwhile
}

// allNodes stands for a fault of the database, which every node feels.
const allNodes = -1

// glimpse is a node's row as the operator API showed it.
type glimpse struct {
	at      time.Duration // when it had been read
	epoch   string
	applied int64
}

// history is all that happened. The gates belong to those who write them
// until the run is over.
type history struct {
	began time.Time

	mu     sync.Mutex
	uses   []use
	calls  []call
	faults []fault
	seen   []glimpse
}

// now is the time on the run's one clock, which is the steady one.
func (h *history) now() time.Duration { return time.Since(h.began) }

// addUses takes what one customer sent, once the customer is done.
func (h *history) addUses(u []use) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.uses = append(h.uses, u...)
}

// addCall takes an operator's call with its outcome.
func (h *history) addCall(c call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, c)
}

// addFault takes a fault that has been lifted.
func (h *history) addFault(f fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, f)
}

// addGlimpse takes a node's row, in the order in which rows were seen.
func (h *history) addGlimpse(g glimpse) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = append(h.seen, g)
}
