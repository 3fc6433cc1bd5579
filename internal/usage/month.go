package usage

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Report is an account's month, as GET /v1/account/usage answers it.
type Report struct {
	Period     string `json:"period"`
	TotalCalls int64  `json:"total_calls"` // admitted ones
	// Credits and money are what was charged, whatever a plan costs today.
	TotalCredits int64                   `json:"total_credits_charged"`
	TotalOverage Dollars                 `json:"total_overage_usd"`
	PlanSource   string                  `json:"plan_source"`
	Plan         toksta.PlanID           `json:"subscription_plan"`
	Status       toksta.Status           `json:"subscription_status"`
	Operations   map[string]Operation    `json:"operations"` // by cost key; free ones are left out
	Entitlements Entitlements            `json:"entitlements"`
	Credits      Credits                 `json:"credits"`
	Keys         []Key                   `json:"keys"`
	Refused      map[toksta.Reason]int64 `json:"refused"`
}

// Operation is what one cost key came to. Calls that were admitted and then
// failed upstream are in Calls and cost nothing.
type Operation struct {
	Calls   int64   `json:"calls"`
	Credits int64   `json:"credits_charged"`
	Overage Dollars `json:"overage_amount_usd"`
}

// Entitlements are the account's rights now, whichever month is reported: plan
// and exceptions, apart from whether billing lets any key in.
type Entitlements struct {
	APIAccess       bool    `json:"api_access_enabled"`
	Workspace       bool    `json:"workspace_endpoints_enabled"`
	PerMinute       int     `json:"rate_limit_per_minute"`
	IncludedCredits int64   `json:"included_credits"`
	Overage         Dollars `json:"overage_usd_per_credit"`
}

// Credits are the account's balance now, whichever month is reported.
type Credits struct {
	Included     int64     `json:"included"`
	IncludedUsed int64     `json:"included_used"`
	Purchased    int64     `json:"purchased_credits"` // left
	Remaining    int64     `json:"remaining"`
	ResetsAt     time.Time `json:"resets_at"`
}

// Key is what one key came to: every live key, and each other key that was
// sent in the month.
type Key struct {
	ID       toksta.KeyID `json:"id"`
	Name     string       `json:"name"`
	Calls    int64        `json:"calls"` // admitted ones
	Credits  int64        `json:"credits"`
	LastUsed *time.Time   `json:"last_used_at"` // null: never
}

// Month reports an account's month, "YYYY-MM"; "" is the current one, UTC. A
// month that is malformed, in the future or no longer kept is a VALIDATION_ERROR.
func (r *Reader) Month(ctx context.Context, account toksta.AccountID, month string) (Report, error) {
	l, err := r.load(ctx, account, "", month)
	if err != nil {
		return Report{}, err
	}
	keys, err := r.keys(ctx, account)
	if err != nil {
		return Report{}, err
	}
	uses, err := r.Store.LastUses(ctx, account)
	if err != nil {
		return Report{}, fmt.Errorf("read last uses: %w", err)
	}
	report := r.report(l)
	report.Keys = l.perKey(keys, uses)
	return report, nil
}

// report puts the month's sums beside the account's rights and balance of now.
func (r *Reader) report(l *ledger) Report {
	s := l.standing
	total := l.total()
	b := r.Balance(s, l.now)
	return Report{
		Period:     l.period.String(),
		TotalCalls: total.Admitted, TotalCredits: total.Credits, TotalOverage: total.Overage,
		PlanSource: s.Plan.Source, Plan: s.Account.Plan, Status: s.Account.Status,
		Operations: l.operations(r.billable()),
		Entitlements: Entitlements{
			APIAccess: apiAccess(s), Workspace: slices.Contains(s.Families, "workspace"), PerMinute: s.PerMinute,
			IncludedCredits: s.Plan.IncludedCredits, Overage: Dollars(s.Plan.OverageMicros),
		},
		Credits: Credits{
			Included: b.Included, IncludedUsed: b.IncludedUsed, Purchased: b.Purchased,
			Remaining: b.Remaining(), ResetsAt: b.ResetsAt.UTC(),
		},
		Refused: total.Reasons,
	}
}

// apiAccess is whether plan and entitlement open the API, whatever billing
// says. The account's own switch counts for nothing on a plan without the API,
// and a plan that the catalogue does not know has none.
func apiAccess(s *toksta.Standing) bool {
	switch on := s.Account.Entitlements.APIAccess; {
	case s.Plan.API == toksta.APINever || s.Plan.API == "":
		return false
	case on != nil:
		return *on
	default:
		return s.Plan.API == toksta.APIAlways
	}
}

// billable is the set of cost keys that cost credits by today's catalogue. A
// route without one is counted under its operation.
func (r *Reader) billable() map[string]bool {
	out := map[string]bool{}
	for _, route := range r.Catalog.Routes {
		if route.Credits > 0 {
			out[cmp.Or(route.CostKey, route.Operation)] = true
		}
	}
	return out
}

// operations sums admitted calls by cost key: those that cost credits by the
// catalogue, and whatever was charged for in the month, since a cost may be the
// upstream's to say, or may have changed. It adds to the set it is given.
func (l *ledger) operations(billable map[string]bool) map[string]Operation {
	for _, row := range l.rows {
		if row.Charge.Credits > 0 {
			billable[row.CostKey] = true
		}
	}
	out := map[string]Operation{}
	for _, row := range l.rows {
		if row.Reason != "" || !billable[row.CostKey] {
			continue
		}
		o := out[row.CostKey]
		o.Calls += row.Calls
		o.Credits += row.Charge.Credits
		o.Overage += Dollars(row.Charge.OverageMicros)
		out[row.CostKey] = o
	}
	return out
}

// perKey lists keys in the order they were made. One that was only refused in
// the month is there too: its owner sees that somebody still sends it.
func (l *ledger) perKey(keys []toksta.Key, uses map[toksta.KeyID]store.LastUse) []Key {
	sums := map[toksta.KeyID]*Key{}
	for _, row := range l.rows {
		k := sums[row.KeyID]
		if k == nil {
			k = &Key{}
			sums[row.KeyID] = k
		}
		if row.Reason == "" {
			k.Calls += row.Calls
		}
		k.Credits += row.Charge.Credits
	}
	out := []Key{}
	for _, key := range keys {
		sum := sums[key.ID]
		if sum == nil {
			if key.State(l.now) != toksta.KeyLive {
				continue
			}
			sum = &Key{}
		}
		sum.ID, sum.Name = key.ID, key.Name
		if use, found := uses[key.ID]; found {
			at := use.At.UTC()
			sum.LastUsed = &at
		}
		out = append(out, *sum)
	}
	return out
}
