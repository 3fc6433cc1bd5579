package gateway

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/admit"
	"github.com/toksta/toksta/sdk/toksta"
)

// withKey is the field line of an admitted call.
const withKey = "Authorization: Bearer " + goodKey

// openBench serves routes that are public, rewritten or limited.
func openBench(t *testing.T, adjust func(*Config)) *bench {
	return newBench(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Second):
			}
		}
		w.Header().Set("Access-Control-Allow-Origin", "https://theirs.example")
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		_, _ = io.Copy(w, r.Body)
	}, func(c *Config) {
		c.Routes = append(append([]toksta.Route(nil), c.Routes...),
			toksta.Route{Method: "*", Pattern: "/hooks/{id}", Operation: "hook", Upstream: "main", Public: true},
			toksta.Route{Method: "GET", Pattern: "/v2/things/{id}", Operation: "thing", Family: "data", Upstream: "main", Rewrite: "/api/{id}/thing"},
			toksta.Route{Method: "POST", Pattern: "/v2/small", Operation: "small", Family: "data", Upstream: "main", StripPrefix: "/v2", MaxBody: 4},
			toksta.Route{Method: "GET", Pattern: "/slow", Operation: "waits", Family: "data", Upstream: "main", Timeout: 30 * time.Millisecond},
		)
		c.Keys = Keys{Prefix: "tk_live_", Known: func(d toksta.Digest) bool { return d == sha256.Sum256([]byte("imported")) }}
		if adjust != nil {
			adjust(c)
		}
	})
}

// Guarantee: a public call needs no key, reaches the upstream without an identity and without any key of
// this system, belongs to no account, and is counted apart.
func TestPublicCalls(t *testing.T) {
	t.Parallel()
	b := openBench(t, nil)
	basic := func(text string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(text))
	}
	for header, kept := range map[string]bool{
		"": true, "Authorization: Bearer hook-secret": true, basic("user:password"): true, "Authorization: HMAC abc": true,
		"Authorization: Bearer tk_live_0123": false, "Authorization: tk_live_0123": false, basic("tk_live_0123:"): false, "Authorization: Basic %%": false,
		"Authorization: Bearer imported": false, "Authorization: Bearer a\r\nAuthorization: Bearer b": false,
	} {
		lines := []string{"X-Toksta-Account-Id: acct_evil", "x_toksta_plan: P", "Cookie: session=1"}
		if header != "" {
			lines = append(lines, header)
		}
		got := b.raw(request("GET", "/hooks/7", lines...))
		sent := b.forwarded()
		if got.StatusCode != 200 || len(sent) != 1 {
			t.Errorf("%q: %d, %d forwarded", header, got.StatusCode, len(sent))
			continue
		}
		want := ""
		if kept {
			_, want, _ = strings.Cut(header, ": ")
		}
		if h := sent[0].Header; h.Get("Authorization") != want || h.Get("Cookie") != "" || h.Get("X-Request-Id") == "" {
			t.Errorf("%q: forwarded %v", header, h)
		}
		for name := range sent[0].Header {
			if f := admit.Fold(name); f.HasPrefix("x-toksta-") {
				t.Errorf("%q: the upstream received %s", header, name)
			}
		}
		if got.Header.Get("X-Request-Id") == "" || got.Header.Get("X-Ratelimit-Limit") != "" || got.Header.Get("X-Toksta-Credit-Cost") != "" {
			t.Errorf("%q: %v", header, got.Header)
		}
	}
	if diff := cmp.Diff([]PublicCalls{{Operation: "hook", Calls: 10}}, b.gateway.PublicCalls()); diff != "" {
		t.Error(diff)
	}
	if calls, charged := b.engine.take(); len(calls) != 0 || len(charged) != 0 {
		t.Errorf("decided %v, charged %v", calls, charged)
	}
}

// Guarantee: a route's own path, limit and timeout apply, and other routes keep theirs.
func TestRouteLimits(t *testing.T) {
	t.Parallel()
	b := openBench(t, nil)
	if got, sent := b.raw(request("GET", "/v2/things/Bj%C3%B6rk%20a?q=1", withKey)), b.forwarded(); got.StatusCode != 200 || len(sent) != 1 || sent[0].RequestURI != "/api/Bj%C3%B6rk%20a/thing?q=1" {
		t.Errorf("%d %v", got.StatusCode, sent)
	}
	for body, want := range map[string]int{"1234": 200, "12345": 413} {
		got := b.raw(request("POST", "/v2/small", withKey, "Content-Length: "+string(rune('0'+len(body)))) + body)
		if got.StatusCode != want {
			t.Errorf("%q: %d, want %d", body, got.StatusCode, want)
		}
		if sent := b.forwarded(); want == 200 && (len(sent) != 1 || sent[0].RequestURI != "/small" || sent[0].Header.Get("X-Forwarded-Prefix") != "/v2") {
			t.Errorf("%q: %v", body, sent)
		}
	}
	if got := b.raw(request("GET", "/slow", withKey)); got.StatusCode != 504 {
		t.Errorf("a slow call: %d, want 504", got.StatusCode)
	}
}

// Guarantee: scripts of allowed origins can call the API and read every response, errors too; others
// cannot, and no response for one origin is given to another by a cache.
func TestCORS(t *testing.T) {
	t.Parallel()
	allowed := "Origin: https://app.example"
	one := openBench(t, func(c *Config) {
		c.CORS = &CORS{Origins: []string{"https://app.example"}, Headers: []string{"Idempotency-Key"}, MaxAge: time.Minute}
	})
	every := openBench(t, func(c *Config) { c.CORS = &CORS{Origins: []string{"*"}} })
	off := openBench(t, nil)
	for name, c := range map[string]struct {
		b            *bench
		lines        []string
		method, path string
		status       int
		origin, vary string
	}{
		"call":             {one, []string{allowed, withKey}, "GET", "/v1/creators/7", 200, "https://app.example", "Origin"},
		"without a key":    {one, []string{allowed}, "GET", "/v1/creators/7", 401, "https://app.example", "Origin"},
		"unknown path":     {one, []string{allowed}, "GET", "/none", 404, "https://app.example", "Origin"},
		"own endpoint":     {one, []string{allowed}, "GET", "/health", 200, "https://app.example", "Origin"},
		"public":           {one, []string{allowed}, "GET", "/hooks/7", 200, "https://app.example", "Origin"},
		"other origin":     {one, []string{"Origin: https://evil.example", withKey}, "GET", "/v1/creators/7", 200, "", "Origin"},
		"no origin":        {one, []string{withKey}, "GET", "/v1/creators/7", 200, "", "Origin"},
		"two origins":      {one, []string{allowed, allowed, withKey}, "GET", "/v1/creators/7", 200, "", "Origin"},
		"preflight":        {one, []string{allowed, "Access-Control-Request-Method: GET"}, "OPTIONS", "/v1/creators/7", 204, "https://app.example", "Origin"},
		"other preflight":  {one, []string{"Origin: https://evil.example", "Access-Control-Request-Method: GET"}, "OPTIONS", "/v1/creators/7", 405, "", "Origin"},
		"no preflight":     {one, []string{allowed}, "OPTIONS", "/v1/creators/7", 405, "https://app.example", "Origin"},
		"every":            {every, []string{"Origin: https://any.example", withKey}, "GET", "/v1/creators/7", 200, "*", ""},
		"every, preflight": {every, []string{"Origin: https://any.example", "Access-Control-Request-Method: PUT"}, "OPTIONS", "/v1/creators/7", 204, "*", ""},
		"off":              {off, []string{allowed, withKey}, "GET", "/v1/creators/7", 200, "https://theirs.example", ""},
		"off, preflight":   {off, []string{allowed, "Access-Control-Request-Method: GET"}, "OPTIONS", "/v1/creators/7", 405, "", ""},
	} {
		got := c.b.raw(request(c.method, c.path, c.lines...))
		h := got.Header
		if got.StatusCode != c.status || strings.Join(h["Access-Control-Allow-Origin"], "|") != c.origin || strings.Join(h["Vary"], "|") != c.vary {
			t.Errorf("%s: %d, origin %q, vary %q", name, got.StatusCode, h["Access-Control-Allow-Origin"], h["Vary"])
		}
		if c.b != off && h.Get("Access-Control-Allow-Credentials") != "" || !strings.Contains(strings.Join(h["Access-Control-Expose-Headers"], ","), "X-RateLimit-Reset") {
			t.Errorf("%s: %v", name, h)
		}
		if preflight := c.status == 204; preflight != (h.Get("Access-Control-Allow-Methods") != "") || preflight && !strings.Contains(h.Get("Access-Control-Allow-Headers"), "Authorization") {
			t.Errorf("%s: %v", name, h)
		}
	}
}
