// Package sharedrate counts the windows of internal/ratelimit in a Redis or
// Valkey that several nodes share, so that a limit is exact over all of them.
//
// It stands on the request path in the place of the local limiter, and is the
// one station there that waits for a network: one round trip for a call that
// this node does not know to be over its limit. While Redis is away each node
// counts by itself, on top of the last count it knows. It never fails a call for
// Redis's sake, never admits without a limit, and starts nothing.
package sharedrate

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/ratelimit"
)

// pause is how long Redis is left alone after a failure.
const pause = time.Second

// Config is what a limiter is made of. All is required.
type Config struct {
	URL     string        // redis, rediss, valkey or valkeys; may hold a password
	Timeout time.Duration // of one answer, with connecting
	Log     *slog.Logger  // one line when Redis is lost, and one when it is back
}

// Limiter admits exactly the limit of each window over all nodes that share its
// Redis. In a minute in which Redis is away or loses its data, N nodes admit at
// most N times the limit between them. It is safe for concurrent use.
type Limiter struct {
	config Config
	local  *ratelimit.Limiter
	server server
	pause  time.Duration

	start   time.Time    // what the times below count from, on the steady clock
	lost    atomic.Int64 // when Redis failed last
	again   atomic.Int64 // when it may be tried again; 0: it answers
	without atomic.Int64
}

// New returns a limiter that connects with its first call.
func New(c Config) *Limiter {
	l := &Limiter{config: c, local: ratelimit.New(), pause: pause, start: time.Now()}
	l.server = newServer(c, l.fresh)
	return l
}

// Close closes the connections. Calls go on, counted by this node alone.
func (l *Limiter) Close() error { return l.server.pool.Close() }

// Without returns how many calls were counted by this node alone.
func (l *Limiter) Without() int64 { return l.without.Load() }

// Ping asks whether Redis answers, within the configured time.
func (l *Limiter) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.config.Timeout)
	defer cancel()
	return l.server.ping(ctx)
}

// Take is [ratelimit.Limiter.Take] over all nodes. The minute is that of this
// node's clock.
//
// What this node knows of a window is never more than was taken from it, so a
// window that is empty here is empty everywhere and needs no question.
func (l *Limiter) Take(w ratelimit.Window, now time.Time) (toksta.RateState, bool) {
	known := l.local.Tally(w, now)
	if state := w.State(known); state.Remaining == 0 {
		return state, false
	}
	ask, trial := l.mayAsk()
	if !ask {
		return l.alone(w, now)
	}
	taken, ok, err := l.ask(w, known)
	if err != nil {
		l.lose(err)
		return l.alone(w, now)
	}
	if trial {
		l.regain()
	}
	l.local.Learn(w, taken)
	return w.State(taken), ok
}

// alone takes from what this node knows.
func (l *Limiter) alone(w ratelimit.Window, now time.Time) (toksta.RateState, bool) {
	l.without.Add(1)
	return l.local.Take(w, now)
}

// ask takes in Redis. A caller that hangs up must not look like a Redis that
// does not answer, so the time is this package's own.
func (l *Limiter) ask(w ratelimit.Window, known ratelimit.Tally) (ratelimit.Tally, bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), l.config.Timeout)
	defer cancel()
	return l.server.count(ctx, w, known)
}

// mayAsk says whether to ask Redis now. After a failure one call a pause is the
// trial of whether it is back; the others do not wait for that.
func (l *Limiter) mayAsk() (ask, trial bool) {
	again, now := l.again.Load(), l.clock()
	if again == 0 {
		return true, false
	}
	trial = now >= again && l.again.CompareAndSwap(again, now+int64(l.pause))
	return trial, trial
}

// lose leaves Redis alone for a pause.
func (l *Limiter) lose(err error) {
	now := l.clock()
	l.lost.Store(now)
	if l.again.Swap(now+int64(l.pause)) == 0 {
		l.config.Log.Warn("redis is away: this node counts rate limits by itself", "error", err.Error())
	}
}

func (l *Limiter) regain() {
	if l.again.Swap(0) != 0 {
		l.config.Log.Info("redis is back: rate limits are shared again", "counted_without", l.Without())
	}
}

// fresh reports whether a connection that was used last at t is from after the
// last failure: older ones lead to a Redis that may be gone.
func (l *Limiter) fresh(t time.Time) bool {
	return int64(t.Sub(l.start)) >= l.lost.Load()
}

// clock is the steady time, above 0.
func (l *Limiter) clock() int64 { return int64(time.Since(l.start)) + 1 }
