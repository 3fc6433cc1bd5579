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

// Report is the usage of an account in a month, the response of GET /v1/account/usage.
type Report struct {
	Period     string `json:"period"`
	TotalCalls int64  `json:"total_calls"` // admitted calls
	// Credits and money are the charged amounts, not computed from current prices.
	TotalCredits int64                   `json:"total_credits_charged"`
	TotalOverage toksta.Dollars          `json:"total_overage_usd"`
	PlanSource   string                  `json:"plan_source"`
	Plan         toksta.PlanID           `json:"subscription_plan"`
	Status       toksta.Status           `json:"subscription_status"`
	Operations   map[string]Operation    `json:"operations"` // by cost key, without free ones
	Entitlements Entitlements            `json:"entitlements"`
	Credits      Credits                 `json:"credits"`
	Keys         []Key                   `json:"keys"`
	Refused      map[toksta.Reason]int64 `json:"refused"`
}

// Operation is the usage of one cost key. Calls includes admitted calls that failed upstream, which
// cost nothing.
type Operation struct {
	Calls   int64          `json:"calls"`
	Credits int64          `json:"credits_charged"`
	Overage toksta.Dollars `json:"overage_amount_usd"`
}

// Entitlements are the account's rights now, not in the reported month: its plan and exceptions,
// regardless of its billing state.
type Entitlements struct {
	APIAccess       bool           `json:"api_access_enabled"`
	Workspace       bool           `json:"workspace_endpoints_enabled"`
	PerMinute       int            `json:"rate_limit_per_minute"`
	PerHour         int            `json:"rate_limit_per_hour,omitempty"` // 0: no limit, as below
	PerDay          int            `json:"rate_limit_per_day,omitempty"`
	Concurrent      int            `json:"concurrent_calls,omitempty"`
	IncludedCredits int64          `json:"included_credits"`
	Overage         toksta.Dollars `json:"overage_usd_per_credit"`
}

// Credits is the account's balance now, not in the reported month.
type Credits struct {
	Included     int64     `json:"included"`
	IncludedUsed int64     `json:"included_used"`
	Purchased    int64     `json:"purchased_credits"` // left
	Remaining    int64     `json:"remaining"`
	ResetsAt     time.Time `json:"resets_at"`
}

// Key is the usage of one key. A report has every live key, and each other key with calls in the
// month.
type Key struct {
	ID       toksta.KeyID `json:"id"`
	Name     string       `json:"name"`
	Calls    int64        `json:"calls"` // admitted calls
	Credits  int64        `json:"credits"`
	LastUsed *time.Time   `json:"last_used_at"` // null: never
}

// Month reports the usage of an account in a month, "YYYY-MM"; "" is the current month, UTC. The
// error has the code VALIDATION_ERROR if the month is malformed, in the future or no longer kept.
func (r *Reader) Month(ctx context.Context, account toksta.AccountID, month string) (Report, error) {
	u, err := r.loadMonth(ctx, account, "", month)
	if err != nil {
		return Report{}, err
	}
	keys, err := r.readKeys(ctx, account, u.rows)
	if err != nil {
		return Report{}, err
	}
	uses, err := r.Store.LastUses(ctx, account)
	if err != nil {
		return Report{}, fmt.Errorf("read last uses: %w", err)
	}
	report := r.report(u)
	report.Keys = u.sumByKey(keys, uses)
	return report, nil
}

// report combines the sums of the month with the account's current rights and balance.
func (r *Reader) report(u *accountUsage) Report {
	s := u.standing
	total := u.total()
	b := r.Balance(s, u.now)
	return Report{
		Period:     u.period.String(),
		TotalCalls: total.Admitted, TotalCredits: total.Credits, TotalOverage: total.Overage,
		PlanSource: s.Plan.Source, Plan: s.Account.Plan, Status: s.Account.Status,
		Operations: u.operations(r.billableCostKeys()),
		Entitlements: Entitlements{
			APIAccess: hasAPIAccess(s), Workspace: slices.Contains(s.Families, "workspace"),
			PerMinute: s.PerMinute, PerHour: s.PerHour, PerDay: s.PerDay, Concurrent: s.Concurrent,
			IncludedCredits: s.Plan.IncludedCredits, Overage: toksta.Dollars(s.Plan.OverageMicros),
		},
		Credits: Credits{
			Included: b.Included, IncludedUsed: b.IncludedUsed, Purchased: b.Purchased,
			Remaining: b.Remaining(), ResetsAt: b.ResetsAt.UTC(),
		},
		Refused: total.Reasons,
	}
}

// hasAPIAccess reports whether the plan and the entitlement allow the API, regardless of the
// billing state. The entitlement has no effect on a plan without the API or on an unknown plan.
func hasAPIAccess(s *toksta.Standing) bool {
	switch on := s.Account.Entitlements.APIAccess; {
	case s.Plan.API == toksta.APINever || s.Plan.API == "":
		return false
	case on != nil:
		return *on
	default:
		return s.Plan.API == toksta.APIAlways
	}
}

// billableCostKeys returns the cost keys that cost credits in the current catalogue. The cost key
// of a route without one is its operation.
func (r *Reader) billableCostKeys() map[string]bool {
	out := map[string]bool{}
	for _, route := range r.Catalog.Routes {
		if route.Credits > 0 {
			out[cmp.Or(route.CostKey, route.Operation)] = true
		}
	}
	return out
}

// operations sums admitted calls by cost key. It includes the billable cost keys, and those with
// charges in the month, because prices can be set by the upstream or can have changed. It modifies
// billable.
func (u *accountUsage) operations(billable map[string]bool) map[string]Operation {
	for _, row := range u.rows {
		if row.Charge.Credits > 0 {
			billable[row.CostKey] = true
		}
	}
	out := map[string]Operation{}
	for _, row := range u.rows {
		if row.Reason != "" || !billable[row.CostKey] {
			continue
		}
		o := out[row.CostKey]
		o.Calls += row.Calls
		o.Credits += row.Charge.Credits
		o.Overage += toksta.Dollars(row.Charge.OverageMicros)
		out[row.CostKey] = o
	}
	return out
}

// sumByKey returns the usage of keys in the order of their creation. It includes keys with rejected
// calls only, so that the owner sees that a revoked key is still in use.
func (u *accountUsage) sumByKey(keys []toksta.Key, uses map[toksta.KeyID]store.LastUse) []Key {
	sums := map[toksta.KeyID]*Key{}
	for _, row := range u.rows {
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
			if key.State(u.now) != toksta.KeyLive {
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
