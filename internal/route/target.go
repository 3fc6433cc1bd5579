package route

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// Target is the path that the upstream of a route receives. Its zero value keeps the path of the
// request. It is immutable.
type Target struct {
	pattern string // of the paths that the upstream receives
	prefix  string // that was stripped
	skip    int    // number of segments of prefix
	parts   []part // of a rewritten path; nil: the path is kept, without prefix
}

// part is a part of a rewritten path: text, followed by a part of the path of the request.
type part struct {
	text    string
	segment int  // index of the segment; -1: none
	rest    bool // the segment and everything after it
}

// NewTarget returns the target of a route whose StripPrefix and Rewrite Check has accepted.
func NewTarget(r *toksta.Route) (Target, error) {
	t, problem := newTarget(r)
	if problem != nil {
		return Target{}, fmt.Errorf("route %s: %s; %s", name(r), problem.Message, problem.Fix)
	}
	return t, nil
}

func newTarget(r *toksta.Route) (Target, *Problem) {
	switch {
	case r.StripPrefix != "" && r.Rewrite != "":
		return Target{}, &Problem{Field: "rewrite", Message: "the route has both strip_prefix and rewrite", Fix: "remove one; rewrite alone can do both"}
	case r.StripPrefix != "":
		return strip(r)
	case r.Rewrite != "":
		return rewrite(r)
	}
	return Target{pattern: r.Pattern}, nil
}

// strip returns a target without the prefix of r.
func strip(r *toksta.Route) (Target, *Problem) {
	prefix := strings.TrimSuffix(r.StripPrefix, "/")
	rest, ok := strings.CutPrefix(r.Pattern, prefix)
	switch {
	case !ok || rest != "" && rest[0] != '/' || !strings.HasPrefix(prefix, "/"):
		return Target{}, &Problem{Field: "strip_prefix", Message: fmt.Sprintf("the path %s does not start with the prefix %q", r.Pattern, r.StripPrefix), Fix: "write the first segments of the path, such as /weather"}
	case strings.ContainsAny(prefix, "{*"):
		return Target{}, &Problem{Field: "strip_prefix", Message: "the prefix has a parameter", Fix: "write literal segments, or use rewrite"}
	case rest == "":
		rest = "/"
	}
	return Target{pattern: rest, prefix: escape(prefix), skip: strings.Count(prefix, "/")}, nil
}

// rewrite returns a target with the path that r.Rewrite makes of the parameters of r.Pattern.
func rewrite(r *toksta.Route) (Target, *Problem) {
	if p := patternProblem(r.Rewrite); p != nil {
		p.Field, p.Message = "rewrite", "rewrite: "+p.Message
		return Target{}, p
	}
	t := Target{pattern: r.Rewrite}
	from, text := split(r.Pattern), ""
	for _, segment := range split(r.Rewrite) {
		text += "/"
		if !isParam(segment) && segment != wildcard {
			text += escape(segment)
			continue
		}
		i := slices.Index(from, segment)
		if i < 0 {
			return Target{}, &Problem{Field: "rewrite", Message: fmt.Sprintf("the path %s has no %s", r.Pattern, segment), Fix: "use only parameters of the path, and * only if the path ends with it"}
		}
		t.parts = append(t.parts, part{text, i, segment == wildcard})
		text = ""
	}
	if text != "" {
		t.parts = append(t.parts, part{text: text, segment: -1})
	}
	return t, nil
}

// Path returns the path for the upstream of a request's path that matched the route. Escapes stay as
// they were sent. If neither a prefix nor a rewrite is configured, it returns path without allocating.
func (t *Target) Path(path string) string {
	if t.parts == nil {
		if path = after(path, t.skip); path == "" {
			return "/"
		}
		return path
	}
	var b strings.Builder
	for _, p := range t.parts {
		b.WriteString(p.text)
		if p.segment < 0 {
			continue
		}
		rest := after(path, p.segment)[1:]
		if end := strings.IndexByte(rest, '/'); end >= 0 && !p.rest {
			rest = rest[:end]
		}
		b.WriteString(rest)
	}
	return b.String()
}

// Prefix returns the prefix that the target strips from paths, or "".
func (t *Target) Prefix() string { return t.prefix }

// after returns path after n segments, from the slash of the next one.
func after(path string, n int) string {
	for ; n > 0; n-- {
		end := strings.IndexByte(path[1:], '/')
		if end < 0 {
			return ""
		}
		path = path[1+end:]
	}
	return path
}
