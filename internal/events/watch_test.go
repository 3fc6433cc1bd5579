package events

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// account is one that a test spends the credits of.
type account struct {
	toksta.Standing
	used int64 // of the included credits
	left int64 // of the purchased ones
}

// lookout is one node's watch over accounts.
type lookout struct {
	*Watch
	accounts map[toksta.AccountID]*account
	events   *Service
	clock    *clock
}

func newLookout(s *sqlstore.Store, c *clock, accounts map[toksta.AccountID]*account) *lookout {
	l := &lookout{accounts: accounts, clock: c}
	log := slog.New(slog.DiscardHandler)
	l.events = New(Config{Store: s, Now: c.now, Log: log})
	l.Watch = NewWatch(WatchConfig{
		Events: l.events, Usage: s, Now: c.now, Log: log,
		Marks: Marks{LowIncluded: 10, LowPurchased: 100, LimitHits: 30},
		Standing: func(id toksta.AccountID) *toksta.Standing {
			if a := accounts[id]; a != nil {
				return &a.Standing
			}
			return nil
		},
		Balance: func(st *toksta.Standing, now time.Time) credits.Balance {
			a := accounts[st.Account.ID]
			_, end := toksta.Cycle(st.Account.CycleAnchor, now)
			return credits.Balance{Included: st.Plan.IncludedCredits, IncludedUsed: a.used, Purchased: a.left, ResetsAt: end}
		},
	})
	return l
}

// plan makes an account with included and purchased credits.
func plan(id toksta.AccountID, included, purchased int64) *account {
	a := &account{left: purchased}
	a.Account = toksta.Account{ID: id, Entitlements: toksta.Entitlements{PurchasedCredits: purchased}}
	a.Plan, a.PerMinute = toksta.Plan{ID: "P", IncludedCredits: included}, 60
	return a
}

// seen looks at everything that was noted and returns what it raised, as
// "account kind".
func (l *lookout) seen(t *testing.T) []string {
	t.Helper()
	before := l.raised(t)
	l.clock.add(time.Millisecond) // events are listed by the time of their ids
	if err := l.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l.raised(t)[len(before):]
}

func (l *lookout) raised(t *testing.T) (out []string) {
	t.Helper()
	all, err := l.events.List(t.Context(), store.EventQuery{})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(all)
	for _, e := range all {
		out = append(out, string(e.AccountID)+" "+string(e.Kind))
	}
	return out
}

func (l *lookout) want(t *testing.T, what string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, l.seen(t), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +raised)\n%s", what, diff)
	}
}

// Guarantee: a vendor hears of credits that come to an end once in a cycle, at
// the mark and at zero, again when more were given, and never of an account
// that has enough or was never given any.
func TestCreditsAreTold(t *testing.T) {
	t.Parallel()
	a, payg, none := plan("a", 1000, 0), plan("payg", 0, 500), plan("none", 0, 0)
	c := newClock()
	l := newLookout(openStore(t), c, map[toksta.AccountID]*account{"a": a, "payg": payg, "none": none})
	look := func() { l.Look("a", "payg", "none", "unknown") }
	look()
	l.want(t, "all full")
	a.used, payg.left = 899, 101
	look()
	l.want(t, "just above the marks")
	a.used = 900
	look()
	l.want(t, "at the mark", "a credits.low")
	payg.left = 100
	look()
	l.want(t, "where nothing is included", "payg credits.low")
	a.used = 950
	look()
	l.want(t, "lower")
	a.used = 1000
	look()
	l.want(t, "at zero", "a credits.exhausted")
	look()
	l.want(t, "again at zero")
	a.Account.Entitlements.PurchasedCredits, a.left = 200, 200
	look()
	l.want(t, "a top-up")
	a.left = 90
	look()
	l.want(t, "the top-up is nearly used", "a credits.low")
	a.left = 0
	look()
	l.want(t, "the top-up is used", "a credits.exhausted")
	c.add(31 * 24 * time.Hour)
	a.used = 0
	look()
	l.want(t, "the next cycle", "payg credits.low")
	a.used = 1000
	look()
	l.want(t, "straight to zero", "a credits.exhausted")
}

// Guarantee: credits that do not pay for a call are as good as none, and the
// vendor hears so; one dear call of an account that has plenty is no news.
func TestCreditsThatDoNotPay(t *testing.T) {
	t.Parallel()
	a := plan("a", 1000, 0)
	l := newLookout(openStore(t), newClock(), map[toksta.AccountID]*account{"a": a})
	refused := batchOf("a", toksta.ReasonInsufficientCredits, 1, l.clock.now())
	a.used = 500
	l.See(refused)
	l.want(t, "plenty")
	a.used = 997
	l.See(refused)
	l.want(t, "three left", "a credits.exhausted")
	all, err := l.events.List(t.Context(), store.EventQuery{})
	if err != nil {
		t.Fatal(err)
	}
	var got client.CreditsData
	decode(t, all[0].Data, &got)
	want := client.CreditsData{
		AccountID: "a", Plan: "P", Remaining: 3, Mark: 100, Included: 1000, IncludedUsed: 997,
		ResetsAt: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), Beyond: "refused",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("data (-want +got)\n%s", diff)
	}
}

// Guarantee: an event says truly whether the customer's calls go on.
func TestBeyond(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate, used, limit int64
		want              string
	}{
		{0, 0, 0, "refused"},
		{5, 0, 0, "overage"},
		{5, 1000, 0, "overage"},
		{5, 95, 100, "overage"},
		{5, 96, 100, "refused"},
		{5, 100, 100, "refused"},
		{5, 0, 4, "refused"},
	} {
		st := &toksta.Standing{Plan: toksta.Plan{OverageMicros: c.rate}}
		if got := beyond(st, credits.Balance{OverageMicros: c.used, OverageCapMicros: c.limit}); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// batchOf is a flush of refused calls in the hour of a time.
func batchOf(id toksta.AccountID, reason toksta.Reason, calls int64, at time.Time) store.UsageBatch {
	slot := store.UsageSlot{AccountID: id, KeyID: "key_1", Family: "data", Reason: reason, Hour: at.Unix() / 3600}
	return store.UsageBatch{Epoch: "e", Totals: []store.UsageTotal{{UsageSlot: slot, Calls: calls}}}
}

// Guarantee: a limit that is hit often is told once a day, from the refusals of
// all nodes together, and a few refusals are not told.
func TestLimitHits(t *testing.T) {
	t.Parallel()
	s, c := openStore(t), newClock()
	accounts := map[toksta.AccountID]*account{"a": plan("a", 10, 0), "b": plan("b", 10, 0)}
	one, other := newLookout(s, c, accounts), newLookout(s, c, accounts)
	flush := func(l *lookout, epoch string, id toksta.AccountID, calls int64, at time.Time) {
		t.Helper()
		b := batchOf(id, toksta.ReasonRateLimited, calls, at)
		b.Epoch = epoch
		if err := s.Flush(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		l.See(b)
	}
	flush(one, "e1", "a", 20, c.now())
	flush(one, "e1", "b", 20, c.now().Add(-time.Hour))
	one.want(t, "too few")
	flush(other, "e2", "b", 29, c.now())
	other.want(t, "too few in any one hour")
	flush(other, "e2", "a", 10, c.now())
	other.want(t, "thirty on two nodes", "a rate_limit.hit_often")
	flush(one, "e1", "a", 25, c.now())
	one.want(t, "told by the other node")
	c.add(2 * time.Hour)
	flush(one, "e1", "a", 50, c.now())
	one.want(t, "the same day")
	c.add(24 * time.Hour)
	flush(one, "e1", "a", 50, c.now().Add(-48*time.Hour))
	one.want(t, "old news")
	flush(one, "e1", "a", 30, c.now())
	one.want(t, "the next day", "a rate_limit.hit_often")

	all, err := one.events.List(t.Context(), store.EventQuery{})
	if err != nil {
		t.Fatal(err)
	}
	var got client.RateLimitData
	decode(t, all[1].Data, &got)
	want := client.RateLimitData{AccountID: "a", Plan: "P", Refused: 30, Since: time.Date(2026, 3, 10, 9, 0, 0, 0, time.UTC), PerMinute: 60}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("data (-want +got)\n%s", diff)
	}
}

// Guarantee: two nodes that see an account fall raise one event.
func TestTwoNodesRaiseOneEvent(t *testing.T) {
	t.Parallel()
	s, c, a := openStore(t), newClock(), plan("a", 100, 0)
	accounts := map[toksta.AccountID]*account{"a": a}
	one, other := newLookout(s, c, accounts), newLookout(s, c, accounts)
	a.used = 95
	one.Look("a")
	other.Look("a")
	one.want(t, "the first", "a credits.low")
	other.want(t, "the second")
}

// Guarantee: marks of 0 tell nothing, except that nothing is left.
func TestMarksOff(t *testing.T) {
	t.Parallel()
	s, a := openStore(t), plan("a", 100, 0)
	l := newLookout(s, newClock(), map[toksta.AccountID]*account{"a": a})
	l.config.Marks = Marks{}
	a.used = 99
	l.Look("a")
	b := batchOf("a", toksta.ReasonRateLimited, 1000, l.clock.now())
	if err := s.Flush(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	l.See(b)
	l.want(t, "off")
	a.used = 100
	l.Look("a")
	l.want(t, "nothing left", "a credits.exhausted")
}

// away is a store that fails while a test says so.
type away struct {
	Store
	gone atomic.Bool
	told chan struct{}
}

func (a *away) RaiseEvent(ctx context.Context, e store.Event, channels []string) (bool, error) {
	if a.gone.Load() {
		a.told <- struct{}{}
		return false, errors.New("the store is away")
	}
	return a.Store.RaiseEvent(ctx, e, channels)
}

// Guarantee: an event that could not be kept because the store was away is not
// forgotten, and the log says so once.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	s, c, a := openStore(t), newClock(), plan("a", 100, 0)
	l := newLookout(s, c, map[toksta.AccountID]*account{"a": a})
	flaky := &away{Store: s, told: make(chan struct{}, 10)}
	flaky.gone.Store(true)
	var log logs
	l.config.Log = slog.New(slog.NewJSONHandler(&log, nil))
	l.config.Events = New(Config{Store: flaky, Now: c.now, Log: l.config.Log})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	a.used = 95
	l.Look("a")
	<-flaky.told
	flaky.gone.Store(false)
	deadline := time.After(20 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); len(l.raised(t)) == 0; {
		select {
		case <-tick.C:
			l.Look() // as any other account's flush does
		case <-deadline:
			t.Fatal("the event was forgotten")
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if text := log.String(); strings.Count(text, "cannot raise events") != 1 {
		t.Errorf("the log says: %s", text)
	}
}
