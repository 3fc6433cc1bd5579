package toksta

import (
	"cmp"
	"slices"
	"time"
)

// Account is a customer of the vendor. It has members, keys, a plan and a
// billing state; rate limits and credits apply to it as a whole.
type Account struct {
	ID           AccountID
	Name         string
	Plan         PlanID
	Status       Status
	StatusSince  time.Time
	Cadence      string // "monthly" or "annual", only displayed: credits reset every month in both cases
	CycleAnchor  time.Time
	Entitlements Entitlements
	CreatedAt    time.Time
	// ClosedAt is when the account was closed: its keys are revoked, and no key can be
	// created. Zero: open.
	ClosedAt time.Time
	// ErasedAt is when the personal data of a closed account was removed. Zero: kept.
	ErasedAt time.Time

	// ExternalID is the account's id in the vendor's own systems, unique among
	// accounts; "": none. See ValidateExternalID.
	ExternalID string
	// Metadata are pairs that the vendor keeps with the account; see
	// ValidateMetadata. They have no meaning for a decision. The map is never
	// modified.
	Metadata map[string]string

	// Seq is the number of the last change of the account.
	Seq int64
}

// Entitlements are the exceptions of one account from its plan. A nil or zero
// value means that the plan applies.
type Entitlements struct {
	APIAccess        *bool           `json:"api_access_enabled,omitempty"`
	Families         map[Family]bool `json:"families,omitempty"` // families of Plan.Entitled that the account can call; "workspace_endpoints_enabled" sets "workspace"
	PerMinute        int             `json:"rate_limit_per_minute,omitempty"`
	PerHour          int             `json:"rate_limit_per_hour,omitempty"`
	PerDay           int             `json:"rate_limit_per_day,omitempty"`
	Concurrent       int             `json:"concurrent_calls,omitempty"`
	OverageCapMicros int64           `json:"overage_cap_micros,omitempty"` // largest overage per cycle; 0: no cap
	PurchasedCredits int64           `json:"purchased_credits,omitempty"`  // all credits ever bought, used ones included
}

// Standing is the rights of an account, computed once after each change of the
// account and not for each call. It is immutable.
type Standing struct {
	Account  Account
	Plan     Plan
	Blocked  Reason   // reason why no key of the account is admitted; "" if keys are admitted
	Families []Family // families that the plan and the entitlements include

	// The limits of all keys together, in calls. Every account has a PerMinute; of
	// the others, 0 stands for no limit.
	PerMinute, PerHour, PerDay int
	Concurrent                 int // calls at the same time, on each node
}

// Standing computes the rights of a. An account whose plan is not in the
// catalog is rejected like one on a free plan.
func (c *Catalog) Standing(a Account) *Standing {
	plan, known := c.Plan(a.Plan)
	if !known {
		plan = Plan{ID: a.Plan, Name: string(a.Plan), API: APINever}
	}
	own := a.Entitlements
	s := &Standing{
		Account: a, Plan: plan,
		PerMinute:  cmp.Or(max(own.PerMinute, 0), max(plan.PerMinute, 0), c.PerMinute),
		PerHour:    cmp.Or(max(own.PerHour, 0), max(plan.PerHour, 0), c.PerHour),
		PerDay:     cmp.Or(max(own.PerDay, 0), max(plan.PerDay, 0), c.PerDay),
		Concurrent: cmp.Or(max(own.Concurrent, 0), max(plan.Concurrent, 0), c.Concurrent),
	}
	// Clipped, so that append copies the slice and does not write to the plan.
	s.Families = slices.Clip(plan.Families)
	for _, f := range plan.Entitled {
		if a.Entitlements.Families[f] && !slices.Contains(s.Families, f) {
			s.Families = append(s.Families, f)
		}
	}
	s.Blocked = c.blocked(a, plan)
	return s
}

// blocked returns the reason why no key of a is admitted, "" if keys are
// admitted. It checks the plan, then the billing state, then the access to the
// API.
func (c *Catalog) blocked(a Account, plan Plan) Reason {
	if plan.API == APINever {
		return ReasonPlanFree
	}
	switch reason, known := c.Statuses[a.Status]; {
	case !known, !a.ClosedAt.IsZero():
		return ReasonSubscriptionInactive
	case reason != "":
		return reason
	}
	on := plan.API == APIAlways
	if a.Entitlements.APIAccess != nil {
		on = *a.Entitlements.APIAccess
	}
	if !on {
		return ReasonAPIAccessDisabled
	}
	return ""
}

// Cycle returns the billing cycle that contains now: from start, inclusive, to
// end, exclusive, both at midnight UTC. Cycles are monthly and begin on the
// anchor's day of the month, or on the last day of a month without that day. A
// zero anchor stands for the first day.
func Cycle(anchor, now time.Time) (start, end time.Time) {
	day := 1
	if !anchor.IsZero() {
		day = anchor.UTC().Day()
	}
	now = now.UTC()
	start = cycleStart(now.Year(), now.Month(), day)
	if now.Before(start) {
		return cycleStart(now.Year(), now.Month()-1, day), start
	}
	return start, cycleStart(now.Year(), now.Month()+1, day)
}

// cycleStart returns the start of the cycle that begins in the month: midnight
// at the beginning of the day or, in a shorter month, of the last day. Months
// below 1 and above 12 are months of the previous and the next year.
func cycleStart(year int, month time.Month, day int) time.Time {
	last := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC)
	return time.Date(last.Year(), last.Month(), min(day, last.Day()), 0, 0, 0, 0, time.UTC)
}
