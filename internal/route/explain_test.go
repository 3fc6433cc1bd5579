package route

import (
	"strings"
	"testing"

	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: an operator sees which route serves a call, and why every other one does not.
func TestExplain(t *testing.T) {
	t.Parallel()
	tbl := table(t, "GET /a/{id}", "POST /a/{id}", "* /a/{id}", "GET /a/b", "GET /a/*", "* /*", "GET /Case", "GET /slash/")
	for _, c := range []struct {
		call, want string
		others     []string
	}{
		{"GET /a/b", "GET /a/b", []string{
			`GET /a/{id}: its path is wider: the parameter {id} at segment 2, where /a/b has the text "b"`,
			`POST /a/{id}: it serves POST, not GET`,
			`* /a/{id}: its path is wider: the parameter {id} at segment 2, where /a/b has the text "b"`,
			`GET /a/*: its path is wider: the rest * at segment 2, where /a/b has the text "b"`,
			`* /*: its path is wider: the rest * at segment 1, where /a/b has the text "a"`,
		}},
		{"HEAD /a/c", "GET /a/{id}", []string{
			`* /a/{id}: it has the same path, and the method GET is more specific than *`, `POST /a/{id}: it serves POST, not HEAD`,
		}},
		{"GET /%61/b", "BAD_REQUEST", []string{`* /*: the spelling of the path is ambiguous`}},
		{"GET /a/../b", "BAD_REQUEST", nil},
		{"TRACE /a/c", "METHOD_NOT_ALLOWED DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT", []string{`GET /a/{id}: no route can have the method TRACE`, `* /*: no route can have the method TRACE`}},
	} {
		method, path, _ := strings.Cut(c.call, " ")
		r, others, err := tbl.Explain(method, path)
		got := ""
		for _, o := range others {
			got += o.Route.Operation + ": " + o.Why + "\n"
		}
		if describe(r, err) != c.want {
			t.Errorf("%s: %s, want %s", c.call, describe(r, err), c.want)
		}
		for _, want := range c.others {
			if !strings.Contains(got, want+"\n") {
				t.Errorf("%s: no %q in\n%s", c.call, want, got)
			}
		}
		if c.others == nil && got != "" {
			t.Errorf("%s: %s", c.call, got)
		}
	}
	near := table(t, "GET /Case", "GET /slash/")
	for path, want := range map[string]string{"/case": "it differs in upper and lower case", "/slash": "it differs in the slash at the end", "/none": "", "/": ""} {
		_, others, _ := near.Explain("GET", path)
		if want == "" && len(others) > 0 || want != "" && (len(others) != 1 || others[0].Why != want) {
			t.Errorf("%s: %v, want %q", path, others, want)
		}
	}
}

// Guarantee: the upstream receives exactly the path that strip_prefix and rewrite describe, with
// escapes as they were sent.
func TestTarget(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ pattern, strip, rewrite, path, want string }{
		{"/weather/{city}", "", "", "/weather/a%20b", "/weather/a%20b"},
		{"/weather/{city}", "/weather", "", "/weather/a%20b", "/a%20b"},
		{"/weather/*", "/weather/", "", "/weather/", "/"},
		{"/weather", "/weather", "", "/weather", "/"},
		{"/städte/*", "/städte", "", "/st%C3%A4dte/a/b/", "/a/b/"},
		{"/a/b/*", "/a/b", "", "/a/b/c/d", "/c/d"},
		{"/weather/{city}/{day}", "", "/api/{day}/of/{city}", "/weather/Bj%C3%B6rk/7", "/api/7/of/Bj%C3%B6rk"},
		{"/weather/{city}", "", "/api/städte", "/weather/x", "/api/st%C3%A4dte"},
		{"/weather/{city}/*", "", "/{city}/x/*", "/weather/a/b/c/", "/a/x/b/c/"},
		{"/weather/*", "", "/api/*", "/weather/", "/api/"},
		{"/weather/*", "", "/", "/weather/x", "/"},
		{"/*", "", "/base/*", "/", "/base/"},
	} {
		target, err := NewTarget(&toksta.Route{Method: "GET", Pattern: c.pattern, StripPrefix: c.strip, Rewrite: c.rewrite})
		if err != nil {
			t.Errorf("%+v: %v", c, err)
		} else if got := target.Path(c.path); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	for _, c := range []struct{ pattern, strip, rewrite, want string }{
		{"/weather/{city}", "/rain", "", "does not start with the prefix"},
		{"/weather/{city}", "/weath", "", "does not start with the prefix"},
		{"/weather/{city}", "weather", "", "does not start with the prefix"},
		{"/weather/{city}", "/weather/{city}", "", "has a parameter"},
		{"/weather/{city}", "/weather", "/x", "both strip_prefix and rewrite"},
		{"/weather/{city}", "", "/{town}", "has no {town}"},
		{"/weather/{city}", "", "/*", "has no *"},
		{"/weather/{city}", "", "api", "does not start with a slash"},
		{"/weather/{city}", "", "/a//b", "is empty"},
		{"/weather/{city}", "", "/../{city}", "could never be requested"},
	} {
		if _, err := New([]toksta.Route{{Method: "GET", Pattern: c.pattern, StripPrefix: c.strip, Rewrite: c.rewrite}}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// Guarantee: no call without a key reaches the back end's endpoint behind a route with a key.
func TestPublicRoutesExposeNothing(t *testing.T) {
	t.Parallel()
	keyed := func(line, rewrite string) toksta.Route {
		method, pattern, _ := strings.Cut(line, " ")
		return toksta.Route{Method: method, Pattern: pattern, Operation: line, Family: "data", Upstream: "b", Rewrite: rewrite}
	}
	public := func(line, rewrite string) toksta.Route {
		r := keyed(line, rewrite)
		r.Public, r.Family = true, ""
		return r
	}
	for name, c := range map[string]struct {
		a, b    toksta.Route
		exposes bool
	}{
		"narrower":                     {public("GET /a/status", ""), keyed("* /a/*", ""), false},
		"narrower by a parameter":      {public("GET /a/{x}", ""), keyed("* /a/*", ""), false},
		"another method":               {public("POST /a/{x}", ""), keyed("GET /a/{x}", ""), false},
		"own method of any":            {public("POST /a/{x}", ""), keyed("* /a/{x}", ""), false},
		"apart":                        {public("* /hooks/*", ""), keyed("* /a/*", ""), false},
		"wider":                        {public("* /*", ""), keyed("GET /a/{x}", ""), true},
		"wider by one segment":         {public("GET /a/{x}", ""), keyed("GET /a/b", ""), true},
		"slash at the end":             {public("GET /a/{x}", ""), keyed("GET /a/b/", ""), true},
		"without the slash":            {public("GET /a/{x}/", ""), keyed("GET /a/b", ""), true},
		"wildcard of the slash":        {public("GET /a/*", ""), keyed("GET /a", ""), true},
		"slash below a wildcard":       {public("GET /a/", ""), keyed("GET /a/*", ""), false},
		"any method":                   {public("* /a/b", ""), keyed("GET /a/b", ""), true},
		"rewritten to the same path":   {public("GET /open", "/a"), keyed("GET /a", ""), true},
		"rewritten to wider paths":     {public("GET /open/*", "/*"), keyed("GET /a/{x}", ""), true},
		"rewritten to narrower paths":  {public("GET /open/{x}", "/a/x"), keyed("GET /a/{x}", ""), false},
		"rewritten, of another method": {public("POST /open", "/a"), keyed("GET /a", ""), false},
	} {
		for _, rs := range [][]toksta.Route{{c.a, c.b}, {c.b, c.a}} {
			problems := Check(rs)
			if (len(problems) == 1 && strings.Contains(problems[0].Message, "needs a key")) != c.exposes || len(problems) > 1 {
				t.Errorf("%s: %+v", name, problems)
			}
		}
	}
	other := keyed("GET /a", "")
	other.Upstream = "c"
	if p := Check([]toksta.Route{public("GET /open", "/a"), other}); p != nil {
		t.Errorf("another upstream: %+v", p)
	}
}
