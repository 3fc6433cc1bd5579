package sharedrate

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/ratelimit"
	"github.com/toksta/toksta/internal/sharedrate/redistest"
)

const (
	nodes = 3
	limit = 60
	tries = 3000
)

var (
	minute = time.Unix(1_800_000_000, 0) // the first second of a window
	busy   = ratelimit.Window{Account: "acct_busy", AccountLimit: limit, Key: "key_busy"}
	other  = ratelimit.Window{Account: "acct_other", AccountLimit: limit, Key: "key_other"}
)

// cluster is a set of nodes that share a Redis.
type cluster struct {
	nodes []*Limiter
	logs  *logs
}

// logs collects the log lines of all nodes.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

func newCluster(t *testing.T, url string) *cluster {
	c := &cluster{logs: &logs{}}
	for range nodes {
		l := New(Config{URL: url, Timeout: 5 * time.Second, Log: slog.New(slog.NewTextHandler(c.logs, nil))})
		l.pause = 10 * time.Millisecond
		t.Cleanup(func() { _ = l.Close() })
		c.nodes = append(c.nodes, l)
	}
	return c
}

// spread tries a window n times concurrently, at random nodes and times of the
// minute, and returns the number of admitted calls.
func (c *cluster) spread(w ratelimit.Window, n int, at time.Time) int {
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range n / 20 {
				if _, ok := c.nodes[rand.IntN(len(c.nodes))].Take(w, at.Add(rand.N(time.Minute))); ok {
					admitted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return int(admitted.Load())
}

// awaitShared waits until every node counts in Redis.
func (c *cluster) awaitShared(t *testing.T) {
	t.Helper()
	retry, deadline := time.NewTicker(5*time.Millisecond), time.After(20*time.Second)
	defer retry.Stop()
	probe := ratelimit.Window{Account: "acct_probe", AccountLimit: 1 << 30}
	for _, l := range c.nodes {
		for l.Take(probe, minute); l.retryAt.Load() != 0; l.Take(probe, minute) {
			select {
			case <-retry.C:
			case <-deadline:
				t.Fatal("a node does not use Redis again")
			}
		}
	}
}

// Guarantee: over any number of nodes an account gets exactly its limit, a key
// exactly its lower limit, and no account uses the limit of another.
func TestExactOverNodes(t *testing.T) {
	t.Parallel()
	c := newCluster(t, redistest.Start(t).URL())
	narrow := busy
	narrow.Key, narrow.KeyLimit = "key_narrow", 7
	if n := c.spread(narrow, tries, minute); n != 7 {
		t.Errorf("a key of 7 calls a minute got %d", n)
	}
	if n := c.spread(busy, tries, minute); n != limit-7 {
		t.Errorf("its account got %d further calls, want %d", n, limit-7)
	}
	if n := c.spread(other, tries, minute); n != limit {
		t.Errorf("the other account got %d calls, want %d", n, limit)
	}
	if n := c.spread(busy, tries, minute.Add(time.Minute)); n != limit {
		t.Errorf("the next window gave %d calls, want %d", n, limit)
	}
	late := busy
	late.AccountLimit, late.KeyLimit = 2*limit, limit+5
	if n := c.spread(late, tries, minute.Add(time.Minute)); n != 5 {
		t.Errorf("a limit that was raised during the minute gave %d more calls, want 5", n)
	}
	for i, l := range c.nodes {
		if l.CountedLocally() != 0 {
			t.Errorf("node %d counted %d calls without Redis", i, l.CountedLocally())
		}
	}
}

// Guarantee: the rate limit headers show the calls admitted by all nodes.
func TestStateOverNodes(t *testing.T) {
	t.Parallel()
	c := newCluster(t, redistest.Start(t).URL())
	for i := range limit {
		state, ok := c.nodes[i%nodes].Take(busy, minute)
		if !ok || state.Limit != limit || state.Remaining != limit-1-i || state.Reset != minute.Unix()+60 {
			t.Fatalf("call %d: %+v, admitted %v", i, state, ok)
		}
	}
	for i, l := range c.nodes {
		if state, ok := l.Take(busy, minute); ok || state.Remaining != 0 || state.Limit != limit {
			t.Errorf("node %d: %+v, admitted %v", i, state, ok)
		}
	}
}

// Guarantee: over any number of nodes an account gets exactly its limit of an hour and
// of a day, a call with a weight counts as several, and a call that one window rejects
// uses no other window.
func TestLongWindowsOverNodes(t *testing.T) {
	t.Parallel()
	c := newCluster(t, redistest.Start(t).URL())
	w := ratelimit.Window{Account: "acct_long", AccountLimit: limit, HourLimit: limit + 10, DayLimit: limit + 14, Key: "key_long", Weight: 2}
	at := time.Unix(minute.Unix()-minute.Unix()%86400, 0)
	for _, step := range []struct {
		at             time.Time
		dayLimit, want int
	}{
		{at, limit + 14, limit / 2},
		{at.Add(time.Minute), limit + 14, 5}, // the hour rejects
		{at.Add(time.Hour), limit + 14, 2},   // the day rejects
		{at.Add(time.Hour), limit + 1<<10, limit/2 - 2},
		{at.Add(24 * time.Hour), limit + 14, limit / 2},
	} {
		w.DayLimit = step.dayLimit
		if n := c.spread(w, tries, step.at); n != step.want {
			t.Errorf("%v after midnight %d calls were admitted, want %d", step.at.Sub(at), n, step.want)
		}
	}
	for i, l := range c.nodes {
		if l.CountedLocally() != 0 {
			t.Errorf("node %d counted %d calls without Redis", i, l.CountedLocally())
		}
	}
}

// Guarantee: without Redis a window admits at most its limit on each node.
func TestWithoutRedis(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	s.Kill()
	c := newCluster(t, s.URL())
	if n := c.spread(busy, tries, minute); n < limit || n > nodes*limit {
		t.Errorf("%d calls were admitted, want %d to %d", n, limit, nodes*limit)
	}
	if n := c.spread(other, tries, minute); n < limit {
		t.Errorf("the other account got %d calls, want at least %d", n, limit)
	}
	if n := c.logs.count("redis is unavailable"); n != nodes {
		t.Errorf("%d log lines about one failure on each of %d nodes", n, nodes)
	}
}

// Guarantee: if Redis is killed during a window, the window does not start again. A
// node admits the rest of the last count it knows, so all nodes stay within the
// bound. When Redis is available again, the next window is exact.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := newCluster(t, s.URL())
	spent := ratelimit.Window{Account: "acct_spent", AccountLimit: limit}
	c.spread(spent, tries, minute)
	before := c.spread(busy, 40, minute)
	allowed := before
	for _, l := range c.nodes {
		allowed += limit - l.local.Counts(busy, minute)[0].Calls
	}
	s.Kill()
	after := c.spread(busy, tries, minute)
	if before+after != allowed || allowed > nodes*limit {
		t.Errorf("%d calls before and %d after the failure, want %d in total", before, after, allowed)
	}
	if n := c.spread(spent, tries, minute); n != 0 {
		t.Errorf("a used-up window gave %d more calls", n)
	}
	s.Start()
	c.awaitShared(t)
	if n := c.spread(busy, tries, minute.Add(time.Minute)); n != limit {
		t.Errorf("after the recovery the next window gave %d calls, want %d", n, limit)
	}
	if failed, recovered := c.logs.count("redis is unavailable"), c.logs.count("redis is available"); failed != nodes || recovered != nodes {
		t.Errorf("%d lines about the failure and %d about the recovery on %d nodes", failed, recovered, nodes)
	}
}

// Guarantee: if Redis loses its data, however often, the same bound holds, because
// the nodes send the counts that they know.
func TestEmptiedInTheMiddle(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := newCluster(t, s.URL())
	narrow := busy
	narrow.Key, narrow.KeyLimit = "key_narrow", 20
	all, few := 0, 0
	for range 4 {
		few += c.spread(narrow, 20, minute)
		all += c.spread(busy, 20, minute)
		s.Kill()
		s.Start()
		c.awaitShared(t)
	}
	few += c.spread(narrow, tries, minute)
	all += few + c.spread(busy, tries, minute)
	if few < 20 || few > nodes*20 || all < limit || all > nodes*limit {
		t.Errorf("%d calls of a key and %d in total, want at most %d and %d", few, all, nodes*20, nodes*limit)
	}
}

// Guarantee: a hanging Redis delays a node by one call's timeout, not by each
// call's, and its recovery is detected.
func TestHanging(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := newCluster(t, s.URL())
	for _, l := range c.nodes {
		l.config.Timeout, l.pause = 200*time.Millisecond, time.Hour
	}
	before := c.nodes[0].spend(10)
	s.Pause()
	done := make(chan int)
	go func() { done <- c.nodes[0].spend(1000) }()
	select {
	case after := <-done:
		if before+after != limit {
			t.Errorf("%d calls were admitted, want %d", before+after, limit)
		}
	case <-time.After(20 * time.Second): // a tenth of the time if every call waited
		t.Fatal("calls wait for a Redis that hangs")
	}
	s.Continue()
	for _, l := range c.nodes {
		l.pause = 10 * time.Millisecond
		l.retryAt.CompareAndSwap(l.retryAt.Load(), min(l.retryAt.Load(), 1))
	}
	c.awaitShared(t)
	if n := c.spread(busy, tries, minute.Add(time.Minute)); n != limit {
		t.Errorf("the next window gave %d calls, want %d", n, limit)
	}
}

// Guarantee: one call detects the recovery of Redis, although old connections are
// still in the pool.
func TestBackWithOneTrial(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := newCluster(t, s.URL())
	l := c.nodes[0]
	l.pause = time.Hour
	c.nodes = c.nodes[:1]
	for l.server.pool.IdleCount() < 5 {
		c.spread(ratelimit.Window{Account: "acct_wide", AccountLimit: 1 << 30}, tries, minute)
	}
	s.Kill()
	l.spend(1)
	s.Start()
	l.retryAt.Store(1)
	if l.spend(1); l.retryAt.Load() != 0 {
		t.Error("the trial used an old connection")
	}
}

// spend makes n calls one after another.
func (l *Limiter) spend(n int) (admitted int) {
	for range n {
		if _, ok := l.Take(busy, minute); ok {
			admitted++
		}
	}
	return admitted
}

// Guarantee: a Redis that responds but cannot count, such as a replica or a full
// one, is treated as unavailable, and nothing is admitted without a limit.
func TestRejectingRedis(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	s.ReadOnly()
	c := newCluster(t, s.URL())
	if n := c.nodes[0].spend(1000); n != limit {
		t.Errorf("%d calls were admitted, want %d", n, limit)
	}
	if c.logs.count("redis is unavailable") != 1 {
		t.Error("nothing was logged")
	}
}

// Guarantee: a call takes one round trip, and a call to a used-up window takes none.
func TestOneRoundTrip(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	l := newCluster(t, s.URL()).nodes[0]
	l.spend(1) // connects, and loads the script
	wide := busy
	wide.Account, wide.AccountLimit, wide.KeyLimit, wide.HourLimit, wide.DayLimit = "acct_wide", 1000, 1000, 1000, 1000
	reads := func(run func()) int {
		start := s.Reads()
		run()
		return s.Reads() - start
	}
	if n := reads(func() {
		for range 500 {
			l.Take(wide, minute)
		}
	}); n < 500 || n > 505 {
		t.Errorf("500 calls made Redis read %d times", n)
	}
	l.spend(limit)
	if n := reads(func() { l.spend(500) }); n > 5 {
		t.Errorf("500 rejected calls made Redis read %d times", n)
	}
}

// BenchmarkTake compares a call counted in memory with a call counted in Redis.
func BenchmarkTake(b *testing.B) {
	w := ratelimit.Window{Account: "acct_1", AccountLimit: 1 << 30, Key: "key_1", KeyLimit: 1 << 29}
	local := ratelimit.New()
	shared := New(Config{URL: redistest.Start(b).URL(), Timeout: time.Second, Log: slog.New(slog.DiscardHandler)})
	b.Cleanup(func() { _ = shared.Close() })
	for _, run := range []struct {
		name string
		take func(ratelimit.Window, time.Time) (ratelimit.Result, bool)
	}{{"local", local.Take}, {"redis", shared.Take}} {
		b.Run(fmt.Sprintf("%s/one caller", run.name), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run.take(w, minute)
			}
		})
		b.Run(fmt.Sprintf("%s/parallel", run.name), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					run.take(w, minute)
				}
			})
		})
	}
	if shared.CountedLocally() > 0 {
		b.Errorf("%d calls did not reach Redis", shared.CountedLocally())
	}
}
