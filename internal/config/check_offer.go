package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/toksta/toksta"
)

// name is what families, reasons and upstreams are called.
const name = `^[a-z][a-z0-9_]{0,39}$`

// isName reports whether s can be a family, status, reason, cost key or upstream.
func isName(s string) bool { return regexp.MustCompile(name).MatchString(s) }

// checkStatuses: nothing that billing might say may admit by being unknown.
func (c *checker) checkStatuses() {
	c.must(len(c.cfg.Statuses) > 0, "statuses", "No status is listed, so nothing says which subscriptions admit.", "list them; "+string(toksta.StatusActive)+": admit at least")
	admits := false
	for status, reason := range c.cfg.Statuses {
		path := "statuses." + string(status)
		admits = admits || reason == Admit
		c.must(isName(string(status)), path, "A status must be named; one for whatever else would admit the unknown.", "write each status that billing reports; others are refused")
		c.must(isName(string(reason)), path, "A status either admits or has the reason of its refusal.", "write admit, or a reason such as billing_past_due")
	}
	c.must(admits || len(c.cfg.Statuses) == 0, "statuses", "No status admits: every call would be refused.", "write active: admit")
}

// checkFamilies: plans, routes and scopes refer to these names.
func (c *checker) checkFamilies() {
	c.must(len(c.cfg.Families) > 0, "families", "There are no endpoint families.", "list at least account")
	seen := map[toksta.Family]bool{}
	for i, f := range c.cfg.Families {
		path := fmt.Sprintf("families[%d]", i)
		c.must(isName(string(f.Name)), path+".name", "The name is empty or malformed.", "lower-case letters, digits and _, such as data")
		c.must(!seen[f.Name], path+".name", "This family is listed twice.", "remove one of the two")
		seen[f.Name] = true
	}
	c.must(seen[toksta.FamilyAccount] || len(c.cfg.Families) == 0, "families", `The family "account" is missing; usage is answered under it.`, "add {name: account}")
}

// maxIncluded is far above any use, and far below overflow when multiplied by a
// price or a percentage.
const maxIncluded = 1_000_000_000_000

// checkPlans: each plan says whether it opens the API; no answer is a default.
func (c *checker) checkPlans() {
	seen := map[toksta.PlanID]bool{}
	for i, p := range c.cfg.Plans {
		path := fmt.Sprintf("plans[%d]", i)
		c.must(regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,39}$`).MatchString(string(p.ID)), path+".id", "The plan's machine name is empty or malformed.", "upper-case letters, digits and _, such as API_BUILD")
		c.must(!seen[p.ID], path+".id", "This plan is listed twice.", "remove one of the two")
		seen[p.ID] = true
		given := p.ID == c.cfg.Signup.Plan && p.API == toksta.APIAlways && (p.IncludedCredits > 0 || p.Overage > 0)
		c.must(!given || c.cfg.Signup.Policy != "open", "signup.plan", "Anybody who signs up would get the credits of "+p.Name+", once for each address they think of.", "a plan that includes none and charges none, or signup.policy invited")
		c.must(strings.TrimSpace(p.Name) != "", path+".name", "The plan has no name for people.", "give one, such as API Build")
		c.must(p.Source == "dedicated_api" || p.Source == "saas", path+".source", "There is no such plan source.", "dedicated_api or saas")
		c.must(slices.Contains([]toksta.APIAccess{toksta.APIAlways, toksta.APIEntitled, toksta.APINever}, p.API), path+".api", "It is not said how the plan opens the API.", "always, entitled or never")
		c.must(len(p.Families) > 0, path+".families", "The plan reaches no family.", "list what it reaches, such as [data, job, account]")
		c.must(p.IncludedCredits >= 0 && p.IncludedCredits <= maxIncluded, path+".included_credits", "The number of credits is out of range.", fmt.Sprintf("0 to %d", int64(maxIncluded)))
		c.must(p.PerMinute >= 0, path+".per_minute", "A limit cannot be negative.", "0 takes rate_limit.per_minute")
		c.checkPlanFamilies(path+".families", p.Families)
		c.checkPlanFamilies(path+".entitled", p.Entitled)
	}
	c.must(len(c.cfg.Plans) > 0, "plans", "There are no plans.", "list at least the plan of new accounts")
	c.must(seen[c.cfg.Signup.Plan], "signup.plan", fmt.Sprintf("There is no plan %q for new accounts.", c.cfg.Signup.Plan), "name a plan from the list plans")
}

// checkPlanFamilies: a misspelt family would silently refuse, or worse.
func (c *checker) checkPlanFamilies(path string, families []toksta.Family) {
	for i, f := range families {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.must(c.knownFamily(f), at, fmt.Sprintf("There is no family %q.", f), "add it to families, or correct the name")
		c.must(slices.Index(families, f) == i, at, "This family is listed twice.", "remove one of the two")
	}
}

// checkUpstreams: the names are also what routes and the environment use.
func (c *checker) checkUpstreams() {
	for id, u := range c.cfg.Upstreams {
		path := "upstreams." + id
		c.must(isName(id), path, "The upstream's name is malformed.", "lower-case letters, digits and _")
		c.must(isURL(u.URL, "http", "https") || isSocket(u.URL), path+".url", "This is not an http or https URL.", "write it as https://backend.internal:8443, or unix:/run/backend.sock for a socket")
		c.must(isBase(u.URL), path+".url", "The URL says more than where the back end is: nothing would send its user, query or fragment.", "leave scheme, host and perhaps a path")
		c.must(min(u.ConnectTimeout, u.ResponseTimeout, u.IdleTimeout, u.ConnectionAge) > 0, path, "A timeout is negative.", "write durations such as 5s")
	}
}

// checkRoutes: two routes of one shape would make the order of the file decide.
func (c *checker) checkRoutes() {
	c.must(len(c.cfg.Routes) > 0, "routes", "There are no routes: every call would be 404.", "list the API's operations")
	paths, operations := map[string]bool{}, map[string]bool{}
	for i, r := range c.cfg.Routes {
		path := fmt.Sprintf("routes[%d]", i)
		c.checkRoute(path, r)
		shape := r.Method + " " + regexp.MustCompile(`\{[^/]*\}`).ReplaceAllString(r.Path, "{}")
		c.must(!paths[shape], path+".path", "Another route has this method and path.", "remove one of the two")
		c.must(!operations[r.Operation], path+".operation", "Another route has this operation.", "give each its own")
		paths[shape], operations[r.Operation] = true, true
	}
}

// checkRoute: each route is guarded by a family and answered by somebody.
func (c *checker) checkRoute(path string, r Route) {
	c.must(slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}, r.Method), path+".method", "There is no such method for a route.", "GET, HEAD, POST, PUT, PATCH or DELETE")
	c.must(isPattern(r.Path) || isGRPC(r.Path), path+".path", "The path is malformed.", "start with /v1/, with segments such as creators or {id}, * only as the last; or name a gRPC method such as /acme.v1.Creators/Find")
	c.must(regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,79}$`).MatchString(r.Operation), path+".operation", "The operation is empty or malformed.", "give a name such as getCreator")
	c.must(r.Family != "", path+".family", "The route has no family, so no plan and no scope would guard it.", "name one from families")
	c.must(r.Family == "" || c.knownFamily(r.Family), path+".family", fmt.Sprintf("There is no family %q.", r.Family), "add it to families, or correct the name")
	c.must(r.Credits >= 0, path+".credits", "A cost cannot be negative.", "0 or more")
	c.must(r.CostKey == "" || isName(r.CostKey), path+".cost_key", "The cost key is malformed.", "lower-case letters, digits and _")
	_, known := c.cfg.Upstreams[r.Upstream]
	switch {
	case r.Family == toksta.FamilyAccount:
		c.must(r.Upstream == "", path+".upstream", "Routes of the family account are answered by Toksta itself.", "remove the upstream, or choose another family")
	case r.Upstream == "":
		c.fault(path+".upstream", "The route has no upstream, so nobody would answer it.", "name one from upstreams")
	default:
		c.must(known, path+".upstream", fmt.Sprintf("There is no upstream %q.", r.Upstream), "add it to upstreams, or correct the name")
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
		if s == "." || s == ".." || !regexp.MustCompile(`^(\{[a-z_]+\}|[A-Za-z0-9._~:@!$&'()+,=-]+)$`).MatchString(s) {
			return false
		}
	}
	return true
}

// isGRPC reports whether p names the methods of a gRPC service, one or all (*). The
// dot of a package keeps it apart from the account pages.
func isGRPC(p string) bool {
	return regexp.MustCompile(`^/([A-Za-z_]\w*\.)+[A-Za-z_]\w*/([A-Za-z_]\w*|\*)$`).MatchString(p)
}

// knownFamily reports whether f is configured.
func (c *checker) knownFamily(f toksta.Family) bool {
	return slices.ContainsFunc(c.cfg.Families, func(known Family) bool { return known.Name == f })
}
