package route

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// Candidate is a route that does not serve a request although its path, or one that is almost the
// same, matches.
type Candidate struct {
	Route *toksta.Route
	Why   string // a clause without a final stop
}

// Explain returns the result of Match and the other candidates, narrowest first. It is for people: it
// compares every route with the request.
func (t *Table) Explain(method, escapedPath string) (*toksta.Route, []Candidate, error) {
	if _, err := checkPath(escapedPath); err != nil {
		return nil, nil, err
	}
	matched, err := t.Match(method, escapedPath)
	routes := t.matching(escapedPath)
	if matched == nil && len(routes) == 0 {
		return nil, t.near(escapedPath), err
	}
	var out []Candidate
	for _, r := range routes {
		if r != matched {
			out = append(out, Candidate{r, t.why(r, matched, method)})
		}
	}
	slices.SortStableFunc(out, func(a, b Candidate) int {
		return cmp.Or(compareWidth(a.Route, b.Route), cmp.Compare(a.Route.Method, b.Route.Method))
	})
	return matched, out, err
}

// Wider returns the routes of all whose paths include every path of r, and more, for a common method.
func Wider(r toksta.Route, all []toksta.Route) (out []toksta.Route) {
	mine := pattern{&r, split(r.Pattern)}
	for _, other := range all {
		wide := pattern{&other, split(other.Pattern)}
		if methodsOverlap(&r, &other) && mine.overlaps(wide) && mine.isSubset(wide) && !wide.isSubset(mine) {
			out = append(out, other)
		}
	}
	return out
}

// why explains why r, whose path matches, does not serve the request that matched serves.
func (t *Table) why(r, matched *toksta.Route, method string) string {
	_, known := methodIndex(method)
	switch {
	case !known:
		return "no route can have the method " + method
	case !serves(r, method):
		return fmt.Sprintf("it serves %s, not %s", strings.Replace(r.Method, "GET", "GET and HEAD", 1), method)
	case matched == nil:
		return "the spelling of the path is ambiguous"
	case compareWidth(r, matched) == 0:
		return fmt.Sprintf("it has the same path, and the method %s is more specific than %s", matched.Method, r.Method)
	}
	mine, its := split(r.Pattern), split(matched.Pattern)
	for i, segment := range mine {
		if i < len(its) && width(segment) != width(its[i]) {
			return fmt.Sprintf("its path is wider: %s at segment %d, where %s has %s", kind(segment), i+1, matched.Pattern, kind(its[i]))
		}
	}
	return "its path is wider"
}

// near returns the routes that would match with or without a slash at the end, or in another case.
func (t *Table) near(path string) (out []Candidate) {
	other := path + "/"
	if strings.HasSuffix(path, "/") {
		other = strings.TrimSuffix(path, "/")
	}
	for _, p := range t.patterns {
		lower := pattern{segments: split(strings.ToLower(p.route.Pattern))}
		switch {
		case other != "" && p.matches(split(other)):
			out = append(out, Candidate{p.route, "it differs in the slash at the end"})
		case lower.matches(split(strings.ToLower(path))):
			out = append(out, Candidate{p.route, "it differs in upper and lower case"})
		}
	}
	return out
}

// compareWidth compares two patterns that match the same path: negative if a is narrower.
func compareWidth(a, b *toksta.Route) int {
	as, bs := split(a.Pattern), split(b.Pattern)
	for i := range min(len(as), len(bs)) {
		if c := cmp.Compare(width(as[i]), width(bs[i])); c != 0 {
			return c
		}
	}
	return 0
}

// width orders the kinds of segments, narrowest first.
func width(segment string) int {
	switch {
	case segment == wildcard:
		return 2
	case isParam(segment):
		return 1
	}
	return 0
}

// kind describes a segment for people.
func kind(segment string) string {
	switch width(segment) {
	case 2:
		return "the rest " + wildcard
	case 1:
		return "the parameter " + segment
	}
	if segment == "" {
		return "the end"
	}
	return fmt.Sprintf("the text %q", segment)
}
