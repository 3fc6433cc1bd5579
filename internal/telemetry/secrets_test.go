package telemetry

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/sdk/toksta"
)

// line is the part of a record that names the path and the key.
type line struct {
	Path        string
	Fingerprint string `json:"key_fingerprint"`
}

// logged returns the record of a request for target that next serves, and its text.
func logged(t *testing.T, c Config, target string, next func(x *exchange.Exchange)) (l line, text string) {
	t.Helper()
	var out bytes.Buffer
	c.Log = NewLog(LogConfig{Out: &out})
	h := Handler(c, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { next(exchange.FromContext(r.Context())) }))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, target, nil))
	if err := json.Unmarshal(out.Bytes(), &l); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	return l, out.String()
}

// Guarantee: an operator finds the path of a request in the log, but no query and no
// key that a client put into the path, plain or percent-encoded.
func TestLoggedPath(t *testing.T) {
	t.Parallel()
	const secret = "0123456789abcdef"
	long := "/" + strings.Repeat("a", maxPath)
	for target, want := range map[string]string{
		"/v1/a":                              "/v1/a",
		"/v1/a?key=tk_live_" + secret:        "/v1/a",
		"/v1/Bj%C3%B6rk":                     "/v1/Björk",
		"/v1/tk_live_" + secret + "/b":       "/v1/tk_live_…",
		"/v1/tk%5Flive%5f" + secret:          "/v1/tk_live_…",
		long + "bc":                          long[:maxPath] + "…",
		long + "/tk_live_" + secret:          long[:maxPath] + "tk_live_…",
		"/v1/TK_Live_" + secret:              "/v1/tk_live_…",
		"/v1/tk%255Flive%255f" + secret:      "/v1/tk…",
		"/v1/tk%25255Flive_" + secret:        "/v1/tk…",
		"/v1/50%25/a":                        "/v1/50%/a",
		"/v1/a%2520b":                        "/v1/a%20b",
		"/v1/tk_live_tk_live_" + secret[:15]: "/v1/tk_live_…",
	} {
		got, text := logged(t, Config{KeyPrefix: "tk_live_"}, target, func(*exchange.Exchange) {})
		if got.Path != want || strings.Contains(text, secret[:15]) {
			t.Errorf("%s: %s", target, text)
		}
	}
}

// Guarantee: an operator sees whether rejected requests used the same unknown key, and
// a reader of the log cannot find out a key by trying.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	secret := Config{Fingerprint: [32]byte{1}}
	of := func(c Config, digest byte, p toksta.Principal, code toksta.Code) string {
		got, _ := logged(t, c, "/", func(x *exchange.Exchange) {
			x.Call.Digest = toksta.Digest{31: digest}
			x.Principal = p
			if code != "" {
				x.Fail(&toksta.Error{Code: code})
			}
		})
		return got.Fingerprint
	}
	first := of(secret, 1, toksta.Principal{}, toksta.CodeUnauthorized)
	if len(first) != 16 || first != of(secret, 1, toksta.Principal{}, toksta.CodeUnauthorized) {
		t.Errorf("fingerprint %q is not the same for the same key", first)
	}
	for name, other := range map[string]string{
		"another key":    of(secret, 2, toksta.Principal{}, toksta.CodeUnauthorized),
		"another secret": of(Config{Fingerprint: [32]byte{2}}, 1, toksta.Principal{}, toksta.CodeUnauthorized),
	} {
		if other == first || len(other) != 16 {
			t.Errorf("%s: fingerprint %q beside %q", name, other, first)
		}
	}
	for name, none := range map[string]string{
		"a known key": of(secret, 1, toksta.Principal{KeyID: "key_1"}, toksta.CodeUnauthorized),
		"no key":      of(secret, 0, toksta.Principal{}, toksta.CodeUnauthorized),
		"admitted":    of(secret, 1, toksta.Principal{}, ""),
		"no decision": of(secret, 1, toksta.Principal{}, toksta.CodeUnavailable),
	} {
		if none != "" {
			t.Errorf("%s: fingerprint %q", name, none)
		}
	}
}
