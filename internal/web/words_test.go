package web

import (
	"testing"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/web/view"
)

// A vendor who names no billing page has no button that leads nowhere, whatever
// the banner is about.
func TestBannerWithoutBillingPage(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*toksta.Standing{
		"canceling": {Account: toksta.Account{Status: toksta.StatusCanceling}},
		"free":      {Refusal: toksta.ReasonPlanFree},
		"past due":  {Refusal: toksta.ReasonBillingPastDue},
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
