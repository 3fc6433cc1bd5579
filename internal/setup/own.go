package setup

import (
	"fmt"
	"slices"
	"strings"
)

// ownEndpoints returns the section endpoints of a new file. An endpoint of our own that
// has the path of a route gets another path; a probe is switched off then.
func ownEndpoints(routes []Route) string {
	taken := func(path string) bool {
		return slices.ContainsFunc(routes, func(r Route) bool { return r.Path == path })
	}
	free := func(paths ...string) string {
		for _, path := range paths {
			if !taken(path) {
				return path
			}
		}
		return `""`
	}
	out := []string{"usage: " + free("/usage", "/account-usage", "/api-usage"), `routes: ""`}
	for _, own := range []struct{ name, path, other string }{
		{"docs", "/docs", "/api-docs"}, {"health", "/health", ""}, {"ready", "/ready", ""}, {"version", "/version", ""},
	} {
		switch {
		case !taken(own.path):
		case own.other == "":
			out = append(out, own.name+`: ""`)
		default:
			out = append(out, own.name+": "+free(own.other))
		}
	}
	return strings.Join(out, ", ")
}

// headerPrefix returns the prefix of header fields for a product: "X-Weather" for
// "Weather API". It keeps ASCII letters and digits only.
func headerPrefix(product string) string {
	words := strings.FieldsFunc(product, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9')
	})
	if len(words) > 1 && strings.EqualFold(words[len(words)-1], "API") {
		words = words[:len(words)-1]
	}
	name := strings.Join(words, "-")
	if name == "" {
		name = "API"
	}
	return "X-" + strings.TrimRight(fmt.Sprintf("%.28s", name), "-")
}
