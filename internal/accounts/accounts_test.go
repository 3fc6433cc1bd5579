package accounts_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/toksta/toksta/internal/accounts"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/storetest/sqlitetest"
	"github.com/toksta/toksta/sdk/toksta"
)

type world struct {
	*accounts.Service
	store store.Store
	now   time.Time
}

var operator = toksta.Actor{Kind: toksta.ActorOperator, Name: "ops"}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	s := sqlitetest.Open(tb)
	w := &world{store: s, now: time.Date(2026, 1, 31, 15, 4, 5, 0, time.UTC)}
	w.Service = &accounts.Service{
		Log: s.DirectLog(), Store: s, Erasing: s, Now: func() time.Time { return w.now },
		Unspent: func(ctx context.Context, r store.Balances, id toksta.AccountID) (int64, error) {
			c, err := r.CreditState(ctx, store.CreditQuery{Account: id})
			return c.Account.Entitlements.PurchasedCredits - c.Use.PurchasedEver, err
		},
		Catalog: &toksta.Catalog{
			Plans: []toksta.Plan{
				{ID: "FREE", API: toksta.APINever},
				{ID: "BUILD", API: toksta.APIAlways},
				{ID: "PRO", API: toksta.APIEntitled, Entitled: []toksta.Family{"workspace"}},
			},
			Statuses: map[toksta.Status]toksta.Reason{toksta.StatusActive: "", toksta.StatusPastDue: toksta.ReasonBillingPastDue},
			FreePlan: "FREE", PerMinute: 60,
		},
	}
	return w
}

func (w *world) create(tb testing.TB) toksta.Account {
	tb.Helper()
	out, err := w.Create(tb.Context(), operator, accounts.CreateRequest{Name: "Acme"})
	if err != nil {
		tb.Fatal(err)
	}
	return out.Account
}

func (w *world) changes(tb testing.TB) []toksta.Change {
	tb.Helper()
	cs, err := w.Audit(tb.Context(), store.ChangeQuery{})
	if err != nil {
		tb.Fatal(err)
	}
	return cs
}

func wantError(t *testing.T, err error, code toksta.Code, text string) {
	t.Helper()
	if err == nil || toksta.ErrorCode(err) != code || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %s with the text %q", err, code, text)
	}
}

// The returned account equals the stored one, and a new account is on the free
// plan.
func TestCreate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.create(t)
	got, err := w.Get(t.Context(), a.ID)
	if diff := cmp.Diff(a, got); err != nil || diff != "" {
		t.Errorf("%v (-returned +stored)\n%s", err, diff)
	}
	if a.Plan != "FREE" || a.Status != toksta.StatusActive || a.Cadence != accounts.CadenceMonthly || !a.CycleAnchor.IsZero() {
		t.Errorf("defaults: %+v", a)
	}
	req := accounts.CreateRequest{Name: "Twice", Token: "t"}
	if _, err := w.Create(t.Context(), operator, req); err != nil {
		t.Fatal(err)
	}
	_, err = w.Create(t.Context(), operator, req)
	if !errors.Is(err, &toksta.Error{Code: toksta.CodeConflict, Reason: toksta.ReasonRepeated}) {
		t.Errorf("a repeated request: %v", err)
	}
}

// An unknown value is rejected with the list of valid values, and changes nothing.
func TestUnknownValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t).ID
	before := len(w.changes(t))
	_, err := w.SetPlan(t.Context(), operator, accounts.PlanRequest{Account: id, Plan: "GOLD"})
	wantError(t, err, toksta.CodeValidation, `"GOLD". Choose from: BUILD, FREE, PRO.`)
	_, err = w.SetPlan(t.Context(), operator, accounts.PlanRequest{Account: id, Plan: "PRO", Cadence: "daily"})
	wantError(t, err, toksta.CodeValidation, "annual, monthly")
	_, err = w.SetStatus(t.Context(), operator, accounts.StatusRequest{Account: id, Status: "paused"})
	wantError(t, err, toksta.CodeValidation, "active, past_due")
	_, err = w.SetEntitlement(t.Context(), operator, accounts.EntitlementRequest{Account: id, Name: "data_endpoints_enabled", Value: "true"})
	wantError(t, err, toksta.CodeValidation, "workspace_endpoints_enabled")
	_, err = w.Create(t.Context(), operator, accounts.CreateRequest{Name: "x", Plan: "GOLD"})
	wantError(t, err, toksta.CodeValidation, "GOLD")
	_, err = w.Rename(t.Context(), operator, accounts.RenameRequest{Account: id, Name: " "})
	wantError(t, err, toksta.CodeValidation, "name")
	_, err = w.SetPlan(t.Context(), operator, accounts.PlanRequest{Account: "acct_none", Plan: "PRO"})
	wantError(t, err, toksta.CodeNotFound, "account")
	if after := len(w.changes(t)); after != before {
		t.Errorf("%d changes were written", after-before)
	}
}

// The billing cycle begins with the subscription and does not change between paid
// plans: another cycle would add or remove credits.
func TestCycleAnchor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t).ID
	set := func(p toksta.PlanID) toksta.Account {
		out, err := w.SetPlan(t.Context(), operator, accounts.PlanRequest{Account: id, Plan: p})
		if err != nil {
			t.Fatal(err)
		}
		return out.Account
	}
	first := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	if a := set("BUILD"); !a.CycleAnchor.Equal(first) {
		t.Errorf("subscribing anchors at %v", a.CycleAnchor)
	}
	w.now = w.now.AddDate(0, 2, 3)
	if a := set("PRO"); !a.CycleAnchor.Equal(first) {
		t.Errorf("changing plans moves the anchor to %v", a.CycleAnchor)
	}
	next := time.Date(2026, 5, 31, 0, 0, 0, 0, time.UTC)
	for range 2 { // the cycle from 31 March to 30 April still runs
		set("FREE")
		w.now = w.now.AddDate(0, 0, 5)
		if a := set("BUILD"); !a.CycleAnchor.Equal(next) {
			t.Errorf("subscribing again in the same cycle anchors at %v", a.CycleAnchor)
		}
	}
	set("FREE")
	w.now = w.now.AddDate(0, 3, 0)
	if a := set("BUILD"); !a.CycleAnchor.Equal(w.now.Truncate(24 * time.Hour)) {
		t.Errorf("subscribing again in a later cycle anchors at %v", a.CycleAnchor)
	}
}

// A vendor that bills with another system can set the day on which cycles begin,
// also for existing subscriptions. A date in the future is rejected.
func TestSetCycleAnchor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := time.Date(2025, 3, 17, 0, 0, 0, 0, time.UTC)
	made, err := w.Create(t.Context(), operator, accounts.CreateRequest{Name: "Acme", Plan: "BUILD", CycleAnchor: new(want.Add(5 * time.Hour))})
	if err != nil || !made.Account.CycleAnchor.Equal(want) {
		t.Errorf("created with %v: %v", made.Account.CycleAnchor, err)
	}
	moved, err := w.SetPlan(t.Context(), operator, accounts.PlanRequest{Account: made.Account.ID, Plan: "BUILD", CycleAnchor: &w.now})
	if err != nil || !moved.Account.CycleAnchor.Equal(day31) || moved.Receipt.Change.Detail["cycle_anchor"] != "2025-03-17 → 2026-01-31" {
		t.Errorf("moved to %v, %v: %v", moved.Account.CycleAnchor, moved.Receipt.Change.Detail, err)
	}
	_, err = w.SetPlan(t.Context(), operator, accounts.PlanRequest{Account: made.Account.ID, Plan: "PRO", CycleAnchor: new(w.now.Add(time.Hour))})
	if toksta.ErrorCode(err) != toksta.CodeValidation {
		t.Errorf("a date in the future: %v", err)
	}
}

var day31 = time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)

// The change log contains the old and the new value. Setting the same value again
// adds no change and keeps the start of the status.
func TestChangeHasOldAndNewValue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t).ID
	var got []map[string]string
	for range 2 { // the second round changes nothing
		w.now = w.now.Add(time.Hour)
		_, err1 := w.Rename(t.Context(), operator, accounts.RenameRequest{Account: id, Name: "Acme Ltd"})
		_, err2 := w.SetPlan(t.Context(), operator, accounts.PlanRequest{Account: id, Plan: "PRO", Cadence: "annual"})
		_, err3 := w.SetStatus(t.Context(), operator, accounts.StatusRequest{Account: id, Status: toksta.StatusPastDue})
		_, err4 := w.SetEntitlement(t.Context(), operator, accounts.EntitlementRequest{Account: id, Name: "overage_cap_usd", Value: "12.5"})
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			t.Fatal(err)
		}
	}
	cs := w.changes(t)
	for i := len(cs) - 1; i > 0; i-- {
		got = append(got, cs[i-1].Detail)
	}
	want := []map[string]string{
		{"name": "Acme → Acme Ltd"},
		{"plan": "FREE → PRO", "cadence": "monthly → annual"},
		{"status": "active → past_due"},
		{"overage_cap_usd": "default → 12.50"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if a, err := w.Get(t.Context(), id); err != nil || !a.StatusSince.Equal(w.now.Add(-time.Hour)) {
		t.Errorf("past due since %v, %v", a.StatusSince, err)
	}
}

// Each valid value sets exactly this entitlement; an invalid one changes nothing.
func TestSetEntitlement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t).ID
	on, off := true, false
	type e = toksta.Entitlements
	for _, c := range []struct {
		name, value string
		want        e // after it
		isInvalid   bool
	}{
		{"api_access_enabled", "true", e{APIAccess: &on}, false},
		{"api_access_enabled", "false", e{APIAccess: &off}, false},
		{"api_access_enabled", "yes", e{}, true},
		{"api_access_enabled", "default", e{}, false},
		{"workspace_endpoints_enabled", "true", e{Families: map[toksta.Family]bool{"workspace": true}}, false},
		{"workspace_endpoints_enabled", "", e{}, true},
		{"workspace_endpoints_enabled", "default", e{}, false},
		{"rate_limit_per_minute", "90", e{PerMinute: 90}, false},
		{"rate_limit_per_minute", "0", e{}, true},
		{"rate_limit_per_minute", "1e3", e{}, true},
		{"rate_limit_per_minute", "default", e{}, false},
		{"rate_limit_per_hour", "60000000", e{PerHour: 60_000_000}, false},
		{"rate_limit_per_hour", "60000001", e{}, true},
		{"rate_limit_per_hour", "default", e{}, false},
		{"rate_limit_per_day", "500", e{PerDay: 500}, false},
		{"rate_limit_per_day", "-1", e{}, true},
		{"rate_limit_per_day", "default", e{}, false},
		{"concurrent_calls", "5", e{Concurrent: 5}, false},
		{"concurrent_calls", "0", e{}, true},
		{"concurrent_calls", "default", e{}, false},
		{"overage_cap_usd", "0.000001", e{OverageCapMicros: 1}, false},
		{"overage_cap_usd", "1000000000.10", e{OverageCapMicros: 1_000_000_000_100_000}, false},
		{"overage_cap_usd", "0", e{}, true},
		{"overage_cap_usd", "-1", e{}, true},
		{"overage_cap_usd", "1.0000001", e{}, true},
		{"overage_cap_usd", ".5", e{}, true},
		{"overage_cap_usd", "1.", e{}, true},
		{"overage_cap_usd", "1.-5", e{}, true},
		{"overage_cap_usd", "none", e{}, false},
		{"purchased_credits", "500", e{PurchasedCredits: 500}, false},
		{"purchased_credits", "+250", e{PurchasedCredits: 750}, false},
		{"purchased_credits", "-1", e{}, true},
		{"purchased_credits", "+9223372036854775807", e{}, true},
		{"purchased_credits", "0", e{}, false},
	} {
		before, err := w.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		out, err := w.SetEntitlement(t.Context(), operator, accounts.EntitlementRequest{Account: id, Name: c.name, Value: c.value})
		if c.isInvalid {
			wantError(t, err, toksta.CodeValidation, c.name)
			out.Account = before
			c.want = before.Entitlements
		} else if err != nil {
			t.Errorf("%s %q: %v", c.name, c.value, err)
		}
		stored, err := w.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if len(stored.Entitlements.Families) == 0 {
			stored.Entitlements.Families = nil
		}
		if diff := cmp.Diff(c.want, stored.Entitlements); diff != "" {
			t.Errorf("%s %q (-want +got)\n%s", c.name, c.value, diff)
		}
	}
}

// In another currency than the default one, the name of the cap states no dollars.
func TestCapNameByCurrency(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t).ID
	w.Catalog.Currency = "KWD"
	set := func(name string) error {
		_, err := w.SetEntitlement(t.Context(), operator, accounts.EntitlementRequest{Account: id, Name: name, Value: "12.500"})
		return err
	}
	if err := set("overage_cap"); err != nil {
		t.Error(err)
	}
	wantError(t, set("overage_cap_usd"), toksta.CodeValidation, "overage_cap")
}

// A repeated "+n" with the same token adds the credits once.
func TestAddCreditsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	req := accounts.EntitlementRequest{Account: w.create(t).ID, Name: "purchased_credits", Value: "+100", Token: "order-1"}
	if _, err := w.SetEntitlement(t.Context(), operator, req); err != nil {
		t.Fatal(err)
	}
	_, err := w.SetEntitlement(t.Context(), operator, req)
	wantError(t, err, toksta.CodeConflict, "before")
	if a, err := w.Get(t.Context(), req.Account); err != nil || a.Entitlements.PurchasedCredits != 100 {
		t.Errorf("%d credits, %v", a.Entitlements.PurchasedCredits, err)
	}
}

// Each change of the purchased credits has a credit entry. The total cannot be set
// below the used credits, because paid calls would become unpaid.
func TestPurchasedCreditsHaveEntries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t).ID
	set := func(value string) error {
		_, err := w.SetEntitlement(t.Context(), operator, accounts.EntitlementRequest{Account: id, Name: "purchased_credits", Value: value})
		return err
	}
	used := store.UsageTotal{UsageSlot: store.UsageSlot{AccountID: id}, Charge: toksta.Charge{Credits: 60, Purchased: 60}}
	if err := errors.Join(set("100"), w.store.Flush(t.Context(), store.UsageBatch{Epoch: "e", Totals: []store.UsageTotal{used}}), set("70")); err != nil {
		t.Fatal(err)
	}
	wantError(t, set("59"), toksta.CodeValidation, "Only 10 of the 70")
	entries, err := w.store.ListCreditEntries(t.Context(), store.EntryQuery{Account: id})
	if err != nil || len(entries) != 2 || entries[1].Delta.Purchased != 100 || entries[0].Delta.Purchased != -30 || entries[0].Actor != "ops" {
		t.Errorf("%v, %v", entries, err)
	}
}

// An amount is stored exactly, to the millionth.
func TestCapRoundTrip(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create(t).ID
	rapid.Check(t, func(r *rapid.T) {
		micros := rapid.Int64Range(1, 1e15).Draw(r, "micros")
		text := fmt.Sprintf("%d.%06d", micros/1e6, micros%1e6)
		out, err := w.SetEntitlement(t.Context(), operator, accounts.EntitlementRequest{Account: id, Name: "overage_cap_usd", Value: text})
		if err != nil || out.Account.Entitlements.OverageCapMicros != micros {
			r.Fatalf("%s became %d, %v", text, out.Account.Entitlements.OverageCapMicros, err)
		}
	})
}
