package forwardauth

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/admit"
	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/route"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// engine admits the key "good" and records each call.
type engine struct{ calls []toksta.Call }

func (e *engine) Verify(_ context.Context, c toksta.Call) toksta.Decision {
	e.calls = append(e.calls, c)
	d := toksta.Decision{Route: c.Route, Rate: toksta.RateState{Limit: 9, Remaining: 8}}
	switch c.Digest {
	case sha256.Sum256([]byte("good")):
		d.Principal = toksta.Principal{AccountID: "acct_1", KeyID: "key_1", Plan: "P", Scopes: []toksta.Family{"data", "job"}}
	case sha256.Sum256([]byte("limited")):
		d.Rejection = toksta.Rejection{Code: toksta.CodeRateLimited, Reason: toksta.ReasonRateLimited}
	default:
		d.Rejection = toksta.Rejection{Code: toksta.CodeUnauthorized, Reason: toksta.ReasonKeyUnknown}
	}
	return d
}

func (*engine) End(*toksta.Decision) {}

func (*engine) Charge(*toksta.Decision, toksta.Call, int64) (toksta.Charge, int64) {
	return toksta.Charge{}, 0
}

// world is a handler with an engine, for the proxies 10.0.0.0/8 behind 192.0.2.1.
type world struct {
	http.Handler
	*engine
}

func newWorld(t *testing.T) world {
	t.Helper()
	table, err := route.New([]toksta.Route{
		{Method: "GET", Pattern: "/v1/things/{id}", Operation: "getThing", Family: "data", Upstream: "backend"},
		{Method: "GET", Pattern: "/open", Operation: "open", Public: true, Upstream: "backend"},
	})
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{}
	return world{New(Config{
		Chain:   &admit.Chain{Routes: table, Engine: e, Proxies: admit.Proxies{netip.MustParsePrefix("0.0.0.0/0")}, MaxHeader: 1 << 10, Now: time.Now},
		Proxies: admit.Proxies{netip.MustParsePrefix("10.0.0.0/8")}, Trusted: admit.Proxies{netip.MustParsePrefix("192.0.2.1/32")},
		HeaderPrefix: "X-Acme", LoggedPath: func(path string) string { return path },
	}), e}
}

// ask asks at an endpoint from a peer and returns the response and its exchange. fields are pairs of a
// name, which is sent as it is, and a value.
func (w world) ask(peer, endpoint string, fields ...string) (*httptest.ResponseRecorder, *exchange.Exchange) {
	r := httptest.NewRequest(http.MethodGet, endpoint, nil)
	r.RemoteAddr = peer
	for i := 0; i < len(fields); i += 2 {
		name := http.CanonicalHeaderKey(fields[i])
		r.Header[name] = append(r.Header[name], fields[i+1])
	}
	x := exchange.New(exchange.IDs{}, "api", 0, time.Now())
	x.Names = httpauth.NewNames("X-Acme")
	got := httptest.NewRecorder()
	w.ServeHTTP(got, r.WithContext(exchange.NewContext(r.Context(), x)))
	return got, x
}

// question returns the fields of a question at /original, and more fields.
func question(target, key string, more ...string) []string {
	return append([]string{"X-Original-Method", "GET", "X-Original-URI", target, "Authorization", "Bearer " + key, "X-Forwarded-For", "203.0.113.7"}, more...)
}

const proxy = "10.0.0.5:9"

// Guarantee: an admitted call gets the fields for the back end, and the response is not cached.
func TestAdmitted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got, x := w.ask(proxy, "/original", question("/v1/things/7?key=a", "good")...)
	identity := map[string]string{}
	for name := range got.Header() {
		if strings.HasPrefix(name, "X-Acme-") || name == "Cache-Control" {
			identity[name] = got.Header().Get(name)
		}
	}
	want := map[string]string{"X-Acme-Account-Id": "acct_1", "X-Acme-Key-Id": "key_1", "X-Acme-Plan": "P", "X-Acme-Scopes": "data,job", "Cache-Control": "no-store"}
	if diff := cmp.Diff(want, identity); diff != "" || got.Code != http.StatusOK || got.Body.Len() != 0 {
		t.Errorf("%d %s\n%s", got.Code, got.Body, diff)
	}
	for name, want := range map[string]string{"X-Request-Id": x.RequestID, "X-Trace-Id": x.TraceID, "Traceparent": x.Traceparent} {
		if got.Header().Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Header().Get(name), want)
		}
	}
	if x.Method != "GET" || x.Path != "/v1/things/7" || x.Operation != "getThing" || !x.Admitted() {
		t.Errorf("the record has %s %s, operation %s, admitted %v", x.Method, x.Path, x.Operation, x.Admitted())
	}
}

// Guarantee: a public route is admitted without an identity.
func TestPublic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got, _ := w.ask(proxy, "/original", "X-Original-Method", "GET", "X-Original-URI", "/open")
	if _, named := got.Header()["X-Acme-Account-Id"]; got.Code != http.StatusOK || named || len(w.calls) != 0 {
		t.Errorf("%d %v", got.Code, got.Header())
	}
}

// Guarantee: a peer that is no configured proxy gets 403 for every question, also a valid one, and a
// proxy in front of the proxies is no proxy that may ask. The record has the peer's address and the reason.
func TestPeer(t *testing.T) {
	t.Parallel()
	for _, peer := range []string{"203.0.113.9:1", "192.0.2.1:1", "[::1]:1", "@", ""} {
		w := newWorld(t)
		got, x := w.ask(peer, "/original", question("/v1/things/7", "good")...)
		if got.Code != http.StatusForbidden || x.Code != toksta.CodeForbidden || x.Reason != toksta.ReasonProxyNotConfigured || x.Address != admit.Peer(peer) || len(w.calls) != 0 {
			t.Errorf("%q: %d %s, reason %q, address %s", peer, got.Code, got.Body, x.Reason, x.Address)
		}
	}
}

// Guarantee: a field with the vendor's prefix, or the default one, in any spelling that a back end could
// read as the same name is rejected, so that no client states an identity.
func TestForgedIdentity(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]int{
		"X-Acme-Account-Id": 400, "x_acme_account_id": 400, "X.Acme.Account.Id": 400, "X-Acme_Plan": 400, "X-ACME-": 400, "X_Acme-Anything": 400,
		"X-Toksta-Account-Id": 400, "X_Toksta_Scopes": 400, "X-Acmeister": 200, "X-Other": 200,
	} {
		w := newWorld(t)
		got, x := w.ask(proxy, "/original", question("/v1/things/7", "good", name, "acct_2")...)
		if got.Code != code || (x.Code == toksta.CodeBadRequest) != (code == 400) || (len(w.calls) == 0) != (code == 400) {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}
}

// Guarantee: the client's address is the last one that no proxy has. A client whose address is not
// stated is unknown, and never has the address of a proxy.
func TestAddress(t *testing.T) {
	t.Parallel()
	for forwarded, want := range map[string]string{
		"203.0.113.7":                            "203.0.113.7",
		"10.0.0.8, 203.0.113.7":                  "203.0.113.7",
		"203.0.113.7, 192.0.2.1":                 "203.0.113.7",
		"1.2.3.4, 203.0.113.7, 192.0.2.1":        "203.0.113.7",
		"nonsense, 203.0.113.7":                  "203.0.113.7",
		"[2001:db8::7]:123":                      "2001:db8::7",
		"":                                       "unknown",
		"10.0.0.8":                               "unknown",
		"192.0.2.1, 10.0.0.8":                    "unknown",
		"203.0.113.7, nonsense":                  "rejected",
		"203.0.113.7, unknown, 192.0.2.1":        "rejected",
		"203.0.113.7, 10.0.0.8, 0177.0.0.1":      "rejected",
		"203.0.113.7, 10.0.0.8, ::ffff:10.0.0.1": "203.0.113.7",
	} {
		w := newWorld(t)
		fields := []string{"X-Original-Method", "GET", "X-Original-URI", "/v1/things/7", "Authorization", "Bearer good", "X-Real-IP", "203.0.113.99", "Forwarded", "for=203.0.113.98"}
		if forwarded != "" {
			fields = append(fields, "X-Forwarded-For", forwarded)
		}
		got, _ := w.ask(proxy, "/original", fields...)
		address := "rejected"
		if len(w.calls) == 1 {
			if address = "unknown"; w.calls[0].Addr.IsValid() {
				address = w.calls[0].Addr.String()
			}
		}
		if address != want || (got.Code == http.StatusBadRequest) != (want == "rejected") {
			t.Errorf("%q: %s, %d; want %s", forwarded, address, got.Code, want)
		}
	}
}

// Guarantee: nginx gets every rejection as a 403 that contains the whole response, and the record has the
// status that the client receives.
func TestNginx(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fields []string
		status string
		field  string // that must be set
	}{
		"unknown key": {question("/v1/things/7", "bad"), "401", "Www-Authenticate"},
		"limited":     {question("/v1/things/7", "limited"), "429", "Retry-After"},
		"no route":    {question("/none", "good"), "404", ""},
		"bad target":  {question("/v1/../x", "good"), "400", ""},
		"forged":      {question("/v1/things/7", "good", "X-Acme-Plan", "Q"), "400", ""},
		"no question": {nil, "400", ""},
	} {
		w := newWorld(t)
		plain, _ := w.ask(proxy, "/original", c.fields...)
		got, x := w.ask(proxy, "/nginx", c.fields...)
		h := got.Header()
		if got.Code != http.StatusForbidden || h.Get("X-Reject-Status") != c.status || got.Body.Len() != 0 || x.Status != plain.Code {
			t.Errorf("%s: %d %v, recorded %d", name, got.Code, h, x.Status)
		}
		if c.field != "" && h.Get(c.field) == "" {
			t.Errorf("%s: no %s in %v", name, c.field, h)
		}
		if code := string(x.Code); !strings.Contains(h.Get("X-Reject-Body"), code) || !strings.Contains(plain.Body.String(), code) {
			t.Errorf("%s: the body is %s, want as in %s", name, h.Get("X-Reject-Body"), plain.Body)
		}
	}
}

// Guarantee: the body of a rejection fits the buffer of nginx, also with long details.
func TestNginxBound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := exchange.New(exchange.IDs{}, "api", 0, time.Now())
	got := httptest.NewRecorder()
	long := &toksta.Error{
		Code: toksta.CodeInsufficientCredits, Reason: toksta.ReasonInsufficientCredits, Message: "m",
		Details: map[string]any{"buy": strings.Repeat("a", maxBody)},
	}
	w.Handler.(*handler).reject(got, x, &form{nginx: true}, long)
	body := got.Header().Get("X-Reject-Body")
	if len(body) > maxBody || got.Header().Get("X-Reject-Status") != "402" || !strings.Contains(body, `"reason":"insufficient_credits"`) {
		t.Errorf("%d bytes: %s", len(body), body)
	}
}
