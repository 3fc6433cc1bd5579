package toksta

import (
	"slices"
	"time"
)

// Account is a customer: it owns keys, has members, a plan and a billing
// state, and is what rate limits and credits belong to.
type Account struct {
	ID           AccountID
	Name         string
	Plan         PlanID
	Status       Status
	StatusSince  time.Time
	Cadence      string // "monthly" or "annual", for people: credits reset monthly either way
	CycleAnchor  time.Time
	Entitlements Entitlements
	CreatedAt    time.Time

	// Seq is the number of the last change that touched the account.
	Seq int64
}

// Entitlements are an account's own exceptions from its plan. Nil and zero
// mean: as the plan has it.
type Entitlements struct {
	APIAccess        *bool           `json:"api_access_enabled,omitempty"`
	Families         map[Family]bool `json:"families,omitempty"` // of Plan.Entitled; workspace_endpoints_enabled is Families["workspace"]
	PerMinute        int             `json:"rate_limit_per_minute,omitempty"`
	OverageCapMicros int64           `json:"overage_cap_micros,omitempty"` // per cycle; 0: no cap
	PurchasedCredits int64           `json:"purchased_credits,omitempty"`  // ever bought; what is left is usage's to say
}

// Member is a person who can sign in for an account.
type Member struct {
	ID           MemberID
	AccountID    AccountID
	Email        string // as typed; unique when folded to lower case
	Name         string
	PasswordHash string `json:"-"` // argon2id PHC string; "" cannot sign in by password
	CreatedAt    time.Time
	DisabledAt   time.Time // zero: may sign in
}

// Standing is an account's rights, resolved against the catalogue once per
// change of the account instead of once per request. Immutable.
type Standing struct {
	Account   Account
	Plan      Plan
	Blocked   Reason   // why no key of the account is admitted; "" when they are
	Families  []Family // reachable with plan and entitlements
	PerMinute int
}

// Standing resolves a. An account whose plan is not in the catalogue is
// refused as on a free plan: nothing unknown admits.
func (c *Catalog) Standing(a Account) *Standing {
	plan, known := c.Plan(a.Plan)
	if !known {
		plan = Plan{ID: a.Plan, Name: string(a.Plan), API: APINever}
	}
	s := &Standing{Account: a, Plan: plan, PerMinute: plan.PerMinute}
	if a.Entitlements.PerMinute > 0 {
		s.PerMinute = a.Entitlements.PerMinute
	}
	if s.PerMinute <= 0 {
		s.PerMinute = c.PerMinute
	}
	// Clipped, so that appending copies and the plan stays as it is.
	s.Families = slices.Clip(plan.Families)
	for _, f := range plan.Entitled {
		if a.Entitlements.Families[f] && !slices.Contains(s.Families, f) {
			s.Families = append(s.Families, f)
		}
	}
	s.Blocked = c.blocked(a, plan)
	return s
}

// blocked orders the account's own reasons: plan, billing, API access.
func (c *Catalog) blocked(a Account, plan Plan) Reason {
	if plan.API == APINever {
		return ReasonPlanFree
	}
	switch reason, known := c.Statuses[a.Status]; {
	case !known:
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

// Cycle returns the billing cycle that holds now: from start, inclusive, to
// end, exclusive, both at midnight UTC. Cycles are monthly from the anchor's
// day of the month; in a month without that day the cycle starts on its last
// day (29–31 never skip a month). A zero anchor means the first.
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

func cycleStart(year int, month time.Month, day int) time.Time {
	last := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC)
	return time.Date(last.Year(), last.Month(), min(day, last.Day()), 0, 0, 0, 0, time.UTC)
}
