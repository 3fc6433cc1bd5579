package decision_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: an account gets the rate and the families of its plan and its own
// exceptions, never those of another account, and an unknown plan or status
// does not admit.
func TestStanding(t *testing.T) {
	t.Parallel()
	base := []toksta.Family{"data", "job", "account"}
	entitled := map[toksta.Family]bool{"workspace": true, "beta": true}
	for _, c := range []struct {
		name    string
		account toksta.Account
		want    toksta.Standing
	}{
		{"plan's own rate", toksta.Account{Plan: "API", Status: "active"}, toksta.Standing{Families: base, PerMinute: 30}},
		{"default rate", toksta.Account{Plan: "SAAS", Status: "active"}, toksta.Standing{Families: base, PerMinute: 60, Blocked: "api_access_disabled"}},
		{"own rate", toksta.Account{Plan: "API", Status: "active", Entitlements: toksta.Entitlements{PerMinute: 7}}, toksta.Standing{Families: base, PerMinute: 7}},
		{"plan's own limits", toksta.Account{Plan: "SLOW", Status: "active"}, toksta.Standing{Families: base, PerMinute: 60, PerHour: 100, PerDay: 200, Concurrent: 3}},
		{"own limits", toksta.Account{Plan: "SLOW", Status: "active", Entitlements: toksta.Entitlements{PerHour: 101, PerDay: 201, Concurrent: 4}}, toksta.Standing{Families: base, PerMinute: 60, PerHour: 101, PerDay: 201, Concurrent: 4}},
		{"entitled by plan and account", toksta.Account{Plan: "SAAS", Status: "active", Entitlements: toksta.Entitlements{APIAccess: flag(true), Families: entitled}}, toksta.Standing{Families: append(base[:3:3], "workspace"), PerMinute: 60}},
		{"plan does not offer the entitlement", toksta.Account{Plan: "API", Status: "active", Entitlements: toksta.Entitlements{Families: entitled}}, toksta.Standing{Families: base, PerMinute: 30}},
		{"access cannot open a free plan", toksta.Account{Plan: "FREE", Status: "active", Entitlements: toksta.Entitlements{APIAccess: flag(true)}}, toksta.Standing{Families: base, PerMinute: 60, Blocked: "plan_free"}},
		{"unknown plan", toksta.Account{Plan: "GONE", Status: "active", Entitlements: toksta.Entitlements{APIAccess: flag(true), Families: entitled}}, toksta.Standing{PerMinute: 60, Blocked: "plan_free"}},
		{"unknown status", toksta.Account{Plan: "API", Status: "odd"}, toksta.Standing{Families: base, PerMinute: 30, Blocked: "subscription_inactive"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			catalog := offer()
			got := *catalog.Standing(c.account)
			if diff := cmp.Diff(c.account, got.Account); diff != "" {
				t.Errorf("account (-want +got):\n%s", diff)
			}
			if got.Plan.ID != c.account.Plan {
				t.Errorf("plan %s, want %s", got.Plan.ID, c.account.Plan)
			}
			got.Account, got.Plan = toksta.Account{}, toksta.Plan{}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(offer(), catalog); diff != "" {
				t.Errorf("the catalogue was written (-want +got):\n%s", diff)
			}
		})
	}
}

// Guarantee: an account's entitlement never opens a family to another account
// of the same plan.
func TestStandingsShareNothing(t *testing.T) {
	t.Parallel()
	catalog := offer()
	catalog.Plans[3].Entitled = []toksta.Family{"workspace", "beta"}
	entitled := func(f toksta.Family) toksta.Account {
		return toksta.Account{Plan: "SAAS", Entitlements: toksta.Entitlements{Families: map[toksta.Family]bool{f: true}}}
	}
	first := catalog.Standing(entitled("workspace"))
	catalog.Standing(entitled("beta"))
	if diff := cmp.Diff([]toksta.Family{"data", "job", "account", "workspace"}, first.Families); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func date(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// Guarantee: credits reset on the anchor's day, and on the last day of a month
// that has no such day; no month is skipped and none has two cycles.
func TestCycle(t *testing.T) {
	t.Parallel()
	behind := time.FixedZone("", -7*3600)
	for _, c := range []struct {
		anchor, now, start, end time.Time
	}{
		{date(2025, 1, 15), date(2026, 5, 15), date(2026, 5, 15), date(2026, 6, 15)},
		{date(2025, 1, 15), date(2026, 5, 15).Add(-1), date(2026, 4, 15), date(2026, 5, 15)},
		{date(2025, 1, 31), date(2026, 2, 27), date(2026, 1, 31), date(2026, 2, 28)},
		{date(2025, 1, 31), date(2026, 2, 28), date(2026, 2, 28), date(2026, 3, 31)},
		{date(2025, 1, 31), date(2026, 3, 30), date(2026, 2, 28), date(2026, 3, 31)},
		{date(2025, 1, 31), date(2026, 4, 30), date(2026, 4, 30), date(2026, 5, 31)},
		{date(2025, 1, 30), date(2028, 2, 29), date(2028, 2, 29), date(2028, 3, 30)},
		{date(2025, 1, 29), date(2028, 2, 29), date(2028, 2, 29), date(2028, 3, 29)},
		{date(2024, 2, 29), date(2026, 3, 1), date(2026, 2, 28), date(2026, 3, 29)},
		{date(2024, 2, 29), date(2100, 2, 28), date(2100, 2, 28), date(2100, 3, 29)},
		{date(2025, 1, 31), date(2026, 12, 31), date(2026, 12, 31), date(2027, 1, 31)},
		{date(2025, 1, 31), date(2027, 1, 1), date(2026, 12, 31), date(2027, 1, 31)},
		{time.Time{}, date(2026, 5, 31), date(2026, 5, 1), date(2026, 6, 1)},
		{time.Date(2025, 1, 14, 20, 0, 0, 0, behind), time.Date(2026, 5, 14, 18, 0, 0, 0, behind), date(2026, 5, 15), date(2026, 6, 15)},
	} {
		start, end := toksta.Cycle(c.anchor, c.now)
		if !start.Equal(c.start) || !end.Equal(c.end) {
			t.Errorf("anchor %s at %s: [%s, %s), want [%s, %s)", c.anchor, c.now, start, end, c.start, c.end)
		}
	}
}

// Guarantee: every moment is in exactly one cycle, and cycles follow one
// another without a gap.
func TestCyclesFollowEachOther(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		anchor := time.Unix(rapid.Int64Range(0, 1<<32).Draw(t, "anchor"), 0)
		at := time.Unix(rapid.Int64Range(0, 1<<32).Draw(t, "now"), 0)
		start, end := toksta.Cycle(anchor, at)
		if at.Before(start) || !at.Before(end) || end.Sub(start) < 28*24*time.Hour || end.Sub(start) > 31*24*time.Hour {
			t.Fatalf("%s is not in [%s, %s)", at, start, end)
		}
		if next, _ := toksta.Cycle(anchor, end); !next.Equal(end) {
			t.Fatalf("the cycle after [%s, %s) starts at %s", start, end, next)
		}
		if same, last := toksta.Cycle(anchor, end.Add(-1)); !same.Equal(start) || !last.Equal(end) {
			t.Fatalf("the end of [%s, %s) is in [%s, %s)", start, end, same, last)
		}
	})
}
