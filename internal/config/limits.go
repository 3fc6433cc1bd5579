package config

import (
	"fmt"
	"slices"

	"github.com/toksta/toksta/sdk/toksta"
)

// limits are the limits on the calls of an account, as a plan or the default has
// them.
type limits struct{ perMinute, perHour, perDay, concurrent int }

// The largest limit, and the largest weight of a route.
const (
	maxLimit  = 1_000_000_000
	maxWeight = 1000
)

// checkLimits checks the range of each limit. The meaning of a limit of 0 is added to
// the remedy.
func (c *checker) checkLimits(path string, l limits) {
	for _, limit := range []struct {
		name  string
		value int
	}{{"per_minute", l.perMinute}, {"per_hour", l.perHour}, {"per_day", l.perDay}, {"concurrent", l.concurrent}} {
		c.require(limit.value >= 0 && limit.value <= maxLimit, path+"."+limit.name, "The limit is out of range.",
			fmt.Sprintf("choose a number from 1 to %d, or 0: %s", maxLimit, zeroLimit(path, limit.name)))
	}
}

// zeroLimit returns the meaning of a limit of 0.
func zeroLimit(path, name string) string {
	if path == "rate_limit" {
		return "no limit"
	}
	return "that of rate_limit." + name
}

// checkWeight checks the weight of a route. A weight above a limit would reject
// every call of the accounts with this limit.
func (c *checker) checkWeight(path string, r Route) {
	if r.Weight == nil {
		return
	}
	weight := *r.Weight
	if weight < 1 || weight > maxWeight {
		c.report(path+".weight", "The weight is out of range.", fmt.Sprintf("choose a number from 1 to %d", maxWeight))
		return
	}
	catalog := c.cfg.Catalog()
	for _, p := range c.cfg.Plans {
		if p.API == toksta.APINever || !slices.Contains(slices.Concat(p.Families, p.Entitled), r.Family) {
			continue
		}
		s := catalog.Standing(toksta.Account{Plan: p.ID})
		for _, limit := range []int{s.PerMinute, s.PerHour, s.PerDay} {
			if limit > 0 && weight > limit {
				c.report(path+".weight", fmt.Sprintf("A call counts as %d calls, and the plan %s admits only %d: each would get 429.", weight, p.ID, limit), "choose a lower weight, or a higher limit of the plan")
				return
			}
		}
	}
}
