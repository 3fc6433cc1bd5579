package route

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/toksta/toksta/sdk/toksta"
)

// wildcard is the last segment that matches the rest of a path, also an empty rest.
const wildcard = "*"

// paramPattern matches a "{name}".
var paramPattern = regexp.MustCompile(`^\{[A-Za-z_][A-Za-z0-9_.-]*\}$`)

// pattern is the parsed pattern of a route. A trailing slash gives an empty last segment, which is
// a literal: "/v1/" and "/v1" are different paths.
type pattern struct {
	route    *toksta.Route
	segments []string
}

// isParam reports whether segment is a "{name}". A parameter is always a whole segment; otherwise
// the back end would need the same matching rules.
func isParam(segment string) bool { return strings.HasPrefix(segment, "{") }

// split returns the segments of a pattern or a path, which start with a slash.
func split(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }

// withSlash returns s with a slash at its end, unless s ends with a wildcard, which includes the
// slash. Many back ends serve a path with and without the slash alike.
func (s pattern) withSlash() pattern {
	if last := s.segments[len(s.segments)-1]; last != "" && last != wildcard {
		s.segments = append(slices.Clip(s.segments), "")
	}
	return s
}

// parse parses the pattern of r. The text of its problems has no final stop.
func parse(r *toksta.Route) (pattern, *Problem) {
	if _, ok := methodIndex(r.Method); !ok && r.Method != AnyMethod {
		return pattern{}, &Problem{Field: "method", Message: "the method must be one of " + methods + ", or " + AnyMethod, Fix: "write one of them in upper case"}
	}
	if p := patternProblem(r.Pattern); p != nil {
		p.Field = "path"
		return pattern{}, p
	}
	return pattern{route: r, segments: split(r.Pattern)}, nil
}

// patternProblem returns the problem of a pattern, or nil.
func patternProblem(text string) *Problem {
	if !strings.HasPrefix(text, "/") {
		return &Problem{Message: fmt.Sprintf("the path %q does not start with a slash", text), Fix: "write it as /forecast/{city}"}
	}
	segments := split(text)
	for i, segment := range segments {
		if message, fix := segmentProblem(segment, i == len(segments)-1); message != "" {
			return &Problem{Message: fmt.Sprintf("segment %q of the path %s", segment, message), Fix: fix}
		}
		if isParam(segment) && slices.Index(segments, segment) < i {
			return &Problem{Message: fmt.Sprintf("the path has the parameter %s twice", segment), Fix: "give each parameter its own name"}
		}
	}
	return nil
}

// segmentProblem describes the problem of a segment and its remedy, or returns "". It rejects the
// same segments as checkPath, because they can never match.
func segmentProblem(segment string, last bool) (message, fix string) {
	const asText = "write the text of the segment itself, a whole {name}, or * as the last segment"
	switch {
	case segment == "" && !last:
		return "is empty", "remove one of the two slashes"
	case segment == wildcard && !last:
		return "takes the rest of the path, so it must be the last one", "write {name} for one segment"
	case segment == wildcard || segment == "" || paramPattern.MatchString(segment):
		return "", ""
	case isParam(segment):
		return "is not a whole {name}", "write a name of letters, digits, _, . and -, in braces"
	case segment[0] == ':':
		return "starts with a colon, so it would be literal text", "write {" + segment[1:] + "} for a parameter"
	case strings.ContainsAny(segment, "%*{}"):
		return "mixes text with %, *, { or }", asText
	}
	if _, err := checkPath("/" + escape(segment)); err != nil || !norm.NFKC.IsNormalString(segment) {
		return "could never be requested", asText
	}
	return "", ""
}

// escape returns a literal segment as browsers send it: bytes beyond ASCII in percent escapes.
func escape(segment string) string {
	var b strings.Builder
	for i := range len(segment) {
		if c := segment[i]; c < utf8.RuneSelf {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// spellings returns the texts of a literal segment in the paths of requests and in their readings.
func spellings(segment string) []string {
	if escaped := escape(segment); escaped != segment {
		return []string{escaped, segment}
	}
	return []string{segment}
}

// conflict returns a problem if a request can match both patterns and no rule decides between them.
// Preferring the first one would make rights depend on the order of a file.
func (s pattern) conflict(o pattern) *Problem {
	if !methodsOverlap(s.route, o.route) || !s.overlaps(o) {
		return nil
	}
	sInO, oInS := s.isSubset(o), o.isSubset(s)
	switch {
	case sInO && oInS && s.route.Method == o.route.Method:
		return &Problem{Message: fmt.Sprintf("routes %s and %s match the same paths", name(o.route), name(s.route)), Fix: "remove one"}
	case !sInO && !oInS:
		return &Problem{
			Message: fmt.Sprintf("routes %s and %s share paths and neither is narrower", name(o.route), name(s.route)),
			Fix:     "replace a {parameter} of one by literal paths",
		}
	}
	return nil
}

// name returns the method and the pattern of a route, for messages.
func name(r *toksta.Route) string { return r.Method + " " + r.Pattern }

// overlaps reports whether a path exists that matches both patterns.
func (s pattern) overlaps(o pattern) bool {
	for i := 0; ; i++ {
		sEnd, oEnd := i == len(s.segments), i == len(o.segments)
		if sEnd || oEnd {
			return sEnd && oEnd
		}
		a, b := s.segments[i], o.segments[i]
		switch {
		case a == wildcard || b == wildcard:
			return true
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

// matches reports whether the segments of a path match s.
func (s pattern) matches(path []string) bool {
	for i, p := range s.segments {
		switch {
		case i == len(path):
			return false
		case p == wildcard:
			return true
		case isParam(p) && path[i] == "":
			return false
		case !isParam(p) && !slices.Contains(spellings(p), path[i]):
			return false
		}
	}
	return len(s.segments) == len(path)
}
