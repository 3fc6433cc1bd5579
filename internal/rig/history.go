package rig

import (
	"math"
	"sync"
	"time"
)

// unknownOutcome is the end of a call without a definite response. Such a call can take
// effect at any time after it was sent, or never.
const unknownOutcome = time.Duration(math.MaxInt64)

// span is the time from a request to its response, on the clock of the rig.
type span struct{ call, done time.Duration }

// write is a call that changes a gate: it makes one condition of a right true (open)
// or false.
type write struct {
	span
	open bool
}

// gate is one condition of a right: a valid secret, a key's limits, an account's
// plan. One owner at a time changes it. It is closed at first.
type gate struct {
	name   string
	writes []write // in the order of their calls
}

// could reports whether the gate could have been open, and whether it could have been
// closed, at some moment of s. It considers every order of effects that the spans of
// the calls permit.
func (g *gate) could(s span) (open, closed bool) {
	// From the newest write backward: the first write that ended before s hides
	// all earlier writes, except those with an unknown outcome.
	decided := false
	for i := len(g.writes) - 1; i >= 0; i-- {
		w := g.writes[i]
		if w.call > s.done || decided && w.done != unknownOutcome {
			continue
		}
		open, closed = open || w.open, closed || !w.open
		decided = decided || w.done < s.call
	}
	return open, closed || !decided
}

// secret is a key's secret, or the cookie of a session, with the gates that must be open for an admission.
type secret struct {
	text  string
	key   *key
	gates []*gate
	kind  credential
}

// credential is the kind of a secret.
type credential int

// The kinds of secrets.
const (
	apiKey credential = iota
	operatorSecret
	memberSession // the cookie of a browser session
)

// use is one request with a secret and the status of its response, 0 without one.
type use struct {
	span
	secret *secret
	node   int
	status int
	tries  int // largest number of requests that were sent
	way    way
}

// call is one call of the operator API.
type call struct {
	span
	node   int
	kind   string
	narrow bool
	err    error
}

// fault is a fault of one node, or of the database if node is allNodes. Its span
// starts when the fault is certainly in effect and ends when it is lifted.
type fault struct {
	span
	kind        string
	node        int
	cut         bool // the node could not renew its lease
	unreachable bool // its customers could get no response
}

// allNodes is the node of a database fault, which affects every node.
const allNodes = -1

// nodeState is a node's row as the operator API returned it.
type nodeState struct {
	at      time.Duration // of the response
	epoch   string
	applied int64
}

// history records all events of a run. Each gate belongs to its owner until the run
// has ended.
type history struct {
	began time.Time

	mu     sync.Mutex
	uses   []use
	calls  []call
	faults []fault
	states []nodeState
}

// now returns the time since the start of the run on the monotonic clock.
func (h *history) now() time.Duration { return time.Since(h.began) }

// addUses records the uses of a customer that has ended.
func (h *history) addUses(u []use) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.uses = append(h.uses, u...)
}

// addCall records an operator call with its outcome.
func (h *history) addCall(c call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, c)
}

// addFault records a fault that has been lifted.
func (h *history) addFault(f fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, f)
}

// addNodeState records a node's row. Rows must be added in the order of their
// reading.
func (h *history) addNodeState(g nodeState) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.states = append(h.states, g)
}
