// Package ratelimit counts the calls of an account in fixed windows. A window is one Unix minute,
// the same on every node.
//
// On the request path it comes after the checks that return 401 and 403, which use no call of a
// window, and before the credits. It keeps counts in memory only, does no I/O and starts no
// goroutine. The counts of a window are deleted by the first call of a later minute.
package ratelimit

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Window identifies the windows of a call and their limits. Calls of every key are counted, so a
// limit that is set during a minute includes the earlier calls of that minute.
type Window struct {
	Account      toksta.AccountID
	AccountLimit int // calls per minute; below 1 rejects every call
	Key          toksta.KeyID
	KeyLimit     int // calls per minute; below 1: the key has no limit
}

// Limiter admits exactly the limit of each window. It is safe for concurrent use.
type Limiter struct {
	seed   maphash.Seed
	shards [64]shard
}

// shard has the windows of some accounts and of their keys.
type shard struct {
	mu     sync.Mutex
	minute int64
	calls  map[string]int // by account id and by key id, whose prefixes differ
	peak   int            // maximum number of windows since calls was allocated
}

// New returns a limiter without any calls.
func New() *Limiter {
	l := &Limiter{seed: maphash.MakeSeed()}
	for i := range l.shards {
		l.shards[i].calls = make(map[string]int)
	}
	return l
}

// Counts has the number of calls in the window of an account and the number in the window of a key.
type Counts struct {
	Minute       int64 // Unix time in minutes
	Account, Key int
}

// State returns the state of the window with fewer calls left. If they are equal, it returns the
// one with the lower limit.
func (w Window) State(c Counts) toksta.RateState {
	state := rateState(w.AccountLimit, c.Account)
	if w.KeyLimit > 0 {
		if k := rateState(w.KeyLimit, c.Key); k.Remaining < state.Remaining || k.Remaining == state.Remaining && k.Limit < state.Limit {
			state, state.Key = k, true
		}
	}
	state.Reset = (c.Minute + 1) * 60
	return state
}

// rateState returns the state of a window with the given limit, in which taken calls were counted.
func rateState(limit, taken int) toksta.RateState {
	limit = max(limit, 0)
	return toksta.RateState{Limit: limit, Remaining: max(limit-taken, 0)}
}

// Take takes one call from the windows of the account and of the key, from both or from neither. It
// returns the state of the window with fewer calls left, and whether the call is admitted.
func (l *Limiter) Take(w Window, now time.Time) (toksta.RateState, bool) {
	s := l.shard(w.Account)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance(now.Unix() / 60)
	state := w.State(s.counts(w))
	if state.Remaining == 0 {
		return state, false
	}
	s.calls[string(w.Account)]++
	s.calls[string(w.Key)]++
	state.Remaining--
	return state, true
}

// Counts returns how many calls were counted in this minute for the account and for
// the key of w. Unlike Take, it does not count a call.
func (l *Limiter) Counts(w Window, now time.Time) Counts {
	s := l.shard(w.Account)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance(now.Unix() / 60)
	return s.counts(w)
}

// RaiseTo raises the counts of w to c, which includes calls of other nodes. It never lowers a count
// and ignores the counts of another minute.
func (l *Limiter) RaiseTo(w Window, c Counts) {
	s := l.shard(w.Account)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Minute != s.minute {
		return
	}
	s.raise(string(w.Account), c.Account)
	s.raise(string(w.Key), c.Key)
}

// shard returns the shard with the windows of an account and of its keys.
func (l *Limiter) shard(account toksta.AccountID) *shard {
	return &l.shards[maphash.String(l.seed, string(account))%uint64(len(l.shards))]
}

func (s *shard) counts(w Window) Counts {
	return Counts{Minute: s.minute, Account: s.calls[string(w.Account)], Key: s.calls[string(w.Key)]}
}

func (s *shard) raise(id string, calls int) {
	if calls > s.calls[id] {
		s.calls[id] = calls
	}
}

// advance resets the windows if minute is later than the current minute of the shard. A call with a
// time just before the new minute uses the current window. If the clock is set back further, the
// counts move to the older minute: no caller gets a second window, and no caller is blocked until
// the clock catches up.
func (s *shard) advance(minute int64) {
	switch {
	case minute > s.minute:
		s.reset()
		s.minute = minute
	case minute < s.minute-1:
		s.minute = minute
	}
}

// minShrink is the peak number of windows above which reset can free the map.
const minShrink = 1 << 10

// reset deletes the windows. It keeps the map for the next minute, so that new windows need no
// allocation. After a minute with less than an eighth of the peak, it frees the map.
func (s *shard) reset() {
	if n := len(s.calls); n < s.peak/8 && s.peak > minShrink {
		s.calls, s.peak = make(map[string]int, n), n
		return
	}
	s.peak = max(s.peak, len(s.calls))
	clear(s.calls)
}
