// Package ratelimit counts the calls of an account in fixed windows: the
// sixty seconds of one Unix minute, the same on every node.
//
// It stands on the request path behind the 401s and 403s, which take nothing
// from a window, and before the credits. It keeps counts in memory only, does
// no I/O and starts nothing: a window's counts go with the first call of a
// later minute.
package ratelimit

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/toksta/toksta"
)

// Window says whose windows a call takes from.
type Window struct {
	Account      toksta.AccountID
	AccountLimit int // calls a minute; below 1 refuses every call
	Key          toksta.KeyID
	KeyLimit     int // below 1: the key has no window of its own
}

// Limiter admits exactly the limit of each window, from any number of
// goroutines.
type Limiter struct {
	seed   maphash.Seed
	shards [64]shard
}

// shard holds the windows of some accounts and of their keys.
type shard struct {
	mu     sync.Mutex
	minute int64
	calls  map[string]int // by account id and by key id: their prefixes differ
	peak   int            // most windows that calls held since it was made
}

// New returns a limiter in which every window is full.
func New() *Limiter {
	l := &Limiter{seed: maphash.MakeSeed()}
	for i := range l.shards {
		l.shards[i].calls = make(map[string]int)
	}
	return l
}

// Take takes one call from the window of the account and, when the key has
// one, of the key: from both or from none. The state is that of the window
// with fewer calls left, or of the one that refused.
func (l *Limiter) Take(w Window, now time.Time) (toksta.RateState, bool) {
	account, key := string(w.Account), string(w.Key)
	s := &l.shards[maphash.String(l.seed, account)%uint64(len(l.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(now.Unix() / 60)

	state := s.state(account, w.AccountLimit)
	if w.KeyLimit > 0 {
		if k := s.state(key, w.KeyLimit); k.Remaining < state.Remaining || k.Remaining == state.Remaining && k.Limit < state.Limit {
			state = k
		}
	}
	if state.Remaining == 0 {
		return state, false
	}
	s.calls[account]++
	if w.KeyLimit > 0 {
		s.calls[key]++
	}
	state.Remaining--
	return state, true
}

// state returns what is left of a window before the call.
func (s *shard) state(id string, limit int) toksta.RateState {
	limit = max(limit, 0)
	return toksta.RateState{Limit: limit, Remaining: max(limit-s.calls[id], 0), Reset: (s.minute + 1) * 60}
}

// turn empties the windows at a later minute. A call that was stamped just
// before the minute turned takes from the newer window. When the clock is set
// back further, the counts move to the older minute with it: the step gives
// nobody a second window, and nobody waits for the future to come back.
func (s *shard) turn(minute int64) {
	switch {
	case minute > s.minute:
		s.empty()
		s.minute = minute
	case minute < s.minute-1:
		s.minute = minute
	}
}

// sparse is the number of windows from which on an unused map is let go.
const sparse = 1 << 10

// empty keeps the map for the next minute, whose windows then cost no
// allocation, and lets it go after a quiet minute that followed a busy one.
func (s *shard) empty() {
	if n := len(s.calls); n < s.peak/8 && s.peak > sparse {
		s.calls, s.peak = make(map[string]int, n), n
		return
	}
	s.peak = max(s.peak, len(s.calls))
	clear(s.calls)
}
