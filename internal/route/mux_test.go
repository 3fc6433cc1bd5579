package route

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// muxPattern returns the pattern of net/http's ServeMux for a route.
func muxPattern(method, pattern string) string {
	switch {
	case strings.HasSuffix(pattern, "/*"):
		pattern = strings.TrimSuffix(pattern, "*") + "{rest...}"
	case strings.HasSuffix(pattern, "/"):
		pattern += "{$}"
	}
	if method == AnyMethod {
		return pattern
	}
	return method + " " + pattern
}

// newMux registers routes with a ServeMux, which panics on a conflict.
func newMux(lines []string) (mux *http.ServeMux, err error) {
	defer func() {
		if conflict := recover(); conflict != nil {
			err = fmt.Errorf("%v", conflict)
		}
	}()
	mux = http.NewServeMux()
	for _, line := range lines {
		method, pattern, _ := strings.Cut(line, " ")
		mux.Handle(muxPattern(method, pattern), http.NotFoundHandler())
	}
	return mux, nil
}

// discard is a ResponseWriter that keeps only the header.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header          { return d.header }
func (d *discard) Write(p []byte) (int, error)  { return len(p), nil }
func (d *discard) WriteHeader(status int)       { d.status = status }
func pick(r *rand.Rand, words ...string) string { return words[r.IntN(len(words))] }
func inMux(lines []string, pattern string) string {
	for _, line := range lines {
		if method, path, _ := strings.Cut(line, " "); muxPattern(method, path) == pattern {
			return line
		}
	}
	return ""
}

// muxResult returns the result of a ServeMux in the form of describe. redirected is true if the mux
// would send the client to another path, which Match never does.
func muxResult(mux *http.ServeMux, lines []string, method, path string) (result string, redirected bool) {
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return "BAD_REQUEST", false
	}
	h, pattern := mux.Handler(&http.Request{Method: method, URL: u, Host: "api.test"})
	w := &discard{header: http.Header{}}
	h.ServeHTTP(w, &http.Request{Method: method, URL: u, Host: "api.test"})
	switch {
	case w.status >= 300 && w.status < 400:
		return "", true
	case w.status == http.StatusMethodNotAllowed:
		return "METHOD_NOT_ALLOWED " + w.header.Get("Allow"), false
	case pattern == "":
		return "NOT_FOUND", false
	}
	return inMux(lines, pattern), false
}

// randomTable returns lines that both a ServeMux and a Table accept. It reports an error if the table
// rejects lines that the mux accepts.
func randomTable(t *testing.T, r *rand.Rand) (lines []string, tbl *Table, mux *http.ServeMux) {
	for len(lines) < 12 {
		var path string
		for range 1 + r.IntN(4) {
			path += "/" + pick(r, "a", "b", "a:b", "ö", "{x}")
		}
		for i := strings.Count(path, "{x}"); i > 1; i-- {
			path = strings.Replace(path, "{x}", fmt.Sprintf("{x%d}", i), 1)
		}
		line := pick(r, "GET", "GET", "POST", "HEAD", "PUT", AnyMethod) + " " + path + pick(r, "", "", "", "/", "/*")
		if r.IntN(40) == 0 {
			line = AnyMethod + " /*"
		}
		longer := append(append([]string(nil), lines...), line)
		nextMux, muxErr := newMux(longer)
		next, err := New(routes(longer...))
		if muxErr == nil && err != nil {
			t.Errorf("%v: %v, but net/http accepts them", longer, err)
		}
		if muxErr != nil || err != nil {
			if r.IntN(4) == 0 && len(lines) > 2 {
				break
			}
			continue
		}
		lines, tbl, mux = longer, next, nextMux
	}
	return lines, tbl, mux
}

// allowedWithSlash returns a result in the form of describe, in which the allowed methods include those
// of the path with a slash at its end, as in ServeMux, which would redirect there.
func allowedWithSlash(tbl *Table, method, path string) string {
	got := describe(tbl.Match(method, path))
	if got != "NOT_FOUND" && !strings.HasPrefix(got, "METHOD_NOT_ALLOWED") || strings.HasSuffix(path, "/") {
		return got
	}
	routes := append(tbl.matching(path), tbl.matching(path+"/")...)
	if len(routes) == 0 {
		return got
	}
	return "METHOD_NOT_ALLOWED " + allowed(routes)
}

// Guarantee: a call takes the route that net/http's own mux would choose, with the same allowed
// methods, wherever both can express the routes. A mux decodes before it matches. If that leads to
// another route than the path as sent, the call is rejected.
func TestMatchAgreesWithServeMux(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(14, 2))
	calls, matches, rejected := 0, 0, 0
	for calls < 10_000 {
		lines, tbl, mux := randomTable(t, r)
		for range 200 {
			path := randomPath(r)
			method := pick(r, "GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS")
			want, redirected := muxResult(mux, lines, method, path)
			if redirected {
				continue
			}
			calls++
			got := allowedWithSlash(tbl, method, path)
			switch spelled := strings.Contains(path, "%61") || strings.Contains(path, "%3A"); {
			case got == want && !strings.Contains(got, "_"):
				matches++
			case got == want:
			case spelled && (got == "BAD_REQUEST" || got == "NOT_FOUND" || strings.HasPrefix(got, "METHOD_NOT_ALLOWED")):
				rejected++
			default:
				t.Errorf("%q\n%s %s: %s, net/http has %s", lines, method, path, got, want)
			}
		}
	}
	if matches < calls/6 || rejected > calls/4 {
		t.Errorf("%d of %d calls have a route, %d are rejected for their spelling: the test proves too little", matches, calls, rejected)
	}
}

// randomPath returns a path of up to four segments; about every fourth path spells a literal with escapes.
func randomPath(r *rand.Rand) (path string) {
	for range r.IntN(5) {
		path += "/" + pick(r, "a", "a", "b", "b", "a:b", "c", "%C3%B6", "x%20y", "%61", "a%3Ab", "%E6%9D%B1")
	}
	if path == "" {
		return "/"
	}
	return path + pick(r, "", "", "/")
}
