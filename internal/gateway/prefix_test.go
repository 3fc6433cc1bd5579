package gateway

import (
	"net/http"
	"strings"
	"testing"
)

// Guarantee: with a prefix of the vendor, all fields have it, and a client can forge neither
// those nor the default ones, which an upstream could still read. An upstream's own fields of
// both prefixes do not reach the client.
func TestHeaderPrefix(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Wetter-Co-Credit-Cost", "2")
		w.Header().Set("X-Wetter-Co-Other", "theirs")
		w.Header().Set("X-Toksta-Source", "theirs")
	}, func(c *Config) { c.HeaderPrefix = "X-Wetter-Co" })
	got := b.get("/v1/paid", "X-Wetter-Co-Account-Id: forged", "x_wetter_co_plan: forged", "X-Toksta-Account-Id: forged", "X_Toksta_Scopes: forged", "X-Wetter-Company: kept")
	seen := b.forwarded()
	if got.StatusCode != http.StatusOK || len(seen) != 1 {
		t.Fatalf("%d, %d forwarded", got.StatusCode, len(seen))
	}
	h := seen[0].Header
	for name, want := range map[string]string{
		"X-Wetter-Co-Account-Id": "acct_1", "X-Wetter-Co-Key-Id": "key_1", "X-Wetter-Co-Plan": "API_BUILD", "X-Wetter-Co-Scopes": "data,job", "X-Wetter-Company": "kept",
	} {
		if h.Get(name) != want {
			t.Errorf("the upstream received %s: %q, want %q", name, h.Get(name), want)
		}
	}
	for name, values := range h {
		if strings.Contains(strings.ToLower(name), "toksta") || strings.Contains(strings.Join(values, ","), "forged") {
			t.Errorf("the upstream received %s: %v", name, values)
		}
	}
	if got.Header.Get("X-Wetter-Co-Source") != "upstream" || got.Header.Get("X-Wetter-Co-Other") != "" || got.Header.Get("X-Toksta-Source") != "" {
		t.Errorf("the client received %v", got.Header)
	}
	if _, charged := b.engine.take(); len(charged) != 1 || charged[0] != 2 {
		t.Errorf("charged %v, want the 2 credits that the upstream stated", charged)
	}
	if _, err := New(Config{Engine: b.engine, HeaderPrefix: strings.Repeat("a", 32)}); err == nil {
		t.Error("a prefix was accepted whose fields could not be recognised")
	}
}
