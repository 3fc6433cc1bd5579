package creditfeed

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

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// traffic is what a feed wanted of the meter and the store.
type traffic struct{ flushes, reads, lists int }

// counting stands for the meter and the store. Others have charged each account
// seven credits.
type counting struct {
	mu    sync.Mutex
	sum   traffic
	asked map[toksta.AccountID]int        // looks at what others charge now
	fails func(ctx context.Context) error // nil: nothing fails
	text  bytes.Buffer                    // logged
}

func (c *counting) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

// note counts, and fails as is wanted.
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
	return nil, c.note(ctx, func(t *traffic) { t.lists++ })
}

func (c *counting) CreditUse(context.Context, time.Time, func(toksta.AccountID) time.Time, func(toksta.AccountID, store.CreditUse)) error {
	return nil
}

func (c *counting) ChargesBy(ctx context.Context, _ string, spans []store.ChargeSpan) ([]store.Charged, error) {
	charged := make([]store.Charged, len(spans))
	err := c.note(ctx, func(t *traffic) {
		t.reads++
		for i, s := range spans {
			if s.To.IsZero() {
				c.asked[s.Account]++
				charged[i].Cycle.Credits = 7
			}
		}
	})
	return charged, err
}

// running is a feed that runs in a time of its own.
type running struct {
	*counting
	book *credits.Book
}

// run calls test while a feed runs.
func run(t *testing.T, test func(*testing.T, running)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := running{&counting{asked: map[toksta.AccountID]int{}}, credits.New()}
		f := New(Config{Book: r.book, Meter: r, Store: r, Every: 5 * time.Second, Log: slog.New(slog.NewTextHandler(r, nil))})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- f.Run(ctx) }()
		test(t, r)
		stop()
		if err := <-done; err != nil {
			t.Errorf("the feed stopped with %v", err)
		}
	})
}

// customer has some credits and a limit of 60 calls a minute.
func customer(id toksta.AccountID, included int64) *toksta.Standing {
	return &toksta.Standing{
		Account: toksta.Account{ID: id, CycleAnchor: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)},
		Plan:    toksta.Plan{IncludedCredits: included, PerMinute: 60}, PerMinute: 60,
	}
}

// calls lets customers try something that fails in the end and costs nothing,
// every so often, for some time.
func (r running) calls(every, span time.Duration, by ...*toksta.Standing) {
	for end := time.Now().Add(span); time.Now().Before(end); <-time.After(every) {
		for _, st := range by {
			r.book.Hold(st, 1, time.Now())
			r.book.Settle(st, 1, 0, time.Now())
		}
	}
	synctest.Wait()
}

// Guarantee: an account near its end is asked about four times a second, any
// other once in an interval after its first call, and one without calls never.
func TestRunAsksAsOftenAsNeeded(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, r running) {
		r.book.Balance(customer("idle", 50), time.Now())
		r.calls(50*time.Millisecond, time.Minute+Soon/2, customer("near", 50), customer("far", 1e9))
		// The first look finds past hours unknown, and looks again.
		want := map[toksta.AccountID]int{"near": 4*60 + 1, "far": 1 + 12 + 1}
		if diff := cmp.Diff(want, r.asked); diff != "" {
			t.Errorf("looks in a minute (-want +got)\n%s", diff)
		}
	})
}

// Guarantee: the database's load grows with the accounts that are used, and not
// with their calls: a customer in a tight loop is no burden to the others.
func TestTrafficGrowsWithAccounts(t *testing.T) {
	t.Parallel()
	minute := func(accounts int, every time.Duration) (sum traffic, asked int) {
		run(t, func(_ *testing.T, r running) {
			var used []*toksta.Standing
			for i := range accounts {
				used = append(used, customer(toksta.AccountID(fmt.Sprint("acct_", i)), []int64{50, 1e9}[i%2]))
			}
			r.calls(every, time.Minute+Soon/2, used...)
			for _, n := range r.asked {
				asked += n
			}
			sum = r.sum
		})
		return sum, asked
	}
	once, asked := minute(10, 100*time.Millisecond)
	if often, n := minute(10, 10*time.Millisecond); often != once || n != asked {
		t.Errorf("ten times the calls make %+v of %+v and ask %d of %d times", often, once, n, asked)
	}
	if more, n := minute(20, 100*time.Millisecond); more != once || n != 2*asked {
		t.Errorf("twice the accounts make %+v of %+v and ask %d of %d times", more, once, n, asked)
	}
}

// Guarantee: a database that fails, or hangs, is asked again soon about what is
// due, though nobody calls any more; the operator is told once when it goes and
// when it is back.
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
				r.book.Hold(far, 1, time.Now())
				r.after(time.Minute)
				if r.sum.flushes < c.tries || r.logged("cannot follow") != 1 {
					t.Errorf("tried %d times in a minute; logged:\n%s", r.sum.flushes, &r.text)
				}
				r.fail(nil)
				r.after(patience + Soon)
				if left := r.book.Balance(far, time.Now()).Remaining(); left != 1e9-1-7 {
					t.Errorf("%d credits are left, want what the others left", left)
				}
				r.after(time.Minute)
				if r.logged("cannot follow") != 1 || r.logged("can follow") != 1 {
					t.Errorf("logged:\n%s", &r.text)
				}
			})
		})
	}
}

// fail makes everything fail from now on; nil: nothing.
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

// after lets some time pass.
func (c *counting) after(span time.Duration) {
	<-time.After(span)
	synctest.Wait()
}
