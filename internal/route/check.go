package route

import (
	"cmp"
	"fmt"

	"github.com/toksta/toksta/sdk/toksta"
)

// Problem is one error of a table of routes, with its remedy. The texts have no final stop.
type Problem struct {
	Route   int    // index of the route
	Other   int    // index of the route that it conflicts with, or -1
	Field   string // of the configuration of the route: "method", "path", "rewrite" or "strip_prefix"
	Message string
	Fix     string
}

// Check returns the problems of routes, each once: a malformed method, pattern or target; two routes
// of one method that match the same paths, or share paths while neither is narrower; and a public
// route that reaches the paths of a route with a key.
func Check(routes []toksta.Route) []Problem {
	var out []Problem
	report := func(p *Problem, route, other int) bool {
		if p == nil {
			return false
		}
		p.Route, p.Other = route, other
		out = append(out, *p)
		return true
	}
	type parsed struct {
		index  int
		in, to pattern // the path of the request, and the path that the upstream receives
	}
	var seen []parsed
	for i := range routes {
		s, problem := parse(&routes[i])
		if report(problem, i, -1) {
			continue
		}
		target, problem := newTarget(&routes[i])
		if report(problem, i, -1) {
			continue
		}
		to := pattern{&routes[i], split(target.pattern)}
		for _, other := range seen {
			problem := s.conflict(other.in)
			if problem == nil {
				problem = exposure(s, other.in)
			}
			if problem == nil && routes[i].Upstream == other.in.route.Upstream {
				problem = cmp.Or(exposure(to, other.to), exposure(to.withSlash(), other.to.withSlash()))
			}
			if report(problem, i, other.index) {
				break
			}
		}
		seen = append(seen, parsed{i, s, to})
	}
	return out
}

// exposure returns a problem if one of two routes is public and the other needs a key, both forward
// calls to an upstream, and the patterns overlap while the public one is not narrower. A call without
// a key could then reach the back end's endpoint behind the other route, in a spelling that only the
// back end takes for the same: with another case, another method or a slash at the end.
func exposure(a, b pattern) *Problem {
	if a.route.Public == b.route.Public || a.route.Upstream == "" || b.route.Upstream == "" {
		return nil
	}
	open, keyed := a, b
	if b.route.Public {
		open, keyed = b, a
	}
	samePath := open.overlaps(keyed) && open.isSubset(keyed) && keyed.isSubset(open)
	switch {
	case !open.overlaps(keyed) || !methodsOverlap(open.route, keyed.route):
		return nil
	case open.isSubset(keyed) && !samePath, samePath && open.route.Method != AnyMethod && open.route.Method != keyed.route.Method:
		return nil
	}
	return &Problem{
		Field:   "path",
		Message: fmt.Sprintf("the public route %s reaches the paths of %s, which needs a key", name(open.route), name(keyed.route)),
		Fix:     "list the public paths one by one, or make both routes public",
	}
}
