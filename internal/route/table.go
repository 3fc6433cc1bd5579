// Package route finds the configured route of a request.
//
// It is the first stage of the request path: a request is not looked up, counted or forwarded
// before its method and path match exactly one route. The package decides on the escaped path that
// will be forwarded, not on a decoded or cleaned copy, and never rewrites a path.
package route

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// Table is a set of routes. It is immutable and safe for concurrent use.
type Table struct {
	root   node
	routes []toksta.Route
}

// node is one segment in the tree of patterns. Branches are tried in the order of the fields.
type node struct {
	literals map[string]*node
	param    *node
	rest     []*toksta.Route // routes of patterns that end with "*" here
	leaves   []*toksta.Route // routes of patterns that end here
}

// New builds a table. It rejects a malformed pattern, two patterns of one method that match the
// same paths, and two patterns that share paths while neither is narrower.
func New(routes []toksta.Route) (*Table, error) {
	t := &Table{routes: slices.Clone(routes)}
	seen := make([]pattern, 0, len(routes))
	for i := range t.routes {
		r := &t.routes[i]
		s, err := parse(r)
		if err != nil {
			return nil, err
		}
		for _, other := range seen {
			if err := s.conflict(other); err != nil {
				return nil, err
			}
		}
		seen = append(seen, s)
		t.root.add(s.segments, r)
	}
	return t, nil
}

// Match returns the route of a request. escapedPath is the forwarded path without the query. A
// literal segment is preferred to "{name}", which is preferred to "*". HEAD uses the route of GET
// unless it has its own. The error is a *toksta.Error: BAD_REQUEST for an ambiguous path, NOT_FOUND
// for an unknown path, or METHOD_NOT_ALLOWED with the allowed methods under "allow" in its details.
// A match allocates no memory unless the path contains an escape.
func (t *Table) Match(method, escapedPath string) (*toksta.Route, error) {
	escaped, err := checkPath(escapedPath)
	if err != nil {
		return nil, err
	}
	r := t.find(method, escapedPath)
	if r == nil {
		return nil, t.noMatch(escapedPath)
	}
	// A back end that decodes before it routes must find the same route: results%3Abulk must not match
	// {id} if results:bulk is a literal.
	if escaped && t.find(method, decode(escapedPath)) != r {
		return nil, badPath("The path contains a reserved word with percent escapes.")
	}
	return r, nil
}

// Routes returns every route of the table. Match returns the same pointers.
func (t *Table) Routes() []*toksta.Route {
	routes := make([]*toksta.Route, len(t.routes))
	for i := range t.routes {
		routes[i] = &t.routes[i]
	}
	return routes
}

// find returns the route for the method and the path, or nil. For HEAD without a route of its own,
// it returns the route of GET.
func (t *Table) find(method, path string) *toksta.Route {
	if r := t.root.find(method, path[1:]); r != nil || method != "HEAD" {
		return r
	}
	return t.root.find("GET", path[1:])
}

// noMatch returns the error for an unknown path, or for a known path with another method. Unlike
// find, it allocates memory, because the request ends here.
func (t *Table) noMatch(path string) error {
	methods := t.root.methods(nil, path[1:])
	if len(methods) == 0 {
		return &toksta.Error{Code: toksta.CodeNotFound, Message: "Endpoint not found."}
	}
	if slices.Contains(methods, "GET") {
		methods = append(methods, "HEAD")
	}
	slices.Sort(methods)
	return &toksta.Error{
		Code:    toksta.CodeMethodNotAllowed,
		Message: "This endpoint does not support this method.",
		Details: map[string]any{"allow": strings.Join(slices.Compact(methods), ", ")},
	}
}

// add adds r below n, for the remaining segments of its pattern. It ignores parameter names: New
// rejects patterns that differ only in them.
func (n *node) add(segments []string, r *toksta.Route) {
	if len(segments) == 0 {
		n.leaves = append(n.leaves, r)
		return
	}
	switch s := segments[0]; {
	case s == wildcard:
		n.rest = append(n.rest, r)
	case isParam(s):
		if n.param == nil {
			n.param = &node{}
		}
		n.param.add(segments[1:], r)
	default:
		if n.literals == nil {
			n.literals = map[string]*node{}
		}
		if n.literals[s] == nil {
			n.literals[s] = &node{}
		}
		n.literals[s].add(segments[1:], r)
	}
}

// find searches the narrowest branches first and backtracks, so that /a/{x}/c is found beside /a/b.
// The first match is the narrowest, because New rejects overlapping patterns of which neither is
// narrower. path has no leading slash.
func (n *node) find(method, path string) *toksta.Route {
	segment, tail, more := strings.Cut(path, "/")
	if next := n.literals[segment]; next != nil {
		if r := next.findNext(method, tail, more); r != nil {
			return r
		}
	}
	if n.param != nil && segment != "" {
		if r := n.param.findNext(method, tail, more); r != nil {
			return r
		}
	}
	if path == "" {
		return nil
	}
	return withMethod(n.rest, method)
}

// findNext continues the search after the segment of n, in tail, the rest of the path. more is
// false if the path ends with that segment.
func (n *node) findNext(method, tail string, more bool) *toksta.Route {
	if more {
		return n.find(method, tail)
	}
	return withMethod(n.leaves, method)
}

// methods appends the methods of every pattern that matches path.
func (n *node) methods(into []string, path string) []string {
	segment, tail, more := strings.Cut(path, "/")
	branches := []*node{n.literals[segment]}
	if segment != "" {
		branches = append(branches, n.param)
	}
	for _, b := range branches {
		switch {
		case b == nil:
		case more:
			into = b.methods(into, tail)
		default:
			into = appendMethods(into, b.leaves)
		}
	}
	if path != "" {
		into = appendMethods(into, n.rest)
	}
	return into
}

// appendMethods appends the methods of routes. It can add a method twice; noMatch sorts and
// compacts the result.
func appendMethods(into []string, routes []*toksta.Route) []string {
	for _, r := range routes {
		into = append(into, r.Method)
	}
	return into
}

// withMethod returns the route with the method, or nil. Methods are case-sensitive.
func withMethod(routes []*toksta.Route, method string) *toksta.Route {
	for _, r := range routes {
		if r.Method == method {
			return r
		}
	}
	return nil
}

// routeError returns a configuration error that names the route.
func routeError(r *toksta.Route, format string, args ...any) error {
	return fmt.Errorf("route %s %s: %s", r.Method, r.Pattern, fmt.Sprintf(format, args...))
}
