// Package ratelimit counts the calls of an account in fixed windows: a minute, an hour and a day of
// Unix time, the same on every node. It also counts the calls of an account that are in flight.
//
// On the request path it comes after the checks that return 401 and 403, which use no call of a
// window, and before the credits. It keeps counts in memory only, does no I/O and starts no
// goroutine. The counts of a window are deleted by the first call of a later window.
package ratelimit

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Limiter admits exactly the limit of each window. It is safe for concurrent use.
type Limiter struct {
	seed   maphash.Seed
	shards [64]shard
}

// shard has the windows of some accounts and of their keys, by the length of the windows.
type shard struct {
	mu      sync.Mutex
	lengths [toksta.WindowDay + 1]counter
}

// counter counts the calls of all windows with one length that have the same number.
type counter struct {
	number int64          // Unix time divided by the length
	calls  map[string]int // by account id and by key id, whose prefixes differ
	peak   int            // maximum number of windows since calls was allocated
}

// New returns a limiter without any calls.
func New() *Limiter {
	l := &Limiter{seed: maphash.MakeSeed()}
	for i := range l.shards {
		for j := range l.shards[i].lengths {
			l.shards[i].lengths[j].calls = make(map[string]int)
		}
	}
	return l
}

// Take takes a call from all windows of w, or from none if one of them has no room for it. It
// returns the state of the windows and whether the call is admitted.
func (l *Limiter) Take(w Window, now time.Time) (Result, bool) {
	counts, admitted := l.shard(w.Account).take(&w, now)
	return w.Result(&counts, admitted), admitted
}

func (s *shard) take(w *Window, now time.Time) (counts Counts, admitted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts = s.counts(w, now)
	if !w.Fits(&counts) {
		return counts, false
	}
	for i := range counts {
		if w.IsCounted(i) {
			counts[i].Calls += w.Calls()
			s.counter(w, i).calls[w.id(i)] = counts[i].Calls
		}
	}
	return counts, true
}

// Counts returns how many calls were counted in the present windows of w. Unlike Take, it does not
// count a call.
func (l *Limiter) Counts(w Window, now time.Time) Counts {
	s := l.shard(w.Account)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts(&w, now)
}

// RaiseTo raises the counts of w to c, which includes calls of other nodes. It never lowers a count
// and ignores the counts of past windows.
func (l *Limiter) RaiseTo(w Window, c Counts) {
	s := l.shard(w.Account)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range c {
		if counter, id := s.counter(&w, i), w.id(i); w.IsCounted(i) && c[i].Number == counter.number && c[i].Calls > counter.calls[id] {
			counter.calls[id] = c[i].Calls
		}
	}
}

// id returns the id of the account or of the key whose calls the window with index i counts.
func (w *Window) id(i int) string {
	if w.IsKey(i) {
		return string(w.Key)
	}
	return string(w.Account)
}

// shard returns the shard with the windows of an account and of its keys.
func (l *Limiter) shard(account toksta.AccountID) *shard {
	return &l.shards[maphash.String(l.seed, string(account))%uint64(len(l.shards))]
}

func (s *shard) counter(w *Window, i int) *counter { return &s.lengths[w.Length(i)] }

// counts returns the counts of the windows of w at now, after a reset of past windows.
func (s *shard) counts(w *Window, now time.Time) (c Counts) {
	for i := range c {
		if w.IsCounted(i) {
			counter := s.counter(w, i)
			counter.advance(now.Unix() / w.Length(i).Seconds())
			c[i] = Count{counter.number, counter.calls[w.id(i)]}
		}
	}
	return c
}

// advance resets the windows if number is higher than their number. A call with a time just before
// the new window uses the current one. If the clock is set back further, the counts move to the
// older window: no caller gets a second window, and no caller is blocked until the clock catches up.
func (c *counter) advance(number int64) {
	switch {
	case number > c.number:
		c.reset()
		c.number = number
	case number < c.number-1:
		c.number = number
	}
}

// minShrink is the peak number of windows above which reset can free the map.
const minShrink = 1 << 10

// reset deletes the windows. It keeps the map for the next window, so that new windows need no
// allocation. After a window with less than an eighth of the peak, it frees the map.
func (c *counter) reset() {
	if n := len(c.calls); n < c.peak/8 && c.peak > minShrink {
		c.calls, c.peak = make(map[string]int, n), n
		return
	}
	c.peak = max(c.peak, len(c.calls))
	clear(c.calls)
}
