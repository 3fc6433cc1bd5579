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

	"github.com/toksta/toksta"
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

// cluster is some nodes that share a Redis.
type cluster struct {
	nodes []*Limiter
	logs  *logs
}

// logs is what all nodes log.
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

// spread tries a window n times at once, spread at random over the nodes and
// over the minute, and returns how many tries were admitted.
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

// shared waits until every node counts in Redis.
func (c *cluster) shared(t *testing.T) {
	t.Helper()
	again, deadline := time.NewTicker(5*time.Millisecond), time.After(20*time.Second)
	defer again.Stop()
	probe := ratelimit.Window{Account: "acct_probe", AccountLimit: 1 << 30}
	for _, l := range c.nodes {
		for l.Take(probe, minute); l.again.Load() != 0; l.Take(probe, minute) {
			select {
			case <-again.C:
			case <-deadline:
				t.Fatal("a node does not come back to Redis")
			}
		}
	}
}

// Guarantee: over any number of nodes an account gets exactly its limit, a key
// exactly its lower one, and no account takes from another's.
func TestExactOverNodes(t *testing.T) {
	t.Parallel()
	c := newCluster(t, redistest.Start(t).URL())
	narrow := busy
	narrow.Key, narrow.KeyLimit = "key_narrow", 7
	if n := c.spread(narrow, tries, minute); n != 7 {
		t.Errorf("a key of 7 calls a minute got %d", n)
	}
	if n := c.spread(busy, tries, minute); n != limit-7 {
		t.Errorf("its account got %d calls beside, want %d", n, limit-7)
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
		t.Errorf("a limit that is set in mid-minute gave %d calls more, want 5", n)
	}
	for i, l := range c.nodes {
		if l.Without() != 0 {
			t.Errorf("node %d counted %d calls by itself", i, l.Without())
		}
	}
}

// Guarantee: what a client reads in the headers is what all nodes gave.
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

// Guarantee: without Redis no window gives more than its limit on each node.
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
	if n := c.logs.count("redis is away"); n != nodes {
		t.Errorf("%d log lines about one loss on each of %d nodes", n, nodes)
	}
}

// Guarantee: a Redis that dies in the middle of a window never gives anybody a
// fresh one. A node admits what is left of the last count that it knows, so all
// stay within the bound; once Redis is back the next window is exact again.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := newCluster(t, s.URL())
	spent := ratelimit.Window{Account: "acct_spent", AccountLimit: limit}
	c.spread(spent, tries, minute)
	before := c.spread(busy, 40, minute)
	allowed := before
	for _, l := range c.nodes {
		allowed += limit - l.local.Tally(busy, minute).Account
	}
	s.Kill()
	after := c.spread(busy, tries, minute)
	if before+after != allowed || allowed > nodes*limit {
		t.Errorf("%d calls before and %d after the loss, want %d in all", before, after, allowed)
	}
	if n := c.spread(spent, tries, minute); n != 0 {
		t.Errorf("a window that every node knew to be empty gave %d calls more", n)
	}
	s.Start()
	c.shared(t)
	if n := c.spread(busy, tries, minute.Add(time.Minute)); n != limit {
		t.Errorf("with Redis back the next window gave %d calls, want %d", n, limit)
	}
	if lost, back := c.logs.count("redis is away"), c.logs.count("redis is back"); lost != nodes || back != nodes {
		t.Errorf("%d lines about the loss and %d about the return on %d nodes", lost, back, nodes)
	}
}

// Guarantee: a Redis that comes back empty, however often, gives no more than
// the same bound: the nodes tell it what they know.
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
		c.shared(t)
	}
	few += c.spread(narrow, tries, minute)
	all += few + c.spread(busy, tries, minute)
	if few < 20 || few > nodes*20 || all < limit || all > nodes*limit {
		t.Errorf("%d calls of a key and %d in all, want at most %d and %d", few, all, nodes*20, nodes*limit)
	}
}

// Guarantee: a Redis that hangs holds a node up for one call's time, not for
// each call's, and its return is noticed.
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
	case <-time.After(20 * time.Second): // a tenth of what each call's own wait would take
		t.Fatal("calls wait for a Redis that hangs")
	}
	s.Continue()
	for _, l := range c.nodes {
		l.pause = 10 * time.Millisecond
		l.again.CompareAndSwap(l.again.Load(), min(l.again.Load(), 1))
	}
	c.shared(t)
	if n := c.spread(busy, tries, minute.Add(time.Minute)); n != limit {
		t.Errorf("the next window gave %d calls, want %d", n, limit)
	}
}

// Guarantee: one call finds out that Redis is back, whatever connections are
// left from before.
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
	l.again.Store(1)
	if l.spend(1); l.again.Load() != 0 {
		t.Error("the trial went to a Redis that is gone")
	}
}

// spend tries n calls one after another.
func (l *Limiter) spend(n int) (admitted int) {
	for range n {
		if _, ok := l.Take(busy, minute); ok {
			admitted++
		}
	}
	return admitted
}

// Guarantee: a Redis that answers but cannot count, such as a replica or one
// that is full, is away: nothing is admitted without limit.
func TestRefusingRedis(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	s.ReadOnly()
	c := newCluster(t, s.URL())
	if n := c.nodes[0].spend(1000); n != limit {
		t.Errorf("%d calls were admitted, want %d", n, limit)
	}
	if c.logs.count("redis is away") != 1 {
		t.Error("nothing was logged")
	}
}

// Guarantee: a call costs one round trip, and a customer who goes on after his
// window is empty costs Redis nothing.
func TestOneRoundTrip(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	l := newCluster(t, s.URL()).nodes[0]
	l.spend(1) // connects, and teaches the script
	wide := busy
	wide.Account, wide.AccountLimit, wide.KeyLimit = "acct_wide", 1000, 1000
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
		t.Errorf("500 refused calls made Redis read %d times", n)
	}
}

// BenchmarkTake is a call counted in memory beside one counted in Redis.
func BenchmarkTake(b *testing.B) {
	w := ratelimit.Window{Account: "acct_1", AccountLimit: 1 << 30, Key: "key_1", KeyLimit: 1 << 29}
	local := ratelimit.New()
	shared := New(Config{URL: redistest.Start(b).URL(), Timeout: time.Second, Log: slog.New(slog.DiscardHandler)})
	b.Cleanup(func() { _ = shared.Close() })
	for _, run := range []struct {
		name string
		take func(ratelimit.Window, time.Time) (toksta.RateState, bool)
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
	if shared.Without() > 0 {
		b.Errorf("%d calls did not reach Redis", shared.Without())
	}
}
