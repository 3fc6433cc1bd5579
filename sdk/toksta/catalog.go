package toksta

import "slices"

// Family is a group of endpoints that a plan allows and a key is scoped to:
// "data", "job", "account", "workspace" in the shipped configuration.
type Family string

// FamilyAccount is the one family that this system answers itself.
const FamilyAccount Family = "account"

// FamilyInfo describes a family to people.
type FamilyInfo struct {
	Name        Family
	Description string
}

// Route is one operation of the vendor's API.
type Route struct {
	Method    string
	Pattern   string // "/v1/creators/{id}"; a last segment "*" takes the rest
	Operation string // "getCreator"
	Family    Family
	CostKey   string // what usage groups calls by; "" takes Operation
	Credits   int64  // fixed cost of an admitted call that the upstream answered below 400
	Upstream  string // name of the configured upstream; "" for FamilyAccount
}

// PlanID is a plan's machine name: "API_BUILD".
type PlanID string

// APIAccess says how a plan opens the API.
type APIAccess string

// The ways a plan opens the API.
const (
	APIAlways   APIAccess = "always"   // part of the plan; an account may switch it off
	APIEntitled APIAccess = "entitled" // only with the account's entitlement api_access_enabled
	APINever    APIAccess = "never"    // a free plan
)

// Plan is what an account can subscribe to. Money is in micro-dollars.
type Plan struct {
	ID              PlanID
	Name            string // for people: "API Build"
	Source          string // "dedicated_api" or "saas"
	API             APIAccess
	Families        []Family // reachable with the plan
	Entitled        []Family // reachable only with the account's own entitlement for the family
	FeeMicros       int64    // per month
	IncludedCredits int64    // per billing cycle
	OverageMicros   int64    // per credit beyond included and purchased; 0: refuse with 402 instead
	CreditMicros    int64    // price of a purchased credit, for people; 0: none on sale
	PerMinute       int      // calls; 0: the catalogue's default
}

// Status is a subscription's state as billing reports it.
type Status string

// The statuses of the shipped configuration.
const (
	StatusActive    Status = "active"
	StatusTrialing  Status = "trialing"
	StatusCanceling Status = "canceling"
	StatusPastDue   Status = "past_due"
	StatusCanceled  Status = "canceled"
)

// Catalog is the vendor's offer as configured: immutable once built, shared
// by every package. Slices in it are never written.
type Catalog struct {
	Shape     KeyShape
	Families  []FamilyInfo
	Plans     []Plan
	Routes    []Route
	Statuses  map[Status]Reason // "" admits; a status not listed is refused as ReasonSubscriptionInactive
	FreePlan  PlanID            // the plan of a new account
	PerMinute int               // rate limit of plans and accounts that state none
	MaxKeys   int               // live keys of one account
}

// Plan returns the plan with that id.
func (c *Catalog) Plan(id PlanID) (Plan, bool) {
	i := slices.IndexFunc(c.Plans, func(p Plan) bool { return p.ID == id })
	if i < 0 {
		return Plan{}, false
	}
	return c.Plans[i], true
}

// HasFamily reports whether f is configured.
func (c *Catalog) HasFamily(f Family) bool {
	return slices.ContainsFunc(c.Families, func(i FamilyInfo) bool { return i.Name == f })
}
