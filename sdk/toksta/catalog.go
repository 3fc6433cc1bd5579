package toksta

import (
	"slices"
	"strings"
	"time"
)

// Family is a group of endpoints that a plan includes and that a key can be
// limited to: "data", "job", "account" and "workspace" in the shipped
// configuration.
type Family string

// FamilyAccount is the family of the routes that Toksta serves itself.
const FamilyAccount Family = "account"

// FamilyInfo describes a family to people.
type FamilyInfo struct {
	Name        Family
	Description string
}

// Route is one operation of the vendor's API.
type Route struct {
	Method    string // "*" stands for every method
	Pattern   string // "/v1/creators/{id}"; a last segment "*" matches the rest of the path
	Operation string // "getCreator"
	Family    Family
	CostKey   string // groups calls in usage reports; "" stands for Operation
	Credits   int64  // price of an admitted call to which the upstream responds below 400
	Weight    int    // number of calls as which a call counts in the rate windows; below 1: 1
	Upstream  string // name of the configured upstream; "" for FamilyAccount

	// Public routes need no key. They have no family and no price.
	Public bool
	// StripPrefix is removed from the path for the upstream. Rewrite replaces the path, with the
	// parameters of Pattern. At most one of the two is set.
	StripPrefix, Rewrite string
	MaxBody              int64         // bytes of a request's body; 0: the limit of the server
	Timeout              time.Duration // without progress, until the response's header; 0: that of the upstream

	// NotEntitled is the reason with which a call is rejected if the account's
	// plan does not include Family. It is the result of [NotEntitled], stored so
	// that a call allocates no memory. If it is "", Authorize computes it for each
	// call.
	NotEntitled Reason
}

func (r *Route) notEntitled() Reason {
	if r.NotEntitled != "" {
		return r.NotEntitled
	}
	return NotEntitled(r.Family)
}

// PlanID is the name of a plan for programs: "API_BUILD".
type PlanID string

// APIAccess states which accounts of a plan may use the API.
type APIAccess string

// The values of APIAccess.
const (
	APIAlways   APIAccess = "always"   // all accounts, unless api_access_enabled is false for the account
	APIEntitled APIAccess = "entitled" // accounts whose entitlement api_access_enabled is true
	APINever    APIAccess = "never"    // no account: a free plan
)

// Plan is an offer that an account can subscribe to. Amounts are in millionths of the unit of Catalog.Currency.
type Plan struct {
	ID              PlanID
	Name            string // for people: "API Build"
	Source          string // name of the kind of plan in usage reports: "dedicated_api"
	API             APIAccess
	Families        []Family // included in the plan
	Entitled        []Family // families that an account can call only with an entitlement for them
	FeeMicros       int64    // per month; only displayed
	FeeStated       bool     // the vendor states the fee, also one of 0
	URL             string   // where people buy the plan or ask for it; only displayed
	Hidden          bool     // from the page of plans
	IncludedCredits int64    // per billing cycle
	OverageMicros   int64    // per credit beyond included and purchased ones; 0: reject with 402 instead
	CreditMicros    int64    // price of a purchased credit, only displayed; 0: not for sale

	// The limits of an account, in calls; 0: those of the Catalog.
	PerMinute, PerHour, PerDay int
	Concurrent                 int // calls at the same time, on each node
}

// Status is the state of a subscription, as the billing system reports it.
type Status string

// The statuses of the shipped configuration.
const (
	StatusActive    Status = "active"
	StatusTrialing  Status = "trialing"
	StatusCanceling Status = "canceling"
	StatusPastDue   Status = "past_due"
	StatusCanceled  Status = "canceled"
)

// Catalog is the vendor's offer, as configured. It is immutable and shared by all
// goroutines; its slices and its map are never written.
type Catalog struct {
	Currency Currency // of all amounts
	Shape    KeyShape
	Families []FamilyInfo
	Plans    []Plan
	Routes   []Route
	Statuses map[Status]Reason // why calls are rejected, "": admitted; a missing status has ReasonSubscriptionInactive
	FreePlan PlanID            // plan of a new account
	MaxKeys  int               // largest number of live keys of an account

	// The limits of plans and accounts without their own, in calls. PerMinute is
	// above 0; of the others, 0 stands for no limit.
	PerMinute, PerHour, PerDay int
	Concurrent                 int // calls at the same time, on each node
}

// Plan returns the plan with the id, and whether it exists.
func (c *Catalog) Plan(id PlanID) (Plan, bool) {
	i := slices.IndexFunc(c.Plans, func(p Plan) bool { return p.ID == id })
	if i < 0 {
		return Plan{}, false
	}
	return c.Plans[i], true
}

// EntitledFamilies returns the families that some plan has only with an
// entitlement, each once, in the order of Plans.
func (c *Catalog) EntitledFamilies() (out []Family) {
	for _, p := range c.Plans {
		for _, f := range p.Entitled {
			if !slices.Contains(out, f) {
				out = append(out, f)
			}
		}
	}
	return out
}

// FamilyEntitlement returns the name of the entitlement to the family f, for
// example "workspace_endpoints_enabled".
func FamilyEntitlement(f Family) string { return string(f) + familyEntitlementSuffix }

const familyEntitlementSuffix = "_endpoints_enabled"

// EntitledFamily returns the family of an entitlement's name; it is the inverse of
// [FamilyEntitlement].
func EntitledFamily(name string) Family {
	return Family(strings.TrimSuffix(name, familyEntitlementSuffix))
}

// HasFamily reports whether the family f is configured.
func (c *Catalog) HasFamily(f Family) bool {
	return slices.ContainsFunc(c.Families, func(i FamilyInfo) bool { return i.Name == f })
}
