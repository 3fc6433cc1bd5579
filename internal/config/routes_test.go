package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/sdk/toksta"
)

// lines returns the routes of a catalog in the form "METHOD path operation family upstream".
func lines(routes []toksta.Route) (out []string) {
	for _, r := range routes {
		out = append(out, strings.Join([]string{r.Method, r.Pattern, r.Operation, string(r.Family), r.Upstream}, " "))
	}
	return out
}

// Guarantee: the implied usage endpoint keeps its place in the shipped list of routes, and earlier
// configurations that list it mean the same.
func TestUsageIsImplied(t *testing.T) {
	t.Parallel()
	shipped := lines(Default().Catalog().Routes)
	if i := slices.Index(shipped, "GET /v1/account/usage getAccountUsage account "); i != 17 {
		t.Errorf("position %d of %v", i, shipped)
	}
	for name, c := range map[string]struct{ text, path, routes, families string }{
		"replaced routes":          {"routes: [{method: GET, path: /x, family: data}]", "/v1/account/usage", "GET /x get_x data backend|GET /v1/account/usage getAccountUsage account ", "data,job,account,workspace"},
		"moved":                    {"endpoints: {usage: /usage}\nroutes: [{method: GET, path: /x, family: data}]", "/usage", "GET /x get_x data backend|GET /usage getAccountUsage account ", "data,job,account,workspace"},
		"switched off":             {"endpoints: {usage: ''}\nroutes: [{method: GET, path: /x, family: data}]", "", "GET /x get_x data backend", "data,job,account,workspace"},
		"listed":                   {"routes: [{method: GET, path: /v1/account/usage, operation: getAccountUsage, family: account}]", "/v1/account/usage", "GET /v1/account/usage getAccountUsage account ", "data,job,account,workspace"},
		"listed elsewhere":         {"routes: [{method: GET, path: /v1/me, family: account, cost_key: me}]", "/v1/me", "GET /v1/me getAccountUsage account ", "data,job,account,workspace"},
		"families without account": {"families: [{name: f}]\nplans: [{id: FREE, name: Free, source: saas, api: never, families: [f]}]\nroutes: [{method: GET, path: /x, family: f}]", "/v1/account/usage", "GET /x get_x f backend|GET /v1/account/usage getAccountUsage account ", "f,account"},
		"no account at all":        {"endpoints: {usage: ''}\nfamilies: [{name: f}]\nplans: [{id: FREE, name: Free, source: saas, api: never, families: [f]}]\nroutes: [{method: GET, path: /x, family: f}]", "", "GET /x get_x f backend", "f"},
	} {
		cfg, err := loadText(t, c.text+"\n")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var families []string
		for _, f := range cfg.Families {
			families = append(families, string(f.Name))
		}
		if got := strings.Join(lines(cfg.Catalog().Routes), "|"); got != c.routes || cfg.UsagePath() != c.path || strings.Join(families, ",") != c.families {
			t.Errorf("%s: %s, usage at %q, families %v", name, got, cfg.UsagePath(), families)
		}
	}
	cfg, err := loadText(t, "families: [{name: f}]\nplans: [{id: FREE, name: Free, source: saas, api: never, families: [f]}]\nroutes: [{method: GET, path: /x, family: f}]\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]toksta.Family{"f", "account"}, cfg.Plans[0].Families); diff != "" {
		t.Error(diff)
	}
}

// Guarantee: a route may have any path that the account pages leave, and each mistake is one problem at
// its setting.
func TestRoutes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{method: GET, path: '/forecast/{city}', family: data}":                                    "",
		"{method: [GET, POST], path: /städte/*, family: data}":                                     "",
		"{method: '*', path: '/*', family: data}":                                                  "",
		"{method: OPTIONS, path: '/x', family: data}":                                              "",
		"{method: POST, path: /acme.v1.Creators/Find, family: data}":                               "",
		"{method: POST, path: '/hooks/{x}', access: public}":                                       "",
		"{method: GET, path: '/w/{x}', family: data, strip_prefix: /w, max_body: 1KiB}":            "",
		"{method: GET, path: '/w/{x}', family: data, rewrite: '/a/{x}', timeout: 5s}":              "",
		"{method: GET, path: /x, family: data}, {method: '*', path: /hooks/*, access: public}":     "",
		"{method: GET, path: /account/x, family: data}":                                            "routes[0]: The path /account/x belongs to the account pages",
		"{method: GET, path: /, family: data}":                                                     "routes[0]: The path / belongs",
		"{method: GET, path: /docs, family: data}":                                                 "move Toksta's own endpoint with endpoints.docs",
		"{method: GET, path: /docs/json, family: data}":                                            "move Toksta's own endpoint with endpoints.docs",
		"{method: GET, path: /v1/:city, family: data}":                                             `routes[0].path: Segment ":city" of the path starts with a colon`,
		"{method: GET, path: '/{a}', family: data}, {method: GET, path: '/{b}', family: data}":     "routes[1].path: Routes GET /{a} and GET /{b} match the same paths",
		"{method: [GET, '*'], path: /x, family: data}":                                             "routes[0].method: The list has * beside",
		"{method: [], path: /x, family: data}":                                                     "routes[0].method: The route has no method",
		"{method: [GET, GET], path: /x, family: data}":                                             "match the same paths",
		"{method: LINK, path: /x, family: data}":                                                   "routes[0].method: The method must be one of",
		"{method: GET, path: /x}":                                                                  "routes[0].family: The route has no family",
		"{method: GET, path: /x, access: open, family: data}":                                      "routes[0].access",
		"{method: GET, path: /x, access: public, family: data}":                                    "routes[0].family: The route is public",
		"{method: GET, path: /x, access: public, credits: 1}":                                      "routes[0]: The route is public",
		"{method: GET, path: /x, access: public, weight: 2}":                                       "routes[0]: The route is public",
		"{method: GET, path: '/x/{a}', family: data}, {method: GET, path: '/x/*', access: public}": "routes[1].path: The public route GET /x/* reaches the paths of GET /x/{a}",
		"{method: GET, path: /x, family: data, rewrite: '/{a}'}":                                   "routes[0].rewrite: The path /x has no {a}",
		"{method: GET, path: /x, family: data, strip_prefix: /y}":                                  "routes[0].strip_prefix: The path /x does not start",
		"{method: GET, path: /x, family: data, timeout: 5ns}":                                      "routes[0].timeout",
	} {
		_, err := loadText(t, "routes: ["+text+"]\n")
		switch {
		case want == "" && err != nil, want != "" && err == nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (!strings.Contains(err.Error(), want) || strings.Count(err.Error(), "\n") > 0):
			t.Errorf("%s: %v, want only %q", text, err, want)
		}
	}
	if _, err := loadText(t, "listen: {pages: '127.0.0.1:8082'}\npages_url: http://127.0.0.1:8082\nroutes: [{method: GET, path: /, family: data}]\n"); err != nil {
		t.Errorf("pages elsewhere: %v", err)
	}
}

// Guarantee: the name of a route without an operation is stable and valid.
func TestOperationName(t *testing.T) {
	t.Parallel()
	for call, want := range map[string]string{
		"GET /forecast/{city}": "get_forecast_by_city", "GET,POST /a": "get_post_a", "* /*": "any_rest", "GET /": "get_root",
		"GET /a/": "get_a_slash", "POST /v1/jobs/results:bulk": "post_v1_jobs_results_bulk", "GET /städte/{x}": "get_st_dte_by_x",
	} {
		methods, path, _ := strings.Cut(call, " ")
		if got := operationName(strings.Split(methods, ","), path); got != want {
			t.Errorf("%s: %s, want %s", call, got, want)
		}
	}
	if long := operationName([]string{"GET"}, "/"+strings.Repeat("a", 200)); !operationPattern.MatchString(long) || long == operationName([]string{"GET"}, "/"+strings.Repeat("a", 201)) {
		t.Error(long)
	}
}

// Guarantee: endpoints and origins that could not work are rejected.
func TestEndpointsAndCORS(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"endpoints: {docs: '/d', health: '', ready: '/livez', routes: ''}": "",
		"endpoints: {usage: '/u/{x}'}":                                     "endpoints.usage",
		"endpoints: {docs: '/docs/'}":                                      "endpoints.docs",
		"endpoints: {health: health}":                                      "endpoints.health",
		"endpoints: {health: /x, ready: /x}":                               "match the same paths",
		"endpoints: {usage: /account/usage}":                               "belongs to the account pages",
		"cors: {origins: ['https://app.example.com', 'http://localhost:3000'], headers: [Idempotency-Key]}": "",
		"cors: {origins: ['*']}":                                   "",
		"cors: {origins: ['*', 'https://a.example']}":              "cors.origins",
		"cors: {origins: ['https://a.example/']}":                  "cors.origins",
		"cors: {origins: ['https://A.example']}":                   "cors.origins",
		"cors: {origins: ['https://a.example:443']}":               "cors.origins",
		"cors: {origins: ['null']}":                                "cors.origins",
		"cors: {origins: ['a.example']}":                           "cors.origins",
		"cors: {origins: ['https://*.example']}":                   "cors.origins",
		"cors: {origins: ['https://a.example'], headers: ['a b']}": "cors.headers",
		"cors: {max_age: -1s}":                                     "cors.max_age",
	} {
		cfg, err := loadText(t, text+"\n")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if warns := strings.Contains(strings.Join(cfg.Warnings(), "\n"), "cors.origins"); err == nil && warns != strings.Contains(text, "origins") {
			t.Errorf("%s: %v", text, cfg.Warnings())
		}
	}
}
