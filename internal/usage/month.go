package usage

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Report is the usage of an account in a month, the response of GET /v1/account/usage.
type Report struct {
	Period     string
	TotalCalls int64 // admitted calls
	// Credits and money are the charged amounts, not computed from current prices.
	TotalCredits int64
	TotalOverage toksta.Amount
	Currency     toksta.Currency
	PlanSource   string
	Plan         toksta.PlanID
	Status       toksta.Status
	Operations   map[string]Operation // by cost key, without free ones
	Entitlements Entitlements
	Credits      Credits
	Keys         []Key
	Refused      map[toksta.Reason]int64
}

// MarshalJSON encodes the document. In the default currency the names of its amounts state the
// currency, in any other one the member currency does.
func (r Report) MarshalJSON() ([]byte, error) {
	members := []member{{"period", r.Period}, {"total_calls", r.TotalCalls}, {"total_credits_charged", r.TotalCredits}}
	if r.Currency.IsDefault() {
		members = append(members, member{"total_overage_usd", r.TotalOverage})
	} else {
		members = append(members, member{"total_overage", r.TotalOverage}, member{"currency", r.Currency})
	}
	return encodeObject(append(members,
		member{"plan_source", r.PlanSource}, member{"subscription_plan", r.Plan}, member{"subscription_status", r.Status},
		member{"operations", r.Operations}, member{"entitlements", r.Entitlements}, member{"credits", r.Credits},
		member{"keys", r.Keys}, member{"refused", r.Refused},
	))
}

// Operation is the usage of one cost key. Calls includes admitted calls that failed upstream, which
// cost nothing.
type Operation struct {
	Calls   int64
	Credits int64
	Overage toksta.Amount
	// Currency decides the name of Overage in the document.
	Currency toksta.Currency
}

// Entitlements are the account's rights now, not in the reported month: its plan and exceptions,
// regardless of its billing state.
type Entitlements struct {
	APIAccess       bool
	Families        []FamilyAccess // families that a plan has only with an entitlement
	PerMinute       int
	PerHour         int // 0: no limit, as below
	PerDay          int
	Concurrent      int
	IncludedCredits int64
	Overage         toksta.Amount // per credit
	Currency        toksta.Currency
}

// FamilyAccess states whether the account's keys may call an endpoint family.
type FamilyAccess struct {
	Family  toksta.Family
	Enabled bool
}

// MarshalJSON encodes the rights, with a member such as "workspace_endpoints_enabled" for each
// family, and without limits that do not exist.
func (e Entitlements) MarshalJSON() ([]byte, error) {
	members := []member{{"api_access_enabled", e.APIAccess}}
	for _, f := range e.Families {
		members = append(members, member{toksta.FamilyEntitlement(f.Family), f.Enabled})
	}
	members = append(members, member{"rate_limit_per_minute", e.PerMinute})
	for _, limit := range []struct {
		name  string
		calls int
	}{{"rate_limit_per_hour", e.PerHour}, {"rate_limit_per_day", e.PerDay}, {"concurrent_calls", e.Concurrent}} {
		if limit.calls != 0 {
			members = append(members, member{limit.name, limit.calls})
		}
	}
	overage := "overage_usd_per_credit"
	if !e.Currency.IsDefault() {
		overage = "overage_per_credit"
	}
	return encodeObject(append(members, member{"included_credits", e.IncludedCredits}, member{overage, e.Overage}))
}

// MarshalJSON encodes the usage of a cost key.
func (o Operation) MarshalJSON() ([]byte, error) {
	overage := "overage_amount_usd"
	if !o.Currency.IsDefault() {
		overage = "overage_amount"
	}
	return encodeObject([]member{{"calls", o.Calls}, {"credits_charged", o.Credits}, {overage, o.Overage}})
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
	report := r.report(u)
	report.Keys = u.sumByKey(keys)
	return report, nil
}

// report combines the sums of the month with the account's current rights and balance.
func (r *Reader) report(u *accountUsage) Report {
	s := u.standing
	total := u.total()
	b := r.Balance(s, u.now)
	currency := r.Catalog.Currency
	return Report{
		Period:     u.period.String(),
		TotalCalls: total.Admitted, TotalCredits: total.Credits, TotalOverage: total.Overage, Currency: currency,
		PlanSource: s.Plan.Source, Plan: s.Account.Plan, Status: s.Account.Status,
		Operations: u.operations(r.billableCostKeys(), currency),
		Entitlements: Entitlements{
			APIAccess: hasAPIAccess(s), Families: r.familyAccess(s),
			PerMinute: s.PerMinute, PerHour: s.PerHour, PerDay: s.PerDay, Concurrent: s.Concurrent,
			IncludedCredits: s.Plan.IncludedCredits, Overage: toksta.Amount(s.Plan.OverageMicros), Currency: currency,
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

// familyAccess returns the access to each family that a plan has only with an entitlement.
func (r *Reader) familyAccess(s *toksta.Standing) (out []FamilyAccess) {
	for _, f := range r.Catalog.EntitledFamilies() {
		out = append(out, FamilyAccess{f, slices.Contains(s.Families, f)})
	}
	return out
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
func (u *accountUsage) operations(billable map[string]bool, c toksta.Currency) map[string]Operation {
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
		o.Currency = c
		o.Calls += row.Calls
		o.Credits += row.Charge.Credits
		o.Overage += toksta.Amount(row.Charge.OverageMicros)
		out[row.CostKey] = o
	}
	return out
}

// sumByKey returns the usage of keys in the order of their creation. It includes keys with rejected
// calls only, so that the owner sees that a revoked key is still in use.
func (u *accountUsage) sumByKey(keys []store.KeyUse) []Key {
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
		if at := key.LastUse.UTC(); !key.LastUse.IsZero() {
			sum.LastUsed = &at
		}
		out = append(out, *sum)
	}
	return out
}
