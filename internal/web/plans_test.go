package web

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a key whose calls all get 402 or 403 says so with the time and the cause,
// and a key that still works does not.
func TestKeysThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 28, 14, 2, 0, 0, time.UTC)
	balance := credits.Balance{}
	p := &Pages{Config: Config{
		Usage: &usage.Reader{
			Now:       func() time.Time { return now },
			Balance:   func(*toksta.Standing, time.Time) credits.Balance { return balance },
			Exhausted: func(context.Context, toksta.AccountID) (time.Time, error) { return now.Add(-230 * time.Minute), nil },
			Catalog: &toksta.Catalog{
				Routes: []toksta.Route{{Family: "data", Credits: 2}, {Family: "data", Credits: 5}, {Family: "job"}, {Family: "account"}},
			},
		},
	}}
	all := []toksta.Family{"data", "job", "account"}
	standing := func(status toksta.Status, blocked toksta.Reason) *toksta.Standing {
		return &toksta.Standing{Families: all, Blocked: blocked, Account: toksta.Account{Status: status, StatusSince: time.Date(2026, 6, 3, 0, 0, 0, 0, time.UTC)}}
	}
	for name, c := range map[string]struct {
		standing *toksta.Standing
		scopes   []toksta.Family
		left     int64
		overage  bool
		badge    string
		text     string
	}{
		"no credits":       {standing("active", ""), []toksta.Family{"data"}, 0, false, "402 since 10:12", "No credits are left"},
		"too few":          {standing("active", ""), []toksta.Family{"data"}, 1, false, "402 since 10:12", "Only 1 credit left"},
		"free calls go on": {standing("active", ""), nil, 0, false, "402 since 10:12", "No credits are left; free calls go on"},
		"only free calls":  {standing("active", ""), []toksta.Family{"job"}, 0, false, "Live", ""},
		"enough":           {standing("active", ""), nil, 2, false, "Live", ""},
		"overage":          {standing("active", ""), nil, 0, true, "Live", ""},
		"past due":         {standing("past_due", toksta.ReasonBillingPastDue), nil, 9, false, "403 since 3 Jun", "Billing is past due"},
		"switched off":     {standing("active", toksta.ReasonAPIAccessDisabled), nil, 9, false, "Blocked: 403", "API access is off"},
	} {
		balance = credits.Balance{Purchased: c.left}
		if c.overage {
			c.standing.Plan.OverageMicros = 1
		}
		key := toksta.Key{Limits: toksta.Limits{Scopes: c.scopes}, Generations: []toksta.Generation{{Number: 1}}}
		badge, text := p.condition(c.standing, key, p.shortageOf(t.Context(), c.standing), now)
		if badge.Text != c.badge || text != c.text {
			t.Errorf("%s: %q, %q; want %q, %q", name, badge.Text, text, c.badge, c.text)
		}
	}
}

// Guarantee: the page of plans states each price in the vendor's currency, marks the
// account's plan, and leads on from every other plan.
func TestPlan(t *testing.T) {
	t.Parallel()
	p := &Pages{money: view.MoneyIn("EUR"), Config: Config{Catalog: &toksta.Catalog{PerMinute: 60, PerDay: 1000, Families: []toksta.FamilyInfo{{Name: "data", Description: "Forecasts"}}}}}
	plan := toksta.Plan{ID: "PRO", Name: "Pro", API: toksta.APIAlways, FeeMicros: 29_000_000, IncludedCredits: 1000, OverageMicros: 25_000, Families: []toksta.Family{"data"}, URL: "https://shop.example"}
	want := view.Plan{
		Name: "Pro", Price: "€29", Per: "a month", Families: []view.Family{{Name: "data", Description: "Forecasts"}},
		Facts: []view.Fact{
			{Label: "Included credits", Value: "1,000 a month"},
			{Label: "Beyond them", Value: "€0.025 a credit"},
			{Label: "Calls a minute", Value: "60"},
			{Label: "Calls a day", Value: "1,000"},
		},
		Choose: view.Link{Text: "Choose plan", URL: "https://shop.example", Outside: true},
	}
	if diff := cmp.Diff(want, p.plan(plan, "FREE")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if own := p.plan(plan, "PRO"); !own.Current || own.Choose != (view.Link{}) {
		t.Errorf("the own plan: %+v", own)
	}
	for name, c := range map[string]struct {
		plan toksta.Plan
		want [2]string
	}{
		"free":           {toksta.Plan{FeeStated: true}, [2]string{"Free", ""}},
		"not stated":     {toksta.Plan{}, [2]string{"", ""}},
		"pay as you go":  {toksta.Plan{FeeStated: true, CreditMicros: 50_000}, [2]string{"€0.05", "a credit"}},
		"with a minimum": {toksta.Plan{FeeMicros: 5_500_000, CreditMicros: 50_000}, [2]string{"€5.50", "a month"}},
	} {
		if price, per := p.price(c.plan); [2]string{price, per} != c.want {
			t.Errorf("%s: %q %q, want %q", name, price, per, c.want)
		}
	}
}

// Guarantee: a vendor decides whether strangers see the plans. Hidden plans are shown
// only to their own accounts.
func TestPlansPage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		page             PlansPage
		member, stranger int
	}{
		{PlansPage{}, http.StatusNotFound, http.StatusNotFound},
		{PlansPage{Shown: true}, http.StatusOK, http.StatusSeeOther},
		{PlansPage{Shown: true, Public: true}, http.StatusOK, http.StatusOK},
	} {
		w := newWorldWith(t, func(config *Config) { config.Plans = c.page })
		w.Catalog.Plans = append(w.Catalog.Plans, toksta.Plan{ID: "OLD", Name: "Legacy", Hidden: true})
		w.browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		member := w.get(t, plansPath)
		w.signOut(t)
		stranger := w.get(t, plansPath)
		if member.StatusCode != c.member || stranger.StatusCode != c.stranger {
			t.Errorf("%+v: %d for a member, %d for a stranger", c.page, member.StatusCode, stranger.StatusCode)
		}
		if c.member == http.StatusOK && (!strings.Contains(member.body, "Your plan") || strings.Contains(member.body, "Legacy")) {
			t.Errorf("%+v: %s", c.page, member.body)
		}
		if c.stranger == http.StatusOK && (strings.Contains(stranger.body, "Your plan") || strings.Contains(stranger.body, "Acme")) {
			t.Errorf("a stranger sees the account: %s", stranger.body)
		}
	}
}
