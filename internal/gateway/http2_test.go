package gateway

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/telemetry"
)

// Guarantee: on HTTP/2 too, the bytes of a response that breaks off are forwarded without
// an end of the stream.
func TestHTTP2ResponseBreaksOff(t *testing.T) {
	t.Parallel()
	const came = 50_000
	b := newBench(t, sends("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", came)), nil)
	g, err := New(Config{
		Routes: testRoutes[1:2], Engine: b.engine,
		Upstreams: []Upstream{{Name: "main", URL: parseURL(t, b.upstream.URL)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := serveHTTP2(t, telemetry.Handler(telemetry.Config{Log: telemetry.NewLog(telemetry.LogConfig{Out: io.Discard})}, g), true)
	s.Client().Transport.(*http.Transport).ForceAttemptHTTP2 = true
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/v1/creators/7", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+goodKey)
	res, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); res.ProtoMajor != 2 || res.StatusCode != http.StatusOK || len(body) != came || err == nil {
		t.Errorf("%s %d, %d bytes, %v; want 200, %d bytes and an error", res.Proto, res.StatusCode, len(body), err, came)
	}
}

// Guarantee: HTTP/2 has the same rules, also for its pseudo-header fields.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, nil)
	g, err := New(Config{
		Routes: testRoutes[1:2], Engine: b.engine,
		Upstreams: []Upstream{{Name: "main", URL: parseURL(t, b.upstream.URL)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(telemetry.Handler(telemetry.Config{Log: telemetry.NewLog(telemetry.LogConfig{Out: io.Discard})}, g))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	for _, c := range []struct {
		path, key string
		status    int
	}{
		{"/v1/creators/a%20b?x=%20", goodKey, 200},
		{"/v1/creators/7", "bad", 401},
		{"/v1/creators/a%2fb", goodKey, 400},
		{"/v1//creators/7", goodKey, 400},
		{"/nowhere", goodKey, 404},
	} {
		r, err := http.NewRequest("GET", s.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+c.key)
		r.Header["x_toksta_plan"] = []string{"forged"}
		res, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.ProtoMajor != 2 || res.StatusCode != c.status || res.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s: %s %d, want %d", c.path, res.Proto, res.StatusCode, c.status)
		}
		for _, seen := range b.forwarded() {
			if c.status != 200 || seen.RequestURI != c.path || seen.Header.Get("X-Forwarded-Proto") != "https" || len(seen.Header["X_toksta_plan"]) != 0 {
				t.Errorf("%s: forwarded %s %v", c.path, seen.RequestURI, seen.Header)
			}
		}
	}
}
