package signin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/internal/store/storetest/sqlitetest"
	"github.com/toksta/toksta/sdk/toksta"
)

// node returns a second service on the store of w, as of another node or after a restart.
func (w *world) node(s store.Store) *world {
	other := &world{store: s, now: w.now}
	other.Service = newService(s, w.Policy, func() time.Time { return other.now })
	other.passwords.key, other.strangers.key = w.passwords.key, w.strangers.key
	return other
}

// known returns the origin i with the browser of a sign-in.
func known(in SignedIn, i int) Origin {
	o := from(i)
	o.Browser = in.Browser
	return o
}

// Guesses at all nodes of a cluster, at the same time, share one count, which a restart does not
// reset. Meanwhile the owner signs in with the browser of an earlier sign-in, from the network of
// the attacker, without a delay.
func TestGuessesAtManyNodes(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t).NewDatabase(t)
	open := func() store.Store {
		s, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	first := &world{store: open(), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	first.Service = newService(first.store, Open, func() time.Time { return first.now })
	first.cheapHashes()
	nodes := []*world{first, first.node(open())}
	owner := first.signUp(t, "ada@example.com")

	const guesses = 1000
	var admitted, delayed, next atomic.Int64
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for next.Add(1) <= guesses {
				_, err := nodes[worker%2].SignIn(t.Context(), from(worker), "ada@example.com", toksta.Hide("wrong"))
				switch toksta.ErrorCode(err) {
				case toksta.CodeUnauthorized:
					admitted.Add(1)
				case toksta.CodeRateLimited:
					delayed.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	for i := range 10 {
		if _, err := nodes[i%2].SignIn(t.Context(), known(owner, i), "ada@example.com", toksta.Hide(testPassword)); err != nil {
			t.Errorf("the owner cannot sign in with the known browser: %v", err)
		}
	}
	wg.Wait()
	// Six, and one more for the second node: see Try.
	if n := admitted.Load(); n < 6 || n > 7 || n+delayed.Load() != guesses {
		t.Errorf("%d guesses got through, %d were delayed", n, delayed.Load())
	}
	_, err := first.node(open()).SignIn(t.Context(), from(99), "ada@example.com", toksta.Hide(testPassword))
	wantError(t, err, toksta.CodeRateLimited, "Try again")
}

// Guesses in a known browser are limited by a count of this browser, whose limit does not extend
// to other browsers. The browser of another member is not known.
func TestGuessesInAKnownBrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	ada, eve := w.signUp(t, "ada@example.com"), w.signUp(t, "eve@example.com")
	through := func(o func(int) Origin) (n int) {
		for i := range 50 {
			_, err := w.SignIn(t.Context(), o(i), "ada@example.com", toksta.Hide("wrong"))
			if toksta.ErrorCode(err) == toksta.CodeUnauthorized {
				n++
			}
		}
		return n
	}
	for name, o := range map[string]func(int) Origin{
		"the own browser":        func(i int) Origin { return known(ada, i) },
		"one of an other member": func(i int) Origin { return known(eve, i) },
	} {
		if n := through(o); n != 6 {
			t.Errorf("%d guesses in %s got through, want 6", n, name)
		}
	}
	_, err := w.SignIn(t.Context(), known(ada, 1), "ada@example.com", toksta.Hide(testPassword))
	wantError(t, err, toksta.CodeRateLimited, "Try again")
	if err := w.ResetPassword(t.Context(), operator, ada.Member.ID, toksta.Hide("another sentence")); err != nil {
		t.Fatal(err)
	}
	if _, isKnown, err := w.knownBrowser(t.Context(), known(ada, 1), ada.Member.ID); err != nil || isKnown {
		t.Errorf("a browser is known after the password was reset: %v", err)
	}
}

// Signing in and confirming without earlier failures writes no count. A failure writes one for
// the address and one for the network, a rejected attempt none.
func TestCountsAreWrittenForFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Open)
	counted := &countedAttempts{Attempts: w.store}
	w.Throttle = NewThrottle(counted, func() time.Time { return w.now })
	in := w.signUp(t, "ada@example.com")
	counted.swaps.Store(0)
	signIn := func(o Origin, password string) {
		_, _ = w.SignIn(t.Context(), o, "ada@example.com", toksta.Hide(password))
	}
	for i := range 3 {
		signIn(from(i), testPassword)
		signIn(known(in, i), testPassword)
		if _, err := w.Confirm(t.Context(), from(i), in.Identity, toksta.Hide(testPassword)); err != nil {
			t.Fatal(err)
		}
	}
	if n := counted.swaps.Load(); n != 0 {
		t.Errorf("sign-ins without failures wrote counts %d times", n)
	}
	for i := range 50 {
		signIn(from(i), "wrong")
	}
	if n := counted.swaps.Load(); n != 11 { // the later ones before and after the check
		t.Errorf("six failures and 44 rejections wrote counts %d times", n)
	}
}

// countedAttempts counts the writes. While failing is set, they fail.
type countedAttempts struct {
	store.Attempts
	swaps   atomic.Int64
	failing error
}

func (c *countedAttempts) SwapAttempts(ctx context.Context, old, next []store.AttemptCount) (bool, error) {
	c.swaps.Add(1)
	if c.failing != nil {
		return false, c.failing
	}
	return c.Attempts.SwapAttempts(ctx, old, next)
}

// If a failure cannot be counted, its result is not told. A client that disconnects during the
// check is counted nevertheless.
func TestUncountedGuesses(t *testing.T) {
	t.Parallel()
	s := &countedAttempts{Attempts: sqlitetest.Open(t), failing: store.ErrUnavailable}
	th := NewThrottle(s, func() time.Time { return time.Unix(1e9, 0) })
	name := Name{ScopeCode, "mem_a"}
	wrong := errors.New("wrong")
	_, err := th.Try(t.Context(), func() error { return wrong }, name)
	if errors.Is(err, wrong) || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("an uncounted guess has the error %v", err)
	}
	s.failing = nil
	ctx, cancel := context.WithCancel(t.Context())
	_, err = th.Try(ctx, func() error { cancel(); return wrong }, name)
	if failures, countErr := th.Failures(t.Context(), name); err != wrong || countErr != nil || failures != 1 {
		t.Errorf("%v; %d failures are counted, %v", err, failures, countErr)
	}
}

// Simultaneous attempts on one node cannot exceed the limit together, and a success resets the
// count but not that of a network.
func TestSimultaneousAttempts(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	th := NewThrottle(sqlitetest.Open(t), func() time.Time { return now })
	names := []Name{{ScopeNetwork, "10.0.0.0/24"}, {ScopeCode, "mem_a"}}
	wrong := errors.New("wrong")
	var checks atomic.Int64
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			_, _ = th.Try(t.Context(), func() error { checks.Add(1); return wrong }, names...)
		})
	}
	wg.Wait()
	if n := checks.Load(); n != 6 {
		t.Errorf("%d of 40 attempts were checked, want 6", n)
	}
	now = now.Add(time.Second)
	failed, err := th.Try(t.Context(), func() error { return nil }, names...)
	if err != nil || failed != 6 {
		t.Errorf("%d failures before the success, %v", failed, err)
	}
	for n, want := range map[Name]int{names[0]: 6, names[1]: 0} {
		if got, err := th.Failures(t.Context(), n); err != nil || got != want {
			t.Errorf("%s: %d failures after a success, want %d, %v", n.Scope, got, want, err)
		}
	}
	now = now.Add(policies[ScopeNetwork].expiry + time.Second)
	if got, err := th.Failures(t.Context(), names[0]); err != nil || got != 0 {
		t.Errorf("%d failures after the expiry, %v", got, err)
	}
}

// An attempt that is not counted yet, because its check takes long, is one of the free attempts.
func TestAttemptDuringACheck(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	th := NewThrottle(sqlitetest.Open(t), func() time.Time { return now })
	name := Name{ScopeCode, "mem_a"}
	wrong := errors.New("wrong")
	checks := 0
	_, _ = th.Try(t.Context(), func() error {
		for range 10 {
			_, _ = th.Try(t.Context(), func() error { checks++; return wrong }, name)
		}
		return wrong
	}, name)
	if checks != policies[ScopeCode].free {
		t.Errorf("%d attempts were checked during the first one, want %d", checks, policies[ScopeCode].free)
	}
}

// Each action of Count is limited, and the delays double up to the limit of the scope.
func TestCountedActions(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	th := NewThrottle(sqlitetest.Open(t), func() time.Time { return now })
	mail := Name{ScopeMail, "ada@example.com"}
	var delays []any
	for range 8 {
		err := th.Count(t.Context(), mail)
		e, _ := errors.AsType[*toksta.Error](err)
		if e == nil {
			delays = append(delays, 0)
			continue
		}
		delays = append(delays, e.Details["retry_after"])
		now = now.Add(time.Duration(e.Details["retry_after"].(int)) * time.Second)
		if err := th.Count(t.Context(), mail); err != nil {
			t.Errorf("after the delay: %v", err)
		}
	}
	if got := fmt.Sprint(delays); got != "[0 0 0 0 60 120 240 300]" {
		t.Errorf("delays %s", got)
	}
}
