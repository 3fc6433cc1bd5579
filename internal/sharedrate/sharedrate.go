// Package sharedrate counts the windows of internal/ratelimit in a Redis or
// Valkey that several nodes share, so that a limit is exact over all of them.
//
// It replaces the local limiter on the request path, and is the only stage there
// that does network I/O: one round trip for a call, unless this node knows that the
// limit is reached. While Redis is unavailable, each node counts its own calls on
// top of the last known count. A failure of Redis rejects no call, and no call is
// admitted without a limit. The package starts no goroutine.
package sharedrate

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/toksta/toksta/internal/ratelimit"
)

// pause is the time without requests to Redis after a failure.
const pause = time.Second

// Config configures a Limiter. All fields are required.
type Config struct {
	URL     string        // redis, rediss, valkey or valkeys; may hold a password
	Timeout time.Duration // of one request, including the connection
	Log     *slog.Logger  // one line when Redis fails, and one when it recovers
}

// Limiter admits exactly the limit of each window over all nodes that share its
// Redis. In a window in which Redis is unavailable or loses its data, N nodes
// together admit at most N times the limit. It is safe for concurrent use.
type Limiter struct {
	config Config
	local  *ratelimit.Limiter
	server server
	pause  time.Duration

	start          time.Time    // origin of the times below, on the monotonic clock
	failed         atomic.Int64 // time of the last failure
	retryAt        atomic.Int64 // time of the next attempt; 0: Redis is available
	countedLocally atomic.Int64 // see CountedLocally
}

// New returns a limiter that connects at its first call.
func New(c Config) *Limiter {
	l := &Limiter{config: c, local: ratelimit.New(), pause: pause, start: time.Now()}
	l.server = newServer(c, l.fresh)
	return l
}

// Close closes the connections. Further calls are counted by this node only.
func (l *Limiter) Close() error { return l.server.pool.Close() }

// CountedLocally returns the number of calls that this node counted without Redis,
// because Redis failed or was not asked after a failure.
func (l *Limiter) CountedLocally() int64 { return l.countedLocally.Load() }

// Ping checks that Redis responds within the configured timeout.
func (l *Limiter) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.config.Timeout)
	defer cancel()
	return l.server.ping(ctx)
}

// Take counts a call in all windows of w over all nodes, or in none if one of them
// has no room for it. It returns the state of the windows, and whether the call is
// admitted. The time is that of this node's clock.
//
// The count that this node knows is never higher than the shared count. A window
// that is used up here is used up everywhere and needs no request to Redis.
func (l *Limiter) Take(w ratelimit.Window, now time.Time) (ratelimit.Result, bool) {
	known := l.local.Counts(w, now)
	if !w.Fits(&known) {
		return w.Result(&known, false), false
	}
	request, trial := l.mayRequest()
	if !request {
		return l.takeLocal(w, now)
	}
	taken, ok, err := l.takeShared(w, known)
	if err != nil {
		l.recordFailure(err)
		return l.takeLocal(w, now)
	}
	if trial {
		l.recordRecovery()
	}
	l.local.RaiseTo(w, taken)
	return w.Result(&taken, ok), ok
}

// takeLocal counts the call on this node only.
func (l *Limiter) takeLocal(w ratelimit.Window, now time.Time) (ratelimit.Result, bool) {
	l.countedLocally.Add(1)
	return l.local.Take(w, now)
}

// takeShared counts the call in Redis. It uses a timeout of its own instead of the
// caller's context, because a disconnected caller must not look like a failure of
// Redis.
func (l *Limiter) takeShared(w ratelimit.Window, known ratelimit.Counts) (ratelimit.Counts, bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), l.config.Timeout)
	defer cancel()
	return l.server.count(ctx, w, known)
}

// mayRequest reports whether a call sends a request to Redis. After a failure, only
// one call in each pause does, as a trial whether Redis has recovered. The other
// calls do not wait for it.
func (l *Limiter) mayRequest() (request, trial bool) {
	retryAt, now := l.retryAt.Load(), l.clock()
	if retryAt == 0 {
		return true, false
	}
	trial = now >= retryAt && l.retryAt.CompareAndSwap(retryAt, now+int64(l.pause))
	return trial, trial
}

// recordFailure stops requests to Redis for a pause, and logs the first of several
// failures.
func (l *Limiter) recordFailure(err error) {
	now := l.clock()
	l.failed.Store(now)
	if l.retryAt.Swap(now+int64(l.pause)) == 0 {
		l.config.Log.Warn("redis is unavailable: this node counts rate limits by itself", "error", err.Error())
	}
}

func (l *Limiter) recordRecovery() {
	if l.retryAt.Swap(0) != 0 {
		l.config.Log.Info("redis is available: rate limits are shared again", "counted_without", l.CountedLocally())
	}
}

// fresh reports whether a connection that was last used at t was used after the
// last failure of Redis. Older connections can lead to a Redis that no longer
// exists.
func (l *Limiter) fresh(t time.Time) bool {
	return int64(t.Sub(l.start)) >= l.failed.Load()
}

// clock returns the monotonic time since l.start. It is above 0, because a retryAt
// of 0 means that Redis is available.
func (l *Limiter) clock() int64 { return int64(time.Since(l.start)) + 1 }
