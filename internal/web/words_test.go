package web

import (
	"testing"
	"time"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// A vendor who names no billing page has no button that leads nowhere, whatever
// the banner is about.
func TestBannerWithoutBillingPage(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*toksta.Standing{
		"canceling": {Account: toksta.Account{Status: toksta.StatusCanceling}},
		"free":      {Blocked: toksta.ReasonPlanFree},
		"past due":  {Blocked: toksta.ReasonBillingPastDue},
	} {
		p := &Pages{}
		if b := p.banner(s); b == nil || b.Title == "" || b.Action != (view.Link{}) {
			t.Errorf("%s without an address: %+v", name, b)
		}
		p.Brand.BillingURL = "https://billing.example"
		if b := p.banner(s); b.Action.URL != p.Brand.BillingURL || b.Action.Text == "" {
			t.Errorf("%s with one: %+v", name, b)
		}
	}
	if b := (&Pages{}).banner(&toksta.Standing{Account: toksta.Account{Status: toksta.StatusActive}}); b != nil {
		t.Errorf("an account whose keys work has %+v", b)
	}
}

// A customer reads the plan's price of a credit before leaving for the vendor's
// shop, and no price where the plan sells none.
func TestCreditPrice(t *testing.T) {
	t.Parallel()
	balance := func(*toksta.Standing, time.Time) credits.Balance { return credits.Balance{} }
	p := &Pages{Config: Config{Usage: &usage.Reader{Balance: balance}, Brand: Brand{CreditsURL: "https://shop.example"}, Now: time.Now}}
	for micros, want := range map[int64]string{50_000: "Buy credits at $0.05", 0: "Buy credits"} {
		s := &toksta.Standing{Plan: toksta.Plan{CreditMicros: micros}}
		if got := p.credits(s, usage.Breakdown{}).Buy.Text; got != want {
			t.Errorf("at %d micro-dollars: %q, want %q", micros, got, want)
		}
	}
}
