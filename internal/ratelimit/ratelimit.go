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

	"github.com/toksta/toksta/sdk/toksta"
)

// Window says whose windows a call takes from. The calls of every key are
// counted, so that a limit that is set during a minute counts those before it.
type Window struct {
	Account      toksta.AccountID
	AccountLimit int // calls a minute; below 1 refuses every call
	Key          toksta.KeyID
	KeyLimit     int // below 1: any number of the account's
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

// Tally is how many calls of one minute the windows of a call have given.
type Tally struct {
	Minute       int64 // since 1970
	Account, Key int
}

// State is what t leaves of w: the window with fewer calls left, and of equals
// the one with the lower limit.
func (w Window) State(t Tally) toksta.RateState {
	state := left(w.AccountLimit, t.Account)
	if w.KeyLimit > 0 {
		if k := left(w.KeyLimit, t.Key); k.Remaining < state.Remaining || k.Remaining == state.Remaining && k.Limit < state.Limit {
			state, state.Key = k, true
		}
	}
	state.Reset = (t.Minute + 1) * 60
	return state
}

func left(limit, taken int) toksta.RateState {
	limit = max(limit, 0)
	return toksta.RateState{Limit: limit, Remaining: max(limit-taken, 0)}
}

// Take takes one call from the windows of the account and of the key: from both
// or from none. The state is that of the window with fewer calls left, or of the
// one that refused.
func (l *Limiter) Take(w Window, now time.Time) (toksta.RateState, bool) {
	s := l.shard(w.Account)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(now.Unix() / 60)
	state := w.State(s.tally(w))
	if state.Remaining == 0 {
		return state, false
	}
	s.calls[string(w.Account)]++
	s.calls[string(w.Key)]++
	state.Remaining--
	return state, true
}

// Tally returns how many calls the windows of w have given, and takes none.
func (l *Limiter) Tally(w Window, now time.Time) Tally {
	s := l.shard(w.Account)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(now.Unix() / 60)
	return s.tally(w)
}

// Learn raises the windows of w to t, which counts calls that were taken
// elsewhere too. It lowers none, and forgets what a past minute tells.
func (l *Limiter) Learn(w Window, t Tally) {
	s := l.shard(w.Account)
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.Minute != s.minute {
		return
	}
	s.raise(string(w.Account), t.Account)
	s.raise(string(w.Key), t.Key)
}

// shard is where the windows of an account and of its keys are.
func (l *Limiter) shard(account toksta.AccountID) *shard {
	return &l.shards[maphash.String(l.seed, string(account))%uint64(len(l.shards))]
}

func (s *shard) tally(w Window) Tally {
	return Tally{Minute: s.minute, Account: s.calls[string(w.Account)], Key: s.calls[string(w.Key)]}
}

func (s *shard) raise(id string, calls int) {
	if calls > s.calls[id] {
		s.calls[id] = calls
	}
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
