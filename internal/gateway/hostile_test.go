package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/telemetry"
	"github.com/toksta/toksta/internal/upstream"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a caller cannot occupy a processor with a long list in Connection. The limit
// is 50 times the usual time, and a tenth of the time of one search of the list for each
// field.
func TestConnectionListIsRead(t *testing.T) {
	t.Parallel()
	own, err := newNames("")
	if err != nil {
		t.Fatal(err)
	}
	p, err := (&Config{Now: time.Now, names: own}).newProxy(Upstream{Name: "main", URL: parseURL(t, "http://127.0.0.1:1")})
	if err != nil {
		t.Fatal(err)
	}
	f := &forwarding{proxy: p, x: &exchange.Exchange{}}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Connection", strings.Repeat("a,", 8<<10)+"z1")
	for i := range 2000 {
		r.Header[fmt.Sprintf("Z%d", i)] = []string{""}
	}
	client := upstream.New(upstream.Config{Now: time.Now})
	best := time.Hour
	for range 5 {
		x := client.Begin(http.MethodGet, "/", "h")
		start := time.Now()
		f.copyFields(x, r)
		best = min(best, time.Since(start))
		x.Close()
	}
	if best > 50*time.Millisecond {
		t.Errorf("a header of %d bytes took %v", headerSize(r.Header), best)
	}
}

// Guarantee: a target without a path has the path "/", for the route and for the upstream.
func TestTargetWithoutPath(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		for rewrite, want := range map[string]string{"": "GET /?x=1", "/api/*": "GET /api/?x=1"} {
			b := newBench(t, nil, func(c *Config) {
				c.Routes = []toksta.Route{{Method: "GET", Pattern: "/*", Rewrite: rewrite, Operation: "all", Family: "data", Upstream: "main"}}
			})
			got := b.raw(request("GET", "http://api.test?x=1", "Authorization: Bearer "+goodKey))
			var forwarded string
			for _, r := range b.forwarded() {
				forwarded += r.Method + " " + r.RequestURI
			}
			if got.StatusCode != http.StatusOK || forwarded != want {
				t.Errorf("rewrite %q: %d, forwarded %q; want %q", rewrite, got.StatusCode, forwarded, want)
			}
		}
	})
}

// Guarantee: a query with a space, which HTTP/2 can carry, is the caller's error, and the
// log does not contain the query.
func TestSpaceInQuery(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, nil)
	var log strings.Builder
	done := make(chan struct{})
	h := telemetry.Handler(telemetry.Config{Log: telemetry.NewLog(telemetry.LogConfig{Out: &log})}, b.gateway)
	s := serveHTTP2(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		h.ServeHTTP(w, r)
	}), true)
	s.Client().Transport.(*http.Transport).ForceAttemptHTTP2 = true
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL = &url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: "/v1/creators/7", RawQuery: "key=hidden x"}
	r.Header.Set("Authorization", "Bearer "+goodKey)
	res, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	<-done
	if res.ProtoMajor != 2 || res.StatusCode != http.StatusBadRequest || strings.Contains(log.String(), "hidden") {
		t.Errorf("%s %d, log %s; want 400", res.Proto, res.StatusCode, log.String())
	}
}

// Guarantee: a back end that ignores the body of a GET does not take it for the beginning of
// the next caller's request.
func TestIgnoredBody(t *testing.T) {
	t.Parallel()
	onBothPaths(t, func(t *testing.T, newBench newBenchFunc) {
		b := newBench(t, nil, func(c *Config) { c.Upstreams[0].URL = parseURL(t, "http://"+ignoringBodies(t)) })
		for range 3 {
			body := "GET /of-another HTTP/1.1\r\nX-Rest: "
			field := fmt.Sprint("Content-Length: ", len(body))
			first := b.raw(request("GET", "/v1/creators/1", "Authorization: Bearer "+goodKey, field) + body)
			if next := b.get("/v1/creators/2"); first.Body != "/v1/creators/1" || next.Body != "/v1/creators/2" {
				t.Fatalf("the first caller got %q, the next one %q", first.Body, next.Body)
			}
		}
	})
}

// ignoringBodies starts a server that reads no body, and responds with the path of a request.
// It returns its address.
func ignoringBodies(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for br, last := bufio.NewReader(c), false; !last; {
					r, err := http.ReadRequest(br)
					if err != nil {
						return
					}
					_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(r.URL.Path), r.URL.Path)
					last = r.Close
				}
			}()
		}
	}()
	return l.Addr().String()
}
