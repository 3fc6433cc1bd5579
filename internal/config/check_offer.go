package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

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
}

// maxIncluded bounds the included credits so that a product with a price or a
// percentage does not overflow.
const maxIncluded = 1_000_000_000_000

// checkPlans checks every plan.
func (c *checker) checkPlans() {
	seen := map[toksta.PlanID]bool{}
	for i, p := range c.cfg.Plans {
		path := fmt.Sprintf("plans[%d]", i)
		c.require(planPattern.MatchString(string(p.ID)), path+".id", "The plan's id is empty or malformed.", "write upper-case letters, digits and _, such as API_BUILD")
		c.require(!seen[p.ID], path+".id", "This plan is listed twice.", "remove one of the two")
		seen[p.ID] = true
		c.checkOpenPlan(path, p)
		c.require(strings.TrimSpace(p.Name) != "", path+".name", "The plan has no name.", "write one for people, such as API Build")
		c.require(isName(p.Source), path+".source", "The source is malformed.", "write lower-case letters, digits and _, such as api")
		c.require(slices.Contains([]toksta.APIAccess{toksta.APIAlways, toksta.APIEntitled, toksta.APINever}, p.API), path+".api", "There is no such access to the API.", "write always, entitled or never")
		c.require(len(p.Families) > 0, path+".families", "The plan has no family.", "list the families that its keys may call, such as [data, job, account]")
		c.require(p.IncludedCredits >= 0 && p.IncludedCredits <= maxIncluded, path+".included_credits", "The number of credits is out of range.", fmt.Sprintf("choose one from 0 to %d", int64(maxIncluded)))
		c.checkLimits(path, limits{p.PerMinute, p.PerHour, p.PerDay, p.Concurrent})
		c.checkPlanFamilies(path+".families", p.Families)
		c.checkPlanFamilies(path+".entitled", p.Entitled)
	}
	c.require(len(c.cfg.Plans) > 0, "plans", "There are no plans.", "list at least the plan of new accounts")
	if !seen[c.cfg.Signup.Plan] && !c.hasProblem("plans") {
		c.report("signup.plan", fmt.Sprintf("There is no plan %q for new accounts.", c.cfg.Signup.Plan), "name one of "+c.planIDs())
	}
}

// planIDs lists the ids of the plans for a remedy.
func (c *checker) planIDs() string {
	ids := make([]string, len(c.cfg.Plans))
	for i, p := range c.cfg.Plans {
		ids[i] = string(p.ID)
	}
	return strings.Join(ids, ", ")
}

// checkPlanFamilies rejects unknown and repeated families.
func (c *checker) checkPlanFamilies(path string, families []toksta.Family) {
	for i, f := range families {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.requireFamily(f, at)
		c.require(slices.Index(families, f) == i, at, "This family is listed twice.", "remove one of the two")
	}
}

// requireFamily reports a family that does not exist. It reports nothing if the list of
// families has a problem, which is then the cause.
func (c *checker) requireFamily(f toksta.Family, path string) {
	if c.isKnownFamily(f) || c.hasProblem("families") {
		return
	}
	names := make([]string, len(c.cfg.Families))
	for i, known := range c.cfg.Families {
		names[i] = string(known.Name)
	}
	c.report(path, fmt.Sprintf("There is no family %q.", f), "add it to families, or correct the name"+orNearest(string(f), names))
}

// hasProblem reports whether a problem of the section, or of an element of the list,
// is known.
func (c *checker) hasProblem(section string) bool {
	return slices.ContainsFunc(c.problems, func(p Problem) bool {
		rest, found := strings.CutPrefix(p.Field, section)
		return found && (rest == "" || rest[0] == '[' || rest[0] == '.')
	})
}

// orNearest returns the end of a remedy that names the known name nearest to name, ""
// if none is near.
func orNearest(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return ": did you mean " + near + "?"
	}
	return ""
}

// checkUpstreams checks the upstreams and their names, which routes and variables
// refer to.
func (c *checker) checkUpstreams() {
	for id, u := range c.cfg.Upstreams {
		path := "upstreams." + id
		c.require(isName(id), path, "The upstream's name is malformed.", "write lower-case letters, digits and _")
		c.require(isURL(u.URL, "http", "https") || isSocketURL(u.URL), path+".url", "This is not the URL of a back end.", "write it as https://backend.internal:8443, or unix:/run/backend.sock for a socket")
		c.require(isBaseURL(u.URL), path+".url", "The URL has a user, a query or a fragment, which would not be sent.", "keep scheme, host and an optional path")
		for name, d := range map[string]time.Duration{
			"connect_timeout": u.ConnectTimeout, "response_timeout": u.ResponseTimeout, "idle_timeout": u.IdleTimeout, "connection_age": u.ConnectionAge,
		} {
			c.require(d > 0, path+"."+name, "The duration is not longer than zero.", "write a duration such as 5s, or remove the line for the default")
		}
	}
}
