package credits

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// traffic counts the calls of the meter and the store.
type traffic struct{ flushes, reads, lists int }

// counting is a meter and a store on which others charged each account seven
// credits.
type counting struct {
	Store
	mu    sync.Mutex
	sum   traffic
	reads map[toksta.AccountID]int        // reads of the charges of others in recent hours
	fails func(ctx context.Context) error // nil: no call fails
	text  bytes.Buffer                    // logged
	nodes []store.Node                    // listed
}

func (c *counting) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

// note counts a call and returns the error of fails.
func (c *counting) note(ctx context.Context, count func(*traffic)) error {
	c.mu.Lock()
	count(&c.sum)
	fails := c.fails
	c.mu.Unlock()
	if fails != nil {
		return fails(ctx)
	}
	return nil
}

func (c *counting) Owner() string { return "us" }

func (c *counting) Flush(ctx context.Context) error {
	return c.note(ctx, func(t *traffic) { t.flushes++ })
}

func (c *counting) FlushOf(ctx context.Context, _ map[toksta.AccountID]bool) error {
	return c.Flush(ctx)
}

func (c *counting) ListNodes(ctx context.Context) ([]store.Node, error) {
	err := c.note(ctx, func(t *traffic) { t.lists++ })
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes, err
}

func (c *counting) OverdueAccounts(context.Context, int) ([]toksta.AccountID, error) { return nil, nil }

func (c *counting) Enqueue(...toksta.AccountID) {}

func (c *counting) ChargesBy(ctx context.Context, _ string, spans []store.ChargeSpan) ([]store.Charged, error) {
	charged := make([]store.Charged, len(spans))
	err := c.note(ctx, func(t *traffic) {
		t.reads++
		for i, s := range spans {
			if s.To.IsZero() {
				c.reads[s.Account]++
				charged[i].Cycle.Credits = 7
			}
		}
	})
	return charged, err
}

// running is a service that runs under a clock of its own.
type running struct {
	*counting
	balances *Balances
}

// run calls test while a service runs.
func run(t *testing.T, test func(*testing.T, running)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := running{&counting{reads: map[toksta.AccountID]int{}}, NewBalances()}
		s := New(Config{Balances: r.balances, Meter: r, Store: r, Watch: r, Interval: 5 * time.Second, Logger: slog.New(slog.NewTextHandler(r, nil))})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		test(t, r)
		stop()
		if err := <-done; err != nil {
			t.Errorf("the service stopped with %v", err)
		}
	})
}

// customer returns an account with some credits and 60 calls a minute.
func customer(id toksta.AccountID, included int64) *toksta.Standing {
	return &toksta.Standing{
		Account: toksta.Account{ID: id, CycleAnchor: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)},
		Plan:    toksta.Plan{IncludedCredits: included, PerMinute: 60}, PerMinute: 60,
	}
}

// calls makes calls of the customers that fail and cost nothing, at an interval,
// for some time.
func (r running) calls(every, span time.Duration, by ...*toksta.Standing) {
	for end := time.Now().Add(span); time.Now().Before(end); <-time.After(every) {
		for _, st := range by {
			r.balances.Hold(st, 1, time.Now())
			r.balances.Charge(st, 1, 0, time.Now())
		}
	}
	synctest.Wait()
}

// Guarantee: an account near a limit is read four times a second, another one
// after its first call and once in a round, and one without calls never.
func TestRunReadsAsOftenAsNeeded(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, r running) {
		r.balances.Balance(customer("idle", 50), time.Now())
		r.calls(50*time.Millisecond, time.Minute+urgentInterval/2, customer("near", 50), customer("far", 1e9))
		// The first read is repeated, since past hours are not known yet.
		want := map[toksta.AccountID]int{"near": 4*60 + 1, "far": 1 + 12 + 1}
		if diff := cmp.Diff(want, r.counting.reads); diff != "" {
			t.Errorf("reads in a minute (-want +got)\n%s", diff)
		}
	})
}

// Guarantee: a node flushes its charges for the exchange only while other nodes are
// listed.
func TestLoneNodeFlushesNothing(t *testing.T) {
	t.Parallel()
	us, other := store.Node{ID: "us", Epoch: "1"}, store.Node{ID: "other", Epoch: "1"}
	run(t, func(t *testing.T, r running) {
		flushes := func(nodes ...store.Node) int {
			r.mu.Lock()
			r.nodes = nodes
			r.mu.Unlock()
			r.after(5 * time.Second) // the node polls the list
			before := r.sum.flushes
			r.calls(time.Second, time.Minute, customer("near", 50))
			return r.sum.flushes - before
		}
		if alone, among := flushes(us), flushes(us, other); alone != 0 || among < 60 {
			t.Errorf("flushed %d times without other nodes, and %d times beside one", alone, among)
		}
		if again := flushes(us); again != 0 {
			t.Errorf("flushed %d times after the other node had left", again)
		}
	})
}

// Guarantee: the load of the database grows with the accounts in use, not with
// their calls. A customer in a tight loop does not slow down the others.
func TestTrafficGrowsWithAccounts(t *testing.T) {
	t.Parallel()
	minute := func(accounts int, every time.Duration) (sum traffic, reads int) {
		run(t, func(_ *testing.T, r running) {
			var used []*toksta.Standing
			for i := range accounts {
				used = append(used, customer(toksta.AccountID(fmt.Sprint("acct_", i)), []int64{50, 1e9}[i%2]))
			}
			r.calls(every, time.Minute+urgentInterval/2, used...)
			for _, n := range r.counting.reads {
				reads += n
			}
			sum = r.sum
		})
		return sum, reads
	}
	once, reads := minute(10, 100*time.Millisecond)
	if often, n := minute(10, 10*time.Millisecond); often != once || n != reads {
		t.Errorf("ten times the calls make %+v, not %+v, and %d reads, not %d", often, once, n, reads)
	}
	if more, n := minute(20, 100*time.Millisecond); more != once || n != 2*reads {
		t.Errorf("twice the accounts make %+v, not %+v, and %d reads, not %d", more, once, n, reads)
	}
}

// Guarantee: if the database fails or hangs, the due accounts are read again
// soon, even without further calls. The failure and the recovery are logged once
// each.
func TestRunTriesAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fails func(context.Context) error
		tries int // in a minute, at least
	}{
		"fails": {func(context.Context) error { return errors.New("no") }, 4*60 - 1},
		"hangs": {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 12 - 1},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, r running) {
				far := customer("far", 1e9)
				r.fail(c.fails)
				r.balances.Hold(far, 1, time.Now())
				r.after(time.Minute)
				if r.sum.flushes < c.tries || r.logged("cannot read") != 1 {
					t.Errorf("tried %d times in a minute; logged:\n%s", r.sum.flushes, &r.text)
				}
				r.fail(nil)
				r.after(exchangeTimeout + urgentInterval)
				if left := r.balances.Balance(far, time.Now()).Remaining(); left != 1e9-1-7 {
					t.Errorf("%d credits are left, want the seven of the others charged", left)
				}
				r.after(time.Minute)
				if r.logged("cannot read") != 1 || r.logged("can read") != 1 {
					t.Errorf("logged:\n%s", &r.text)
				}
			})
		})
	}
}

// fail makes all calls return the error of how from now on; nil: none.
func (c *counting) fail(how func(context.Context) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fails = how
}

func (c *counting) logged(text string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Count(c.text.String(), text)
}

// after waits for a time on the test's clock.
func (c *counting) after(span time.Duration) {
	<-time.After(span)
	synctest.Wait()
}
