package setup

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/openapi"
)

// document parses an OpenAPI document with the given paths.
func document(t *testing.T, text string) *openapi.Document {
	t.Helper()
	doc, err := openapi.Parse([]byte("openapi: 3.1.0\n" + text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// entries returns the lines of routes.
func entries(routes []Route) []string {
	var out []string
	for _, r := range routes {
		out = append(out, r.entry())
	}
	return out
}

// notes returns the texts of notes.
func notes(list []Note) string {
	var b strings.Builder
	for _, n := range list {
		b.WriteString(n.String() + "\n")
	}
	return b.String()
}

// An operation becomes a route with the path of its server, its id and its first
// tag.
func TestMap(t *testing.T) {
	doc := document(t, `
servers: [{url: "https://example.com/v2/"}]
tags: [{name: Forecast & More, description: "The next days. And nights."}]
paths:
  /forecast/{city}:
    get: {operationId: getForecast, tags: [Forecast & More, other]}
    delete: {}
  /stations/{station id}: {post: {operationId: stations/create, tags: [account]}}
  /open: {get: {operationId: getForecast, security: []}}
`)
	m := Map(doc, Options{Upstream: "backend"})
	want := []string{
		`- {method: GET, path: "/v2/forecast/{city}", operation: getForecast, family: forecast_more, upstream: backend}`,
		`- {method: DELETE, path: "/v2/forecast/{city}", operation: deleteForecastCity, family: api, upstream: backend}`,
		`- {method: POST, path: "/v2/stations/{station_id}", operation: stations.create, family: account_api, upstream: backend}`,
		`- {method: GET, path: /v2/open, operation: getForecast_2, family: api, upstream: backend}`,
	}
	if diff := cmp.Diff(want, entries(m.Routes)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Family{{"forecast_more", "The next days"}, {"account_api", "account"}, {"api", "All other operations"}}, m.Families); diff != "" {
		t.Error(diff)
	}
	report := notes(m.Notes)
	for _, part := range []string{
		`"getForecast" is used twice; this operation is "getForecast_2"`, "10: GET /open: The document states that this operation needs no credential; the route needs a key",
		`"stations/create" is "stations.create"`, "more than one tag: 1", `tag "account" is "account_api"`,
	} {
		if !strings.Contains(report, part) {
			t.Errorf("the report lacks %s:\n%s", part, report)
		}
	}
	if len(m.LeftOut) > 0 {
		t.Errorf("left out: %v", m.LeftOut)
	}
	base := ""
	public := Map(doc, Options{Upstream: "backend", Base: &base, Public: true}).Routes[3].entry()
	if public != "- {method: GET, path: /open, operation: getForecast_2, access: public, upstream: backend}" {
		t.Error(public)
	}
}

// What a route cannot express is reported with its line and a remedy, and a route
// without a key is never made from a document alone.
func TestLeftOut(t *testing.T) {
	for name, c := range map[string]struct{ paths, want string }{
		"part of a segment": {"/a/{id}.json: {get: {}}", `4: GET /a/{id}.json: The segment "{id}.json" mixes text with a parameter`},
		"two parameters":    {"'/a/{x}{y}': {get: {}}", `"{x}{y}" mixes text`},
		"method":            {"/a: {trace: {}}", "4: TRACE /a: The method must be one of"},
		"no slash":          {"a: {get: {}}", `The path "a" does not start with a slash`},
		"empty segment":     {"/a//b: {get: {}}", `Segment "" of the path is empty`},
		"dot segment":       {"/a/../b: {get: {}}", "could never be requested"},
		"wildcard":          {"/a/*/b: {get: {}}", "must be the last one"},
		"same path":         {"'/a/{x}': {get: {}}\n  '/a/{y}': {get: {}}", "GET /a/{y}: Its calls take the route of getAX, which has the same path"},
		"ambiguous":         {"'/a/{x}': {get: {}}\n  '/{x}/b': {get: {}}", "share paths and neither is narrower"},
		"fragment":          {"'/a#x': {get: {}}\n  '/a': {get: {operationId: plain}}", "4: GET /a#x: Its calls take the route of plain"},
	} {
		doc := document(t, "info: {title: x}\npaths:\n  "+c.paths+"\n")
		m := Map(doc, Options{Upstream: "backend"})
		if len(m.LeftOut) != 1 || !strings.Contains(notes(m.LeftOut), c.want) || len(m.Routes)+1 != len(doc.Operations) {
			t.Errorf("%s: %d routes of %d operations: %s", name, len(m.Routes), len(doc.Operations), notes(m.LeftOut))
		}
	}
	schemes := `components: {securitySchemes: {c: {type: apiKey, in: cookie, name: sid}, b: {type: http, scheme: bearer}, d: {type: http, scheme: basic}}}`
	report := notes(Map(document(t, schemes+"\nsecurity: [{c: []}, {b: []}, {d: []}]\npaths: {/a: {get: {}}}"), Options{}).Notes)
	if !strings.Contains(report, "a key in the cookie sid (c): 1") || !strings.Contains(report, "basic authentication (d): 1") || strings.Contains(report, "(b)") {
		t.Error(report)
	}
}

// Of conflicting routes, those are left out that keep the most of the others.
func TestConflictsKeepMostRoutes(t *testing.T) {
	paths := "paths:\n  '/f/up/{id}': {get: {}}\n"
	for i := range 5 {
		paths += fmt.Sprintf("  '/f/{id}/x%d': {get: {}}\n", i)
	}
	m := Map(document(t, paths), Options{})
	if len(m.Routes) != 5 || len(m.LeftOut) != 1 || m.LeftOut[0].Where != "GET /f/up/{id}" {
		t.Errorf("%d routes, left out: %s", len(m.Routes), notes(m.LeftOut))
	}
}

// A document in which every path conflicts with many others is mapped in a bounded
// number of checks of the whole table.
func TestManyConflicts(t *testing.T) {
	paths := "paths:\n"
	for i := range 300 {
		paths += fmt.Sprintf("  '/f/{p%d}': {get: {}}\n  '/f/%d/{x}': {get: {}}\n  '/f/{x}/%d': {get: {}}\n", i, i, i)
	}
	m := Map(document(t, paths), Options{})
	if len(m.Routes)+len(m.LeftOut) != 900 || len(m.Routes) == 0 {
		t.Errorf("%d routes, %d left out", len(m.Routes), len(m.LeftOut))
	}
}

// mergeCase is one edit of a file by the routes GET /a (family api) and GET /b/{id}
// (family other).
type mergeCase struct {
	file, want string
	keep       bool
}

// mergeCases returns files before and after the edit.
func mergeCases() map[string]mergeCase {
	const (
		a = "- {method: GET, path: /a, operation: getA, family: api, upstream: backend}\n"
		b = "- {method: GET, path: \"/b/{id}\", operation: getB, family: other, upstream: backend}\n"
		f = "- {name: api, description: \"All other operations\"}\n"
		o = "- {name: other, description: other}\n"
	)
	return map[string]mergeCase{
		"empty": {"", "\nfamilies:\n  " + f[:len(f)-1] + "\n  " + o + "\nroutes:\n  " + a + "  " + b, false},
		"comments and prices stay": {
			"# head\nfamilies: # groups\n- name: api # own\n- {name: other}\n\n# routes of mine\nroutes:\n  # the best\n  - path: /a   # here\n    method: GET\n    operation: mine\n    credits: 3\n\n  - {method: [GET, PUT], path: \"/b/{x}\"}\n# end\nkeys: {prefix: x_}\n",
			"# head\nfamilies: # groups\n- name: api # own\n- {name: other}\n\n# routes of mine\nroutes:\n  # the best\n  - path: /a   # here\n    method: GET\n    operation: mine\n    credits: 3\n\n  - {method: [GET, PUT], path: \"/b/{x}\"}\n# end\nkeys: {prefix: x_}\n",
			false,
		},
		"add and remove": {
			"families: []  # none yet\nroutes:\n    # old\n    - method: GET\n      path: /old\n    # usage\n    - {method: GET, path: /u, family: account}\n# tail\nx: 1",
			"families:  # none yet\n  " + f + "  " + o + "routes:\n    # old\n    # usage\n    - {method: GET, path: /u, family: account}\n    " + a + "    " + b + "# tail\nx: 1",
			false,
		},
		"keep": {
			"families:\n  " + f + "  " + o + "routes:\n  - {method: GET, path: /old}",
			"families:\n  " + f + "  " + o + "routes:\n  - {method: GET, path: /old}\n  " + a + "  " + b,
			true,
		},
		"any method": {
			"families:\n  " + f + "  " + o + "routes:\n  - {method: \"*\", path: /a}\n  - {method: \"*\", path: \"/*\"}\n",
			"families:\n  " + f + "  " + o + "routes:\n  - {method: \"*\", path: /a}\n  " + b,
			false,
		},
		"line breaks of Windows": {
			"families:\r\n- {name: api}\r\n- {name: other}\r\nroutes:\r\n- {method: GET, path: /a}\r\n",
			"families:\r\n- {name: api}\r\n- {name: other}\r\nroutes:\r\n- {method: GET, path: /a}\r\n" + b[:len(b)-1] + "\r\n",
			false,
		},
	}
}

// An edit changes only the entries that are added and removed: every other byte of
// the file stays. A second edit changes nothing.
func TestMerge(t *testing.T) {
	m := Map(document(t, "paths: {/a: {get: {operationId: getA}}, '/b/{id}': {get: {operationId: getB, tags: [other]}}}"), Options{Upstream: "backend"})
	for name, c := range mergeCases() {
		m.Families = []Family{{"api", "All other operations"}, {"other", "other"}}
		change, err := Merge(c.file, m, c.keep)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.want, change.Text); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if again, err := Merge(change.Text, m, c.keep); err != nil || !again.IsEmpty() || again.Text != change.Text {
			t.Errorf("%s: the second edit changes the file: %v\n%s", name, err, again.Diff())
		}
		if strings.Count(change.Diff(), "\n") != len(change.Added)+len(change.Removed)+len(change.Families) {
			t.Errorf("%s: the difference is not complete: %s", name, change.Diff())
		}
	}
}

// A file that cannot be edited by lines is an error with its line.
func TestMergeRejected(t *testing.T) {
	m := Mapping{Routes: []Route{{Method: "GET", Path: "/a"}}}
	for text, want := range map[string]string{
		"routes: [{path: /a}]\n":      "line 1: routes is not a list with one entry on each line",
		"x: 1\nroutes: {a: b}\n":      "line 2: routes is not a list",
		"families: &a\n  b: c\n":      "families is not a list",
		"- a\n":                       "not a map of settings",
		"routes:\n\t- {path: /a}\n":   "not YAML",
		"a: [\n":                      "not YAML",
		"routes: &r\n- a\nx: *nope\n": "not YAML",
	} {
		if _, err := Merge(text, m, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// Answers with characters that YAML reserves stay what they are.
func TestQuotes(t *testing.T) {
	for text, want := range map[string]string{
		"Weather": "Weather", "Weather API": `"Weather API"`, `a "b" \`: `"a \"b\" \\"`, "x: y # z": `"x: y # z"`,
		"true": `"true"`, "*": `"*"`, "/a/{b}": `"/a/{b}"`, "a\nb": `"a\u000Ab"`, "": `""`, "Größe": `"Größe"`, "8": `"8"`,
		"http://localhost:8080": "http://localhost:8080", "http://x:": `"http://x:"`, "http://[::1]:80": `"http://[::1]:80"`,
	} {
		if got := quoteYAML(text); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

// The derived answers are valid settings.
func TestDerivedAnswers(t *testing.T) {
	for in, want := range map[string]string{"Weather API": "weather_live_", "wx": "wx_live_", "wx_test_": "wx_test_", "天気": "key_live_", "3 D": "key_live_"} {
		if got := Prefix(in); got != want {
			t.Errorf("prefix of %s: %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"http://localhost:9090": "127.0.0.1:9090", "http://[::1]:9090": "[::1]:9090", "https://api.example.com": "127.0.0.1:8080", "https://api.example.com:8443": "127.0.0.1:8080",
	} {
		if got := listenAddress(in); got != want {
			t.Errorf("address for %s: %s, want %s", in, got, want)
		}
	}
	routes := []Route{{Method: "POST", Path: "/v2/a", sample: "/v2/a"}, {Method: "GET", Path: "/v2/b/{x}", sample: "/v2/b/Oslo"}}
	if method, path := FirstCall(routes); method+path != "GET/v2/b/Oslo" {
		t.Error(method, path)
	}
	if got, moved := WithoutBase("http://b:1/v2/", routes); !moved || got != "http://b:1" {
		t.Error(got, moved)
	}
	if got, moved := WithoutBase("http://b:1/v3", routes); moved || got != "http://b:1/v3" {
		t.Error(got, moved)
	}
}
