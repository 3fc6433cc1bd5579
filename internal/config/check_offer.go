package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// isName reports whether s is a valid name of a family, status, reason, cost key
// or upstream.
func isName(s string) bool { return namePattern.MatchString(s) }

// checkStatuses requires named statuses: an unknown status must not admit calls.
func (c *checker) checkStatuses() {
	c.require(len(c.cfg.Statuses) > 0, "statuses", "No status is listed, so no subscription admits calls.", "list at least "+string(toksta.StatusActive)+": admit")
	admits := false
	for status, reason := range c.cfg.Statuses {
		path := "statuses." + string(status)
		admits = admits || reason == Admit
		c.require(isName(string(status)), path, "The name of the status is malformed. A wildcard would admit unknown statuses.", "list each status that billing reports; others are rejected")
		c.require(isName(string(reason)), path, "The value is neither admit nor the reason of a rejection.", "write admit, or a reason such as billing_past_due")
	}
	c.require(admits || len(c.cfg.Statuses) == 0, "statuses", "No status admits: every call would be rejected.", "write active: admit")
}

// checkFamilies checks the names that plans, routes and scopes refer to.
func (c *checker) checkFamilies() {
	c.require(len(c.cfg.Families) > 0, "families", "There are no endpoint families.", "list at least account")
	seen := map[toksta.Family]bool{}
	for i, f := range c.cfg.Families {
		path := fmt.Sprintf("families[%d]", i)
		c.require(isName(string(f.Name)), path+".name", "The name is empty or malformed.", "write lower-case letters, digits and _, such as data")
		c.require(!seen[f.Name], path+".name", "This family is listed twice.", "remove one of the two")
		seen[f.Name] = true
	}
	c.require(seen[toksta.FamilyAccount] || len(c.cfg.Families) == 0, "families", `The family "account" is missing; the route of usage belongs to it.`, "add {name: account}")
}

// maxIncluded bounds the included credits so that a product with a price or a
// percentage does not overflow.
const maxIncluded = 1_000_000_000_000

// checkPlans checks every plan. How a plan admits to the API must be stated: there
// is no default.
func (c *checker) checkPlans() {
	seen := map[toksta.PlanID]bool{}
	for i, p := range c.cfg.Plans {
		path := fmt.Sprintf("plans[%d]", i)
		c.require(planPattern.MatchString(string(p.ID)), path+".id", "The plan's id is empty or malformed.", "write upper-case letters, digits and _, such as API_BUILD")
		c.require(!seen[p.ID], path+".id", "This plan is listed twice.", "remove one of the two")
		seen[p.ID] = true
		given := p.ID == c.cfg.Signup.Plan && p.API == toksta.APIAlways && (p.IncludedCredits > 0 || p.Overage > 0)
		c.require(!given || c.cfg.Signup.Policy != "open", "signup.plan", "Each new sign-up would get the credits of "+p.Name+", so one person could repeat it.", "choose a plan without included credits and overage, or signup.policy: invited")
		c.require(strings.TrimSpace(p.Name) != "", path+".name", "The plan has no name.", "write one for people, such as API Build")
		c.require(p.Source == "dedicated_api" || p.Source == "saas", path+".source", "There is no such plan source.", "write dedicated_api or saas")
		c.require(slices.Contains([]toksta.APIAccess{toksta.APIAlways, toksta.APIEntitled, toksta.APINever}, p.API), path+".api", "The plan does not state its access to the API.", "write always, entitled or never")
		c.require(len(p.Families) > 0, path+".families", "The plan has no family.", "list the families that its keys may call, such as [data, job, account]")
		c.require(p.IncludedCredits >= 0 && p.IncludedCredits <= maxIncluded, path+".included_credits", "The number of credits is out of range.", fmt.Sprintf("choose one from 0 to %d", int64(maxIncluded)))
		c.checkLimits(path, limits{p.PerMinute, p.PerHour, p.PerDay, p.Concurrent})
		c.checkPlanFamilies(path+".families", p.Families)
		c.checkPlanFamilies(path+".entitled", p.Entitled)
	}
	c.require(len(c.cfg.Plans) > 0, "plans", "There are no plans.", "list at least the plan of new accounts")
	c.require(seen[c.cfg.Signup.Plan], "signup.plan", fmt.Sprintf("There is no plan %q for new accounts.", c.cfg.Signup.Plan), "name a plan from the list plans")
}

// checkPlanFamilies rejects unknown and repeated families.
func (c *checker) checkPlanFamilies(path string, families []toksta.Family) {
	for i, f := range families {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.require(c.isKnownFamily(f), at, fmt.Sprintf("There is no family %q.", f), "add it to families, or correct the name")
		c.require(slices.Index(families, f) == i, at, "This family is listed twice.", "remove one of the two")
	}
}

// checkUpstreams checks the upstreams and their names, which routes and variables
// refer to.
func (c *checker) checkUpstreams() {
	for id, u := range c.cfg.Upstreams {
		path := "upstreams." + id
		c.require(isName(id), path, "The upstream's name is malformed.", "write lower-case letters, digits and _")
		c.require(isURL(u.URL, "http", "https") || isSocketURL(u.URL), path+".url", "This is not the URL of a back end.", "write it as https://backend.internal:8443, or unix:/run/backend.sock for a socket")
		c.require(isBaseURL(u.URL), path+".url", "The URL has a user, a query or a fragment, which would not be sent.", "keep scheme, host and an optional path")
		c.require(min(u.ConnectTimeout, u.ResponseTimeout, u.IdleTimeout, u.ConnectionAge) > 0, path, "A duration is negative.", "write durations such as 5s")
	}
}

// checkRoutes rejects two routes of the same method and path pattern, because the
// order of the file would decide between them.
func (c *checker) checkRoutes() {
	c.require(len(c.cfg.Routes) > 0, "routes", "There are no routes: every call would be 404.", "list the API's operations")
	paths, operations := map[string]bool{}, map[string]bool{}
	for i, r := range c.cfg.Routes {
		path := fmt.Sprintf("routes[%d]", i)
		c.checkRoute(path, r)
		shape := r.Method + " " + parameterPattern.ReplaceAllString(r.Path, "{}")
		c.require(!paths[shape], path+".path", "Another route has this method and path.", "remove one of the two")
		c.require(!operations[r.Operation], path+".operation", "Another route has this operation.", "choose another name")
		paths[shape], operations[r.Operation] = true, true
	}
}

// checkRoute requires a family, which guards the route, and an upstream, unless
// Toksta itself serves the family.
func (c *checker) checkRoute(path string, r Route) {
	c.require(slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}, r.Method), path+".method", "There is no such method for a route.", "write GET, HEAD, POST, PUT, PATCH or DELETE")
	c.require(isPattern(r.Path) || isGRPC(r.Path), path+".path", "The path is malformed.", "start with /v1/, with segments such as creators or {id}, * only as the last; or name a gRPC method such as /acme.v1.Creators/Find")
	c.require(operationPattern.MatchString(r.Operation), path+".operation", "The operation is empty or malformed.", "write a name such as getCreator")
	c.require(r.Family != "", path+".family", "The route has no family, so no plan and no scope would guard it.", "name one from families")
	c.require(r.Family == "" || c.isKnownFamily(r.Family), path+".family", fmt.Sprintf("There is no family %q.", r.Family), "add it to families, or correct the name")
	c.require(r.Credits >= 0, path+".credits", "A cost cannot be negative.", "choose 0 or more")
	c.require(r.CostKey == "" || isName(r.CostKey), path+".cost_key", "The cost key is malformed.", "write lower-case letters, digits and _")
	c.checkWeight(path, r)
	_, known := c.cfg.Upstreams[r.Upstream]
	switch {
	case r.Family == toksta.FamilyAccount:
		c.require(r.Upstream == "", path+".upstream", "Toksta itself serves the routes of the family account.", "remove the upstream, or choose another family")
	case r.Upstream == "":
		c.report(path+".upstream", "The route has no upstream, so no call could be forwarded.", "name one from upstreams")
	default:
		c.require(known, path+".upstream", fmt.Sprintf("There is no upstream %q.", r.Upstream), "add it to upstreams, or correct the name")
	}
}

// isPattern reports whether p is a path under /v1/ of literal segments,
// {parameters} and at most one * at its end.
func isPattern(p string) bool {
	rest, ok := strings.CutPrefix(p, "/v1/")
	if !ok {
		return false
	}
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		if s == "*" && i == len(segments)-1 {
			continue
		}
		if s == "." || s == ".." || !segmentPattern.MatchString(s) {
			return false
		}
	}
	return true
}

// isGRPC reports whether p is the path of one method, or of all (*), of a gRPC
// service. The package is required: its dot distinguishes the path from those of
// the account pages.
func isGRPC(p string) bool {
	return grpcPattern.MatchString(p)
}

// isKnownFamily reports whether f is configured.
func (c *checker) isKnownFamily(f toksta.Family) bool {
	return slices.ContainsFunc(c.cfg.Families, func(known Family) bool { return known.Name == f })
}
