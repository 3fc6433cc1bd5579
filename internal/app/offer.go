package app

import (
	"cmp"
	"context"
	"time"

	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// plansPath is the path of the page of plans.
const plansPath = "/account/plans"

// plansURL returns the address of the page of plans, "" if it is off.
func (a *App) plansURL() string {
	if a.config.Pages.Plans == config.PageOff {
		return ""
	}
	return a.config.PagesURL + plansPath
}

// unpaid returns the details of a rejection for lack of credits: the price of the
// call, the credits left without overage, when the plan grants new ones, and where
// to buy some.
func (a *App) unpaid(d *toksta.Decision, now time.Time) map[string]any {
	b := a.Usage.Balance(d.Standing, now)
	details := map[string]any{"required": d.Route.Credits, "remaining": b.Remaining()}
	if b.Included > 0 {
		details["resets_at"] = b.ResetsAt.UTC()
	}
	if url := cmp.Or(a.config.Branding.CreditsURL, a.plansURL(), a.config.Branding.BillingURL); url != "" {
		details["buy_url"] = url
	}
	return details
}

// exhausted returns the time at which the credits of an account were last used up,
// zero without such an event among the newest.
func (a *App) exhausted(ctx context.Context, account toksta.AccountID) (time.Time, error) {
	found, err := a.events.List(ctx, store.EventQuery{Account: account})
	for _, e := range found {
		if e.Kind == toksta.EventCreditsExhausted {
			return e.At, err
		}
	}
	return time.Time{}, err
}
