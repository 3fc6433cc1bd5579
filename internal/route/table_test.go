package route

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/toksta/toksta/sdk/toksta"
)

func routes(lines ...string) []toksta.Route {
	var out []toksta.Route
	for _, line := range lines {
		method, pattern, _ := strings.Cut(line, " ")
		out = append(out, toksta.Route{Method: method, Pattern: pattern, Operation: line, Family: "data"})
	}
	return out
}

func table(t testing.TB, lines ...string) *Table {
	t.Helper()
	tbl, err := New(routes(lines...))
	if err != nil {
		t.Fatal(err)
	}
	return tbl
}

var contract = []string{
	"GET /v1/", "POST /v1/creators/search", "GET /v1/creators/{id}", "POST /v1/creators/enrich",
	"GET /v1/jobs/{id}", "POST /v1/jobs/{id}", "POST /v1/jobs/results", "POST /v1/jobs/results:bulk", "POST /v1/jobs/{id}/cancel",
	"GET /v1/campaigns", "POST /v1/campaigns", "GET /v1/campaigns/{id}", "GET /v1/files/*", "GET /v1/files/public/{name}",
	"* /v1/any/{x}", "GET /v1/any/{x}", "PUT /v1/any/{x}", "* /v1/any/own", "GET /v1/städte/{name}", "GET /v1/w/{x}/{y}", "GET /v1/w/words/{x}",
}

// Guarantee: a request goes to its configured route, and not to a similar one with other rights and
// another price.
func TestMatch(t *testing.T) {
	t.Parallel()
	tbl := table(t, contract...)
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/v1/", "GET /v1/"},
		{"GET", "/v1", "NOT_FOUND"},
		{"GET", "/v1/creators/search", "GET /v1/creators/{id}"},
		{"POST", "/v1/creators/search", "POST /v1/creators/search"},
		{"POST", "/v1/creators/search/", "NOT_FOUND"},
		{"POST", "/v1/creators/Search", "METHOD_NOT_ALLOWED GET, HEAD"},
		{"POST", "/v1/jobs/results", "POST /v1/jobs/results"},
		{"POST", "/v1/jobs/results:bulk", "POST /v1/jobs/results:bulk"},
		{"GET", "/v1/jobs/results", "GET /v1/jobs/{id}"},
		{"HEAD", "/v1/jobs/7", "GET /v1/jobs/{id}"},
		{"POST", "/v1/jobs/results/cancel", "POST /v1/jobs/{id}/cancel"},
		{"POST", "/v1/jobs/%72esults", "BAD_REQUEST"},
		{"POST", "/v1/jobs/results%3Abulk", "BAD_REQUEST"},
		{"POST", "/v1/jobs/results%3abulk", "BAD_REQUEST"},
		{"GET", "/v1/creators/a%20b", "GET /v1/creators/{id}"},
		{"GET", "/v1/%63reators/7", "NOT_FOUND"},
		{"GET", "/v1/creators/", "NOT_FOUND"},
		{"GET", "/v1/files/a/b/", "GET /v1/files/*"},
		{"GET", "/v1/files/", "GET /v1/files/*"},
		{"GET", "/v1/files", "NOT_FOUND"},
		{"HEAD", "/v1/files/a", "GET /v1/files/*"},
		{"PUT", "/v1/any/a", "PUT /v1/any/{x}"},
		{"OPTIONS", "/v1/any/a", "* /v1/any/{x}"},
		{"HEAD", "/v1/any/a", "GET /v1/any/{x}"},
		{"PUT", "/v1/any/own", "* /v1/any/own"},
		{"TRACE", "/v1/any/own", "METHOD_NOT_ALLOWED DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"},
		{"GET", "/v1/creators/Bj%C3%B6rk", "GET /v1/creators/{id}"},
		{"GET", "/v1/st%C3%A4dte/a", "GET /v1/städte/{name}"},
		{"GET", "/v1/st%c3%a4dte/a", "NOT_FOUND"},
		{"GET", "/v1/sta%CC%88dte/a", "NOT_FOUND"},
		{"GET", "/v1/w/%EF%BD%97ords/a", "BAD_REQUEST"},
		{"GET", "/v1/files/public/a", "GET /v1/files/public/{name}"},
		{"GET", "/v1/files/public/a/b", "GET /v1/files/*"},
		{"OPTIONS", "/v1/campaigns", "METHOD_NOT_ALLOWED GET, HEAD, POST"},
		{"TRACE", "/v1/campaigns", "METHOD_NOT_ALLOWED GET, HEAD, POST"},
		{"get", "/v1/campaigns", "METHOD_NOT_ALLOWED GET, HEAD, POST"},
		{"DELETE", "/v2/campaigns", "NOT_FOUND"},
	} {
		if got := describe(tbl.Match(c.method, c.path)); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.path, got, c.want)
		}
	}
}

func describe(r *toksta.Route, err error) string {
	if err == nil {
		return r.Operation
	}
	e, _ := errors.AsType[*toksta.Error](err)
	allow, _ := e.Details["allow"].(string)
	return strings.TrimSpace(string(e.Code) + " " + allow)
}

// Guarantee: a path that a back end may normalise to another path is rejected.
func TestMatchRejectsPaths(t *testing.T) {
	t.Parallel()
	tbl := table(t, "GET /*", "GET /v1/{id}")
	for _, path := range []string{
		"", "v1", "*", "//", "//v1", "/v1//a", "/v1//", "/./a", "/v1/..", "/v1/../a", "/v1/.", "/%2e/a", "/v1/%2E%2e", "/v1/.%2e/a", "/v1/%2e./a",
		"/v1/a%2fb", "/v1/a%2Fb", "/v1/a%5cb", "/v1/a%25b", "/v1/a%252fb", "/v1/a;b", "/v1/a%3bb", "/v1/a%3Bb",
		"/v1/a\\b", "/v1/a%00", "/v1/a%0d%0a", "/v1/a%7f", "/v1/a\x7f", "/v1/a b", "/v1/\x00", "/v1/é", "/v1/\xc3\xa9",
		"/v1/%C0%AE", "/v1/%c0%af", "/v1/%E0%80%AF", "/v1/%F0%80%80%AF", "/v1/%C3", "/v1/%C3%28", "/v1/%C3\xa9", "/v1/%A9", "/v1/%FF", "/v1/%ED%A0%80", "/v1/%F4%90%80%80",
		"/v1/%C2%85", "/v1/%C2%A0", "/v1/%E2%80%A8", "/v1/%E2%80%AE", "/v1/%EF%BB%BF", "/v1/%EF%BF%BF", "/v1/%C2%AD",
		"/v1/a%EF%BC%8Fb", "/v1/%E2%84%80", "/v1/%EF%BC%8E%EF%BC%8E", "/v1/%E2%80%A5", "/v1/%EF%BC%85", "/v1/%EF%BC%BC", "/v1/%CD%BE",
		"/v1/a%", "/v1/a%2", "/v1/a%zz", "/v1/a%u002e", "/v1/a#b", "/v1/a?b", `/v1/"`, "/v1/<a>", "/v1/{id}", "/v1/a|b", "/v1/a^b", "/v1/a`b",
	} {
		if _, err := tbl.Match("GET", path); toksta.ErrorCode(err) != toksta.CodeBadRequest {
			t.Errorf("%q: %v, want BAD_REQUEST", path, err)
		}
	}
	for _, path := range []string{
		"/v1/...", "/v1/.a", "/v1/a..", "/v1/a%20b", "/v1/~a!$&'()*+,=:@", "/v1/%2e%2e%2e", "/v1/a/",
		"/v1/Bj%C3%B6rk", "/v1/bj%c3%b6rk", "/v1/%E6%9D%B1%E4%BA%AC", "/v1/%F0%9F%91%A9%E2%80%8D%F0%9F%9A%80", "/v1/%D9%85%DB%8C%E2%80%8C", "/",
	} {
		if _, err := tbl.Match("GET", path); err != nil {
			t.Errorf("%q: %v, want a match", path, err)
		}
	}
}

// Guarantee: a table in which two routes could match one request is rejected at the start.
func TestNewRejects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want  string
		lines []string
	}{
		{"match the same paths", []string{"GET /a/{x}", "GET /a/{y}"}},
		{"match the same paths", []string{"GET /a", "GET /a"}},
		{"match the same paths", []string{"GET /a/*", "GET /a/*"}},
		{"neither is narrower", []string{"GET /a/{x}/c", "GET /a/b/{y}"}},
		{"neither is narrower", []string{"GET /{x}/b", "GET /a/*"}},
		{"the method must be one of", []string{"TRACE /a"}},
		{"the method must be one of", []string{"CONNECT /a"}},
		{"the method must be one of", []string{"get /a"}},
		{"does not start with a slash", []string{"GET a"}},
		{"is empty", []string{"GET /a//b"}},
		{"must be the last", []string{"GET /a/*/b"}},
		{"not a whole {name}", []string{"GET /a/{id}:x"}},
		{"not a whole {name}", []string{"GET /a/{}"}},
		{"not a whole {name}", []string{"GET /a/{x y}"}},
		{"the parameter {x} twice", []string{"GET /{x}/{x}"}},
		{"match the same paths", []string{"* /a/{x}", "* /a/{y}"}},
		{"neither is narrower", []string{"* /a/{x}/c", "GET /a/b/{y}"}},
		{"neither is narrower", []string{"HEAD /a/{x}/c", "GET /a/b/{y}"}},
		{"starts with a colon", []string{"GET /a/:id"}},
		{"could never be requested", []string{"GET /a/sta\u0308dte"}},
		{"could never be requested", []string{"GET /a/a／b"}},
		{"mixes text", []string{"GET /a/x{id}"}},
		{"mixes text", []string{"GET /a/b%20c"}},
		{"could never be requested", []string{"GET /a/../b"}},
		{"could never be requested", []string{"GET /a/b c"}},
	} {
		if _, err := New(routes(c.lines...)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.lines, err, c.want)
		}
	}
	if _, err := New(routes("GET /a/{x}", "POST /a/{y}", "GET /a/b", "GET /a/*", "GET /*", "GET /a/", "* /a/{z}", "HEAD /a/b", "* /*")); err != nil {
		t.Errorf("nested patterns: %v", err)
	}
}

var wellFormed = regexp.MustCompile(`^(/([A-Za-z0-9._~!$&'()*+,=:@-]|%[0-9A-Fa-f]{2})+)*/?$`)

// isSafe reports whether a character of a decoded path is accepted.
func isSafe(r rune) bool {
	if r < 0x80 {
		return r >= ' ' && r <= '~' && !strings.ContainsRune(`\%;`, r)
	}
	return (unicode.IsPrint(r) || r == 0x200c || r == 0x200d) && !strings.ContainsAny(norm.NFKC.String(string(r)), `/\%;.?#`)
}

// oracle implements the specification of Match directly, without a tree.
func oracle(rs []toksta.Route, method, path string) string {
	decoded, err := url.PathUnescape(path)
	if path == "" || !wellFormed.MatchString(path) || err != nil || !utf8.ValidString(decoded) || strings.Count(decoded, "/") != strings.Count(path, "/") {
		return "BAD_REQUEST"
	}
	if strings.ContainsFunc(decoded, func(r rune) bool { return !isSafe(r) }) {
		return "BAD_REQUEST"
	}
	for s := range strings.SplitSeq(decoded, "/") {
		if s == "." || s == ".." {
			return "BAD_REQUEST"
		}
	}
	best, allow := narrowest(rs, method, path)
	switch {
	case best == "" && allow != "":
		return "METHOD_NOT_ALLOWED " + allow
	case best == "":
		return "NOT_FOUND"
	}
	for _, reading := range []string{decoded, norm.NFC.String(decoded), norm.NFKC.String(decoded)} {
		if other, _ := narrowest(rs, method, reading); other != best {
			return "BAD_REQUEST"
		}
	}
	return best
}

func narrowest(rs []toksta.Route, method, path string) (best, allow string) {
	rank, methods := "", []string{}
	all := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
	for _, r := range rs {
		score, ok := score(r.Pattern, path)
		if !ok {
			continue
		}
		switch r.Method {
		case "*":
			methods = append(methods, all...)
		case "GET":
			methods = append(methods, "HEAD")
		}
		methods = append(methods, r.Method)
		switch {
		case r.Method == method:
			score += "3"
		case method == "HEAD" && r.Method == "GET":
			score += "2"
		case r.Method == "*" && slices.Contains(all, method):
			score += "1"
		default:
			continue
		}
		if score > rank {
			best, rank = r.Operation, score
		}
	}
	slices.Sort(methods)
	methods = slices.DeleteFunc(slices.Compact(methods), func(m string) bool { return m == "*" })
	return best, strings.Join(methods, ", ")
}

// score describes how a pattern matches, by segment: literal "c", parameter "b", rest "a".
func score(pattern, path string) (string, bool) {
	ps, ss, score := strings.Split(pattern, "/")[1:], strings.Split(path, "/")[1:], ""
	for i, p := range ps {
		switch {
		case i >= len(ss):
			return "", false
		case p == "*":
			return score + "a", true
		case p == ss[i], p == "städte" && ss[i] == "st%C3%A4dte":
			score += "c"
		case strings.HasPrefix(p, "{") && ss[i] != "":
			score += "b"
		default:
			return "", false
		}
	}
	return score, len(ps) == len(ss)
}

// Guarantee: Match agrees with the specification for any bytes.
func FuzzMatch(f *testing.F) {
	rs := routes(contract...)
	tbl := table(f, contract...)
	for _, path := range []string{"/v1/jobs/results%3Abulk", "/v1/jobs/7/cancel", "/v1/files/a//b", "/v1/%2e%2e/x", "/v1/files/a%20/", "/", "/v1/st%C3%A4dte/a", "/v1/w/%EF%BD%97ords/%C3%A9"} {
		f.Add("POST", path)
		f.Add("HEAD", path)
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		if got, want := describe(tbl.Match(method, path)), oracle(rs, method, path); got != want {
			t.Errorf("%q %q: %s, want %s", method, path, got, want)
		}
	})
}

// Guarantee: Match agrees with the specification for any table that New accepts.
func TestMatchAnyTable(t *testing.T) {
	t.Parallel()
	segment := rapid.SampledFrom([]string{"a", "b", "a:b", "{x}", "{y}"})
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) string {
			segments := rapid.SliceOfN(segment, 1, 3).Draw(t, "segments")
			for i, s := range segments {
				segments[i] = strings.Replace(s, "}", "_"+string(rune('a'+i))+"}", 1) // no name twice
			}
			pattern := strings.Join(segments, "/")
			end := rapid.SampledFrom([]string{"", "", "/", "/*"}).Draw(t, "end")
			return rapid.SampledFrom([]string{"GET", "POST", "HEAD", "*"}).Draw(t, "method") + " /" + pattern + end
		}), 1, 6, rapid.ID[string]).Draw(t, "routes")
		rs := routes(lines...)
		tbl, err := New(rs)
		if err != nil {
			if len(lines) == 1 {
				t.Fatalf("%v: %v", lines, err)
			}
			return
		}
		part := rapid.SampledFrom([]string{"a", "b", "a:b", "c", "%61", "a%3Ab", "%62"})
		path := "/" + strings.Join(rapid.SliceOfN(part, 0, 4).Draw(t, "path"), "/") + rapid.SampledFrom([]string{"", "/"}).Draw(t, "slash")
		method := rapid.SampledFrom([]string{"GET", "POST", "HEAD", "PUT"}).Draw(t, "request method")
		if diff := cmp.Diff(oracle(rs, method, path), describe(tbl.Match(method, path))); diff != "" {
			t.Errorf("%v\n%s %s: %s", lines, method, path, diff)
		}
	})
}

// Guarantee: Match allocates no memory.
func TestMatchAllocatesNothing(t *testing.T) {
	tbl := table(t, contract...)
	if n := testing.AllocsPerRun(1000, func() { _, _ = tbl.Match("POST", "/v1/jobs/0123456789/cancel") }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	tbl := table(b, contract...)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = tbl.Match("POST", "/v1/jobs/0123456789/cancel")
	}
}

// Guarantee: a call that names its operation has the route of that operation, and an unknown
// name is 404 like an unknown path.
func TestOperation(t *testing.T) {
	t.Parallel()
	rs := routes("GET /a", "POST /a", "GET /b")
	rs[0].Operation, rs[1].Operation = "both", "both"
	tbl, err := New(rs)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := tbl.Operation("both"); err != nil || r != tbl.Routes()[0] {
		t.Errorf("%v, %v", r, err)
	}
	for _, name := range []string{"", "other"} {
		if r, err := tbl.Operation(name); r != nil || toksta.ErrorCode(err) != toksta.CodeNotFound {
			t.Errorf("%q: %v, %v", name, r, err)
		}
	}
}
