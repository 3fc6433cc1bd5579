package route

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// wildcard is the segment that takes the rest of a path, one byte or more.
const wildcard = "*"

// methods are those of RFC 9110 and PATCH, but for CONNECT and TRACE.
const methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// forwardable reports whether a route may have that method: CONNECT and TRACE
// would reach past the route or show the request's own headers.
func forwardable(method string) bool {
	return slices.Contains(strings.Split(methods, ", "), method)
}

// shape is a pattern taken apart. A trailing slash leaves an empty last segment,
// which is a literal like any other: "/v1/" and "/v1" are two paths.
type shape struct {
	route    *toksta.Route
	segments []string
}

// isParam reports whether segment is a "{name}". Only whole segments are: a
// rule for parts of one would have to be the back end's rule too.
func isParam(segment string) bool { return strings.HasPrefix(segment, "{") }

// parse takes r's pattern apart, or says what is wrong with it.
func parse(r *toksta.Route) (shape, error) {
	if !forwardable(r.Method) {
		return shape{}, invalid(r, "the method is none of %s", methods)
	}
	if !strings.HasPrefix(r.Pattern, "/") {
		return shape{}, invalid(r, "the pattern does not start with a slash")
	}
	s := shape{route: r, segments: strings.Split(r.Pattern[1:], "/")}
	for i, segment := range s.segments {
		if fault := segmentFault(segment, i == len(s.segments)-1); fault != "" {
			return shape{}, invalid(r, "segment %q %s", segment, fault)
		}
	}
	return s, nil
}

// segmentFault says in words what is wrong with a segment, "" for nothing.
// What check refuses in requests is refused here, since it could never match.
func segmentFault(segment string, last bool) string {
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
	if _, err := check("/" + segment); err != nil {
		return "could never be requested"
	}
	return ""
}

// conflict refuses a pair of patterns between which no rule decides: silently
// preferring the first would make rights depend on the order of a file.
func (s shape) conflict(o shape) error {
	if s.route.Method != o.route.Method || !s.overlaps(o) {
		return nil
	}
	sInO, oInS := s.within(o), o.within(s)
	switch {
	case sInO && oInS:
		return fmt.Errorf("routes %s %s and %s match the same paths; remove one", s.route.Method, o.route.Pattern, s.route.Pattern)
	case !sInO && !oInS:
		return fmt.Errorf("routes %s %s and %s share paths and neither is the narrower one; spell one of them out", s.route.Method, o.route.Pattern, s.route.Pattern)
	}
	return nil
}

// overlaps reports whether some path matches both.
func (s shape) overlaps(o shape) bool {
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

// within reports whether every path that matches s matches o. The two overlap,
// so equal positions hold equal literals or something wider.
func (s shape) within(o shape) bool {
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
