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
	"github.com/toksta/toksta/internal/store/storetest/sqlitetest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// account is an account whose credits a test spends.
type account struct {
	toksta.Standing
	used int64 // of the included credits
	left int64 // of the purchased credits
}

// testWatch is one node's watch over accounts.
type testWatch struct {
	*Watch
	accounts map[toksta.AccountID]*account
	events   *Service
	clock    *clock
}

func newTestWatch(s *sqlstore.Store, c *clock, accounts map[toksta.AccountID]*account) *testWatch {
	l := &testWatch{accounts: accounts, clock: c}
	log := slog.New(slog.DiscardHandler)
	l.events = New(Config{Store: s, Now: c.now, Log: log})
	l.Watch = NewWatch(WatchConfig{
		Events: l.events, Usage: s, Now: c.now, Log: log,
		ExternalID: func(_ context.Context, id toksta.AccountID) (string, error) { return "crm-" + string(id), nil },
		Marks:      Marks{LowIncluded: 10, LowPurchased: 100, LimitHits: 30},
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

// plan returns an account with included and purchased credits.
func plan(id toksta.AccountID, included, purchased int64) *account {
	a := &account{left: purchased}
	a.Account = toksta.Account{ID: id, Entitlements: toksta.Entitlements{PurchasedCredits: purchased}}
	a.Plan, a.PerMinute = toksta.Plan{ID: "P", IncludedCredits: included}, 60
	return a
}

// raisedByCheck runs the pending checks and returns the events that they raised, as "account kind".
func (l *testWatch) raisedByCheck(t *testing.T) []string {
	t.Helper()
	before := l.raised(t)
	l.clock.add(time.Millisecond) // events are listed by the time of their ids
	if err := l.checkPending(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l.raised(t)[len(before):]
}

func (l *testWatch) raised(t *testing.T) (out []string) {
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

func (l *testWatch) want(t *testing.T, what string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, l.raisedByCheck(t), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +raised)\n%s", what, diff)
	}
}

// Guarantee: an event has the account's id in the vendor's systems.
func TestEventsHaveExternalID(t *testing.T) {
	t.Parallel()
	a := plan("a", 1000, 0)
	a.used = 1000
	l := newTestWatch(sqlitetest.Open(t).Store, newClock(), map[toksta.AccountID]*account{"a": a})
	l.Enqueue("a")
	l.want(t, "at zero", "a credits.exhausted")
	all, err := l.events.List(t.Context(), store.EventQuery{})
	if err != nil || len(all) != 1 || !strings.Contains(string(all[0].Data), `"account_id":"a","external_id":"crm-a"`) {
		t.Errorf("got %s, %v", all[0].Data, err)
	}
}

// Guarantee: low and exhausted credits raise events once in a cycle, again after a top-up,
// and never for an account that has enough or was never given any.
func TestCreditEvents(t *testing.T) {
	t.Parallel()
	a, payg, none := plan("a", 1000, 0), plan("payg", 0, 500), plan("none", 0, 0)
	c := newClock()
	l := newTestWatch(sqlitetest.Open(t).Store, c, map[toksta.AccountID]*account{"a": a, "payg": payg, "none": none})
	enqueue := func() { l.Enqueue("a", "payg", "none", "unknown") }
	enqueue()
	l.want(t, "all full")
	a.used, payg.left = 899, 101
	enqueue()
	l.want(t, "just above the marks")
	a.used = 900
	enqueue()
	l.want(t, "at the mark", "a credits.low")
	payg.left = 100
	enqueue()
	l.want(t, "where nothing is included", "payg credits.low")
	a.used = 950
	enqueue()
	l.want(t, "lower")
	a.used = 1000
	enqueue()
	l.want(t, "at zero", "a credits.exhausted")
	enqueue()
	l.want(t, "again at zero")
	a.Account.Entitlements.PurchasedCredits, a.left = 200, 200
	enqueue()
	l.want(t, "a top-up")
	a.left = 90
	enqueue()
	l.want(t, "the top-up is nearly used", "a credits.low")
	a.left = 0
	enqueue()
	l.want(t, "the top-up is used", "a credits.exhausted")
	c.add(31 * 24 * time.Hour)
	a.used = 0
	enqueue()
	l.want(t, "the next cycle", "payg credits.low")
	a.used = 1000
	enqueue()
	l.want(t, "straight to zero", "a credits.exhausted")
}

// Guarantee: credits that cannot pay for a rejected call count as exhausted if they are at or below
// the mark. One expensive call of an account with many credits raises nothing.
func TestCreditsBelowPrice(t *testing.T) {
	t.Parallel()
	a := plan("a", 1000, 0)
	l := newTestWatch(sqlitetest.Open(t).Store, newClock(), map[toksta.AccountID]*account{"a": a})
	rejected := batchOf("a", toksta.ReasonInsufficientCredits, 1, l.clock.now())
	a.used = 500
	l.ObserveFlush(rejected)
	l.want(t, "plenty")
	a.used = 997
	l.ObserveFlush(rejected)
	l.want(t, "three left", "a credits.exhausted")
	all, err := l.events.List(t.Context(), store.EventQuery{})
	if err != nil {
		t.Fatal(err)
	}
	var got client.CreditsData
	decode(t, all[0].Data, &got)
	want := client.CreditsData{
		AccountID: "a", ExternalID: "crm-a", Plan: "P", Remaining: 3, Mark: 100, Included: 1000, IncludedUsed: 997,
		ResetsAt: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), Beyond: "refused",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("data (-want +got)\n%s", diff)
	}
}

// Guarantee: an event tells correctly whether further calls of the customer are admitted.
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

// batchOf returns a flush of rejected calls in the hour of a time.
func batchOf(id toksta.AccountID, reason toksta.Reason, calls int64, at time.Time) store.UsageBatch {
	slot := store.UsageSlot{AccountID: id, KeyID: "key_1", Family: "data", Reason: reason, Hour: at.Unix() / 3600}
	return store.UsageBatch{Epoch: "e", Totals: []store.UsageTotal{{UsageSlot: slot, Calls: calls}}}
}

// Guarantee: a limit that is hit often raises one event a day, from the rejections of all nodes
// together. Few rejections raise none.
func TestLimitHits(t *testing.T) {
	t.Parallel()
	s, c := sqlitetest.Open(t).Store, newClock()
	accounts := map[toksta.AccountID]*account{"a": plan("a", 10, 0), "b": plan("b", 10, 0)}
	one, other := newTestWatch(s, c, accounts), newTestWatch(s, c, accounts)
	flush := func(l *testWatch, epoch string, id toksta.AccountID, calls int64, at time.Time) {
		t.Helper()
		b := batchOf(id, toksta.ReasonRateLimited, calls, at)
		b.Epoch = epoch
		if err := s.Flush(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		l.ObserveFlush(b)
	}
	flush(one, "e1", "a", 20, c.now())
	flush(one, "e1", "b", 20, c.now().Add(-time.Hour))
	one.want(t, "too few")
	flush(other, "e2", "b", 29, c.now())
	other.want(t, "too few in any one hour")
	flush(other, "e2", "a", 10, c.now())
	other.want(t, "thirty on two nodes", "a rate_limit.hit_often")
	flush(one, "e1", "a", 25, c.now())
	one.want(t, "raised by the other node")
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
	want := client.RateLimitData{AccountID: "a", ExternalID: "crm-a", Plan: "P", Refused: 30, Since: time.Date(2026, 3, 10, 9, 0, 0, 0, time.UTC), PerMinute: 60}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("data (-want +got)\n%s", diff)
	}
}

// Guarantee: two nodes that detect the same low balance raise one event.
func TestTwoNodesRaiseOneEvent(t *testing.T) {
	t.Parallel()
	s, c, a := sqlitetest.Open(t).Store, newClock(), plan("a", 100, 0)
	accounts := map[toksta.AccountID]*account{"a": a}
	one, other := newTestWatch(s, c, accounts), newTestWatch(s, c, accounts)
	a.used = 95
	one.Enqueue("a")
	other.Enqueue("a")
	one.want(t, "the first", "a credits.low")
	other.want(t, "the second")
}

// Guarantee: marks of 0 disable all events except exhausted credits.
func TestMarksOff(t *testing.T) {
	t.Parallel()
	s, a := sqlitetest.Open(t).Store, plan("a", 100, 0)
	l := newTestWatch(s, newClock(), map[toksta.AccountID]*account{"a": a})
	l.config.Marks = Marks{}
	a.used = 99
	l.Enqueue("a")
	b := batchOf("a", toksta.ReasonRateLimited, 1000, l.clock.now())
	if err := s.Flush(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	l.ObserveFlush(b)
	l.want(t, "off")
	a.used = 100
	l.Enqueue("a")
	l.want(t, "nothing left", "a credits.exhausted")
}

// flakyStore is a store that fails while a test says so.
type flakyStore struct {
	Store
	unavailable atomic.Bool
	failed      chan struct{}
}

func (a *flakyStore) RaiseEvent(ctx context.Context, e store.Event, channels []string) (bool, error) {
	if a.unavailable.Load() {
		a.failed <- struct{}{}
		return false, errors.New("the store is unavailable")
	}
	return a.Store.RaiseEvent(ctx, e, channels)
}

// Guarantee: an event that could not be stored is raised once the store is available again, and the
// log reports the outage once.
func TestStoreOutage(t *testing.T) {
	t.Parallel()
	s, c, a := sqlitetest.Open(t).Store, newClock(), plan("a", 100, 0)
	l := newTestWatch(s, c, map[toksta.AccountID]*account{"a": a})
	flaky := &flakyStore{Store: s, failed: make(chan struct{}, 10)}
	flaky.unavailable.Store(true)
	var log safeBuffer
	l.config.Log = slog.New(slog.NewJSONHandler(&log, nil))
	l.config.Events = New(Config{Store: flaky, Now: c.now, Log: l.config.Log})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	a.used = 95
	l.Enqueue("a")
	<-flaky.failed
	flaky.unavailable.Store(false)
	deadline := time.After(20 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); len(l.raised(t)) == 0; {
		select {
		case <-tick.C:
			l.Enqueue() // like the flush of any other account
		case <-deadline:
			t.Fatal("the event was not raised again")
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if text := log.String(); strings.Count(text, "cannot raise events") != 1 {
		t.Errorf("log: %s", text)
	}
}
