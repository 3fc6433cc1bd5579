package route

import (
	"net/url"
	"slices"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// alike finds the paths that many back ends take for the path of another route, because they ignore
// the case of letters and a slash at the end, as Express does unless told otherwise. With routes for
// /v1/* and the dearer /v1/admin, a call of /v1/ADMIN would be decided as one of the first and served
// as one of the second.
type alike struct {
	exposed map[*toksta.Route]bool // wide routes that share folded paths with a stricter one
	folded  node                   // all routes, by folded patterns
	isOdd   bool                   // some pattern is not folded itself
}

// newAlike returns the alike of the routes of patterns.
func newAlike(patterns []pattern) *alike {
	a := &alike{exposed: map[*toksta.Route]bool{}}
	foldedPatterns := make([]pattern, len(patterns))
	for i, p := range patterns {
		foldedPatterns[i] = pattern{p.route, split(foldPath("/" + strings.Join(p.segments, "/")))}
		a.folded.add(foldedPatterns[i].segments, p.route)
		a.isOdd = a.isOdd || !slices.Equal(foldedPatterns[i].segments, p.segments)
	}
	for _, p := range foldedPatterns {
		for _, other := range foldedPatterns {
			if isStricter(other.route, p.route) && methodsOverlap(p.route, other.route) && p.withSlash().overlaps(other.withSlash()) &&
				!slices.Equal(p.segments, other.segments) {
				a.exposed[p.route] = true
			}
		}
	}
	return a
}

// isStricter reports whether a call of one route has a requirement or a price that a call of another
// one of the same back end does not have.
func isStricter(one, than *toksta.Route) bool {
	if one.Public || one.Upstream != than.Upstream {
		return false
	}
	return than.Public || one.Family != than.Family || one.Credits > than.Credits
}

// foldPath returns a path or pattern in lower case, without a slash at its end.
func foldPath(path string) string {
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	return strings.ToLower(path)
}

// rejects reports whether a path with the method m, which matches r, is that of a stricter route for a
// back end that ignores case and the slash at the end. any states whether the path has escapes.
func (a *alike) rejects(m int, path string, r *toksta.Route, e escapes) bool {
	if !a.exposed[r] {
		return false
	}
	if e.any {
		path, _ = url.PathUnescape(path) // checkPath has accepted the escapes
	}
	folded := foldPath(path)
	if folded == path && !a.isOdd {
		return false
	}
	other := a.folded.find(m, folded[1:])
	return other != nil && other != r && isStricter(other, r) && foldPath(other.Pattern) != foldPath(r.Pattern)
}
