// Package route finds the configured route of a request.
//
// It is the first stage of the request path: a request is not looked up, counted or forwarded
// before its method and path match exactly one route. The package decides on the escaped path that
// will be forwarded, not on a decoded or cleaned copy. Only a route can rewrite the path, see [Target].
package route

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// Table is a set of routes. It is immutable and safe for concurrent use.
type Table struct {
	root     node
	routes   []toksta.Route
	patterns []pattern // of the routes, in their order
	named    map[string]*toksta.Route
	alike    *alike
}

// node is one segment in the tree of patterns. Branches are tried in the order of the fields.
type node struct {
	literals []literal
	index    map[string]*node // of literals, if they are many
	param    *node
	rest     leaf // routes of patterns that end with "*" here
	leaf     leaf // routes of patterns that end here
}

// literal is a branch for one text of a segment.
type literal struct {
	text string
	next *node
}

// maxScan is the number of literals up to which comparing them is faster than a map.
const maxScan = 8

// New builds a table. Its error is the first problem that [Check] finds.
func New(routes []toksta.Route) (*Table, error) {
	for _, p := range Check(routes) {
		return nil, fmt.Errorf("route %s: %s; %s", name(&routes[p.Route]), p.Message, p.Fix)
	}
	t := &Table{routes: slices.Clone(routes), named: map[string]*toksta.Route{}}
	for i := range t.routes {
		s, _ := parse(&t.routes[i]) // Check has found no problem
		t.patterns = append(t.patterns, s)
		t.root.add(s.segments, s.route)
		if r := s.route; r.Operation != "" && t.named[r.Operation] == nil {
			t.named[r.Operation] = r
		}
	}
	t.alike = newAlike(t.patterns)
	return t, nil
}

// Operation returns the route of an operation, or the error NOT_FOUND. If several methods share the
// operation, it returns the route of the first one: they differ in nothing else that a decision needs.
func (t *Table) Operation(name string) (*toksta.Route, error) {
	if r := t.named[name]; r != nil {
		return r, nil
	}
	return nil, notFound()
}

// Match returns the route of a request. escapedPath is the forwarded path without the query. The
// narrowest path decides: at the first segment that differs, a literal is preferred to "{name}", which
// is preferred to "*". Of routes with the same path, the one with the request's method is preferred to
// GET, which also serves HEAD, and GET to AnyMethod. The error is a *toksta.Error: BAD_REQUEST for an
// ambiguous path, NOT_FOUND for an unknown path, or METHOD_NOT_ALLOWED with the allowed methods under
// "allow" in its details. A match allocates no memory unless the path contains an escape.
func (t *Table) Match(method, escapedPath string) (*toksta.Route, error) {
	found, err := checkPath(escapedPath)
	if err != nil {
		return nil, err
	}
	m, ok := methodIndex(method)
	if !ok {
		return nil, t.noMatch(escapedPath)
	}
	r := t.root.find(m, escapedPath[1:])
	if r == nil {
		return nil, t.noMatch(escapedPath)
	}
	// A back end that decodes or normalises before it routes must find the same route:
	// results%3Abulk must not match {id} if results:bulk is a literal.
	for _, reading := range readings(escapedPath, found) {
		if reading == "" || t.root.find(m, reading[1:]) != r {
			return nil, badPath("The path contains a reserved word with percent escapes.")
		}
	}
	if t.alike.rejects(m, escapedPath, r, found) {
		return nil, badPath("The path differs from that of another endpoint only in upper and lower case or in a slash at its end.")
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

// noMatch returns the error for an unknown path, or for a known path with another method. Unlike
// find, it allocates memory, because the request ends here.
func (t *Table) noMatch(path string) error {
	routes := t.matching(path)
	if len(routes) == 0 {
		return notFound()
	}
	return &toksta.Error{
		Code:    toksta.CodeMethodNotAllowed,
		Message: "This endpoint does not support this method.",
		Details: map[string]any{"allow": allowed(routes)},
	}
}

func notFound() error {
	return &toksta.Error{Code: toksta.CodeNotFound, Message: "Endpoint not found."}
}

// matching returns every route whose pattern matches a path, whatever its method.
func (t *Table) matching(path string) (out []*toksta.Route) {
	segments := split(path)
	for _, p := range t.patterns {
		if p.matches(segments) {
			out = append(out, p.route)
		}
	}
	return out
}

// add adds r below n, for the remaining segments of its pattern. It ignores parameter names: Check
// rejects patterns that differ only in them.
func (n *node) add(segments []string, r *toksta.Route) {
	if len(segments) == 0 {
		n.leaf.add(r)
		return
	}
	switch s := segments[0]; {
	case s == wildcard:
		n.rest.add(r)
	case isParam(s):
		if n.param == nil {
			n.param = &node{}
		}
		n.param.add(segments[1:], r)
	default:
		next := n.literal(s)
		if next == nil {
			next = &node{}
			for _, text := range spellings(s) {
				n.addLiteral(text, next)
			}
		}
		next.add(segments[1:], r)
	}
}

// addLiteral adds a branch, and the index once there are many.
func (n *node) addLiteral(text string, next *node) {
	n.literals = append(n.literals, literal{text, next})
	if len(n.literals) <= maxScan {
		return
	}
	if n.index == nil {
		n.index = map[string]*node{}
	}
	for _, l := range n.literals {
		n.index[l.text] = l.next
	}
}

// literal returns the branch of a text, or nil.
func (n *node) literal(text string) *node {
	if n.index != nil {
		return n.index[text]
	}
	for i := range n.literals {
		if n.literals[i].text == text {
			return n.literals[i].next
		}
	}
	return nil
}

// find returns the route of the method with the index m. It searches the narrowest branches first and
// backtracks, so that /a/{x}/c is found beside /a/b. The first match is the narrowest, because Check
// rejects overlapping patterns of which neither is narrower. path has no leading slash.
func (n *node) find(m int, path string) *toksta.Route {
	segment, tail := path, ""
	end := strings.IndexByte(path, '/')
	if end >= 0 {
		segment, tail = path[:end], path[end+1:]
	}
	if next := n.literal(segment); next != nil {
		if r := next.findNext(m, tail, end >= 0); r != nil {
			return r
		}
	}
	if n.param != nil && segment != "" {
		if r := n.param.findNext(m, tail, end >= 0); r != nil {
			return r
		}
	}
	return n.rest[m]
}

// findNext continues the search after the segment of n, in tail, the rest of the path. more is
// false if the path ends with that segment.
func (n *node) findNext(m int, tail string, more bool) *toksta.Route {
	if more {
		return n.find(m, tail)
	}
	return n.leaf[m]
}
