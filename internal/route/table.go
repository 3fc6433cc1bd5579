// Package route finds the configured route of a request.
//
// It stands first on the request path: nothing is looked up, counted or
// forwarded before the method and the path name exactly one route. It decides
// on the escaped bytes that will be forwarded, never on a decoded or cleaned
// copy of them, and it never rewrites a path.
package route

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// Table holds routes. It is immutable and safe for concurrent use.
type Table struct {
	root   node
	routes []toksta.Route
}

// node is one segment's place in the tree of patterns. Branches are tried in
// the order of the fields.
type node struct {
	literals map[string]*node
	param    *node
	rest     []*toksta.Route // patterns that end here in "*"
	leaves   []*toksta.Route // patterns that end here
}

// New builds a table. It refuses, in a sentence, a pattern that is not well
// formed, two patterns of one method that match the same paths, and two that
// share paths while neither is the narrower one.
func New(routes []toksta.Route) (*Table, error) {
	t := &Table{routes: slices.Clone(routes)}
	seen := make([]shape, 0, len(routes))
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

// Match returns the route of a request; escapedPath is the path as it will be
// forwarded, without the query. A literal segment beats "{name}", which beats
// "*". HEAD is on the route of GET unless it has its own. The error is an
// *toksta.Error: BAD_REQUEST for a path that two parties could read in two
// ways, NOT_FOUND for an unknown one, METHOD_NOT_ALLOWED with the methods
// under "allow" in its details. A match allocates nothing unless the path
// holds an escape.
func (t *Table) Match(method, escapedPath string) (*toksta.Route, error) {
	escaped, err := check(escapedPath)
	if err != nil {
		return nil, err
	}
	r := t.find(method, escapedPath)
	if r == nil {
		return nil, t.missing(escapedPath)
	}
	// A back end that decodes before it routes must arrive at the same route:
	// results%3Abulk is not an id where results:bulk is a literal.
	if escaped && t.find(method, decode(escapedPath)) != r {
		return nil, badPath("The path spells a reserved word with percent escapes.")
	}
	return r, nil
}

// Routes returns every route of the table, the same pointers that Match
// returns.
func (t *Table) Routes() []*toksta.Route {
	routes := make([]*toksta.Route, len(t.routes))
	for i := range t.routes {
		routes[i] = &t.routes[i]
	}
	return routes
}

// find resolves HEAD, which every answer to GET also answers.
func (t *Table) find(method, path string) *toksta.Route {
	if r := t.root.find(method, path[1:]); r != nil || method != "HEAD" {
		return r
	}
	return t.root.find("GET", path[1:])
}

// missing tells an unknown path from a known one with another method. It is
// the one place that may allocate: nothing behind it costs more.
func (t *Table) missing(path string) error {
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
		Message: "This endpoint does not answer that method.",
		Details: map[string]any{"allow": strings.Join(slices.Compact(methods), ", ")},
	}
}

// add hangs r under the segments that are left of its pattern. Names of
// parameters play no part: New has refused patterns that differ in them alone.
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

// find walks the narrowest branches first and turns back where one ends, so
// /a/{x}/c is found beside /a/b. Since no two patterns overlap without one
// being the narrower, the first hit is the narrowest. path has no leading
// slash.
func (n *node) find(method, path string) *toksta.Route {
	segment, tail, more := strings.Cut(path, "/")
	if next := n.literals[segment]; next != nil {
		if r := next.follow(method, tail, more); r != nil {
			return r
		}
	}
	if n.param != nil && segment != "" {
		if r := n.param.follow(method, tail, more); r != nil {
			return r
		}
	}
	if path == "" {
		return nil
	}
	return pick(n.rest, method)
}

// follow goes on behind a segment that this node stands for.
func (n *node) follow(method, tail string, more bool) *toksta.Route {
	if more {
		return n.find(method, tail)
	}
	return pick(n.leaves, method)
}

// methods collects the methods of every pattern that matches path.
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

// appendMethods may repeat a method: missing sorts and compacts.
func appendMethods(into []string, routes []*toksta.Route) []string {
	for _, r := range routes {
		into = append(into, r.Method)
	}
	return into
}

// pick compares methods byte for byte: they have a case.
func pick(routes []*toksta.Route, method string) *toksta.Route {
	for _, r := range routes {
		if r.Method == method {
			return r
		}
	}
	return nil
}

// invalid names the route whose configuration is at fault.
func invalid(r *toksta.Route, format string, args ...any) error {
	return fmt.Errorf("route %s %s: %s", r.Method, r.Pattern, fmt.Sprintf(format, args...))
}
