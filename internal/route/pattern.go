package route

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// wildcard is the segment that matches the rest of a path, at least one byte.
const wildcard = "*"

// methods lists the methods that a route can have: PATCH and the methods of RFC 9110, without
// CONNECT and TRACE.
const methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// forwardable reports whether a route may have the method. CONNECT would reach beyond the route,
// and TRACE would return the header fields of the request.
func forwardable(method string) bool {
	return slices.Contains(strings.Split(methods, ", "), method)
}

// pattern is the parsed pattern of a route. A trailing slash gives an empty last segment, which is
// a literal: "/v1/" and "/v1" are different paths.
type pattern struct {
	route    *toksta.Route
	segments []string
}

// isParam reports whether segment is a "{name}". A parameter is always a whole segment; otherwise
// the back end would need the same matching rules.
func isParam(segment string) bool { return strings.HasPrefix(segment, "{") }

// parse parses the pattern of r.
func parse(r *toksta.Route) (pattern, error) {
	if !forwardable(r.Method) {
		return pattern{}, routeError(r, "the method must be one of %s", methods)
	}
	if !strings.HasPrefix(r.Pattern, "/") {
		return pattern{}, routeError(r, "the pattern does not start with a slash")
	}
	s := pattern{route: r, segments: strings.Split(r.Pattern[1:], "/")}
	for i, segment := range s.segments {
		if problem := segmentProblem(segment, i == len(s.segments)-1); problem != "" {
			return pattern{}, routeError(r, "segment %q %s", segment, problem)
		}
	}
	return s, nil
}

// segmentProblem describes a problem of a segment, or returns "". It rejects the same segments as
// checkPath, because they can never match.
func segmentProblem(segment string, last bool) string {
	switch {
	case segment == "" && !last:
		return "is empty"
	case segment == wildcard && !last:
		return "takes the rest of the path, so it must be the last one"
	case segment == wildcard || segment == "":
		return ""
	case isParam(segment):
		if len(segment) < 3 || strings.IndexAny(segment[1:], "{}") != len(segment)-2 {
			return "is not a whole {name}"
		}
		return ""
	case strings.ContainsAny(segment, "%*{}"):
		return "mixes text with %, *, { or }"
	}
	if _, err := checkPath("/" + segment); err != nil {
		return "could never be requested"
	}
	return ""
}

// conflict returns an error if a path can match both patterns and no rule decides between them.
// Preferring the first one would make rights depend on the order of a file.
func (s pattern) conflict(o pattern) error {
	if s.route.Method != o.route.Method || !s.overlaps(o) {
		return nil
	}
	sInO, oInS := s.isSubset(o), o.isSubset(s)
	switch {
	case sInO && oInS:
		return fmt.Errorf("routes %s %s and %s match the same paths; remove one", s.route.Method, o.route.Pattern, s.route.Pattern)
	case !sInO && !oInS:
		return fmt.Errorf("routes %s %s and %s share paths and neither is narrower; replace one by literal paths", s.route.Method, o.route.Pattern, s.route.Pattern)
	}
	return nil
}

// overlaps reports whether a path exists that matches both patterns.
func (s pattern) overlaps(o pattern) bool {
	for i := 0; ; i++ {
		sEnd, oEnd := i == len(s.segments), i == len(o.segments)
		if sEnd || oEnd {
			return sEnd && oEnd
		}
		a, b := s.segments[i], o.segments[i]
		switch {
		case a == wildcard:
			return b != "" || i < len(o.segments)-1
		case b == wildcard:
			return a != "" || i < len(s.segments)-1
		case isParam(a) && b == "", isParam(b) && a == "":
			return false
		case !isParam(a) && !isParam(b) && a != b:
			return false
		}
	}
}

// isSubset reports whether every path that matches s matches o. The patterns must overlap.
func (s pattern) isSubset(o pattern) bool {
	for i, b := range o.segments {
		if b == wildcard {
			return true
		}
		if a := s.segments[i]; a == wildcard || isParam(a) && !isParam(b) {
			return false
		}
	}
	return true
}
