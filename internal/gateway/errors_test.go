package gateway

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/sdk/toksta"
)

// errorSeen is an error response as a client receives it.
type errorSeen struct {
	Status    int
	Code      string
	Message   string
	Details   map[string]any
	Challenge string
	Retry     bool
	Allow     string
	Cache     string
}

const (
	challenged = `Bearer realm="Toksta API"`
	noSuchKey  = "The API key is not valid."
	noBearer   = "Send one Authorization header with the word Bearer, a space, and the API key."
)

// addRejection makes the engine reject a secret.
func addRejection(b *bench, secret string, code toksta.Code, reason toksta.Reason) {
	b.engine.mu.Lock()
	defer b.engine.mu.Unlock()
	d := toksta.Decision{Rejection: toksta.Rejection{Code: code, Reason: reason}}
	d.Principal = toksta.Principal{AccountID: "acct_secretive", KeyID: "key_secretive"}
	if code == toksta.CodeRateLimited {
		d.Rate = toksta.RateState{Limit: 30, Remaining: 0, Reset: time.Now().Unix() + 30}
	}
	b.engine.decisions[sha256.Sum256([]byte(secret))] = d
}

// Guarantee: every row of the error table of the contract, with code, reason, challenge and
// header fields, is the response through the listener.
func TestErrorTable(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/slow" {
			<-r.Context().Done()
		}
	}, nil)
	reason := func(r string) map[string]any { return map[string]any{"reason": r} }
	type row struct {
		code, reason string
		want         errorSeen
	}
	rows := map[string]row{}
	for _, r := range []toksta.Reason{toksta.ReasonKeyUnknown, toksta.ReasonKeyRevoked, toksta.ReasonKeyExpired} {
		rows[string(r)] = row{"UNAUTHORIZED", string(r), errorSeen{Status: 401, Message: noSuchKey, Challenge: challenged + `, error="invalid_token"`}}
	}
	for _, r := range []toksta.Reason{"plan_free", "billing_past_due", "subscription_inactive", "api_access_disabled", "workspace_not_entitled", "address_not_allowed"} {
		rows[string(r)] = row{"FORBIDDEN", string(r), errorSeen{Status: 403, Details: reason(string(r))}}
	}
	rows["scope"] = row{"FORBIDDEN", "scope_insufficient", errorSeen{
		Status: 403, Challenge: challenged + `, error="insufficient_scope", scope="data"`,
		Details: map[string]any{"reason": "scope_insufficient", "required_family": "data"},
	}}
	rows["rate"] = row{"RATE_LIMITED", "rate_limited", errorSeen{Status: 429, Details: reason("rate_limited"), Retry: true}}
	rows["credits"] = row{"INSUFFICIENT_CREDITS", "insufficient_credits", errorSeen{Status: 402, Details: reason("insufficient_credits")}}
	rows["lease"] = row{"UNAVAILABLE", "lease_expired", errorSeen{Status: 503, Retry: true}}
	for name, r := range rows {
		addRejection(b, name, toksta.Code(r.code), toksta.Reason(r.reason))
		r.want.Code = r.code
		expect(t, name, b.raw(request("GET", "/v1/creators/7", "Authorization: Bearer "+name)), r.want)
	}
	key := "Authorization: Bearer " + goodKey
	for raw, want := range map[string]errorSeen{
		request("GET", "/v1/creators/7"): {
			Status: 401, Code: "UNAUTHORIZED", Challenge: challenged,
			Message: "Provide an API key using the Authorization: Bearer header.",
		},
		request("GET", "/v1/creators/7", "Authorization: Basic eA=="):                 {Status: 401, Code: "UNAUTHORIZED", Message: noBearer, Challenge: challenged + `, error="invalid_token"`},
		request("GET", "/v2/nothing"):                                                 {Status: 404, Code: "NOT_FOUND", Message: "Endpoint not found."},
		request("DELETE", "/v1/creators/7", "Authorization: Bearer plan_free"):        {Status: 405, Code: "METHOD_NOT_ALLOWED", Allow: "GET, HEAD", Details: map[string]any{"allow": "GET, HEAD"}},
		request("OPTIONS", "/v1/creators/search", "Origin: http://x", key):            {Status: 405, Code: "METHOD_NOT_ALLOWED", Allow: "GET, HEAD, POST", Details: map[string]any{"allow": "GET, HEAD, POST"}},
		request("GET", "/v1/creators/a%2fb", key):                                     {Status: 400, Code: "BAD_REQUEST"},
		request("POST", "/v1/creators/search", "Content-Length: 65", key):             {Status: 413, Code: "PAYLOAD_TOO_LARGE"},
		request("GET", "/v1/creators/7?q="+strings.Repeat("a", 9000), key):            {Status: 414, Code: "TARGET_TOO_LONG"},
		request("GET", "/v1/creators/7", "X-Long: "+strings.Repeat("a", 33<<10), key): {Status: 431, Code: "HEADERS_TOO_LARGE"},
		request("GET", "/v1/account/panic", key):                                      {Status: 500, Code: "INTERNAL_ERROR", Message: "Internal error."},
		request("GET", "/v1/account/later", key):                                      {Status: 501, Code: "NOT_IMPLEMENTED"},
		request("GET", "/v1/down", key):                                               {Status: 502, Code: "UPSTREAM_ERROR"},
		request("GET", "/v1/slow", key):                                               {Status: 504, Code: "UPSTREAM_TIMEOUT"},
	} {
		line, _, _ := strings.Cut(raw, "\r\n")
		expect(t, line[:min(len(line), 60)], b.raw(raw), want)
	}
}

var (
	requestID = regexp.MustCompile(`^req_[0-9A-HJKMNP-TV-Z]{26}$`)
	traceID   = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

// expect compares an error response with want and checks the parts that all errors share.
func expect(t *testing.T, name string, got reply, want errorSeen) {
	t.Helper()
	var body struct {
		Success *bool `json:"success"`
		Error   struct {
			Code, Message string
			Details       map[string]any
		}
		Meta struct {
			RequestID string `json:"request_id"`
			TraceID   string `json:"trace_id"`
		}
	}
	decoder := json.NewDecoder(strings.NewReader(got.Body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil {
		t.Errorf("%s: %d %q is not the envelope: %v", name, got.StatusCode, got.Body, err)
		return
	}
	if body.Success == nil || *body.Success {
		t.Errorf("%s: success is %v", name, body.Success)
	}
	h := got.Header
	if !requestID.MatchString(body.Meta.RequestID) || h.Get("X-Request-Id") != body.Meta.RequestID {
		t.Errorf("%s: request id %q in the body, %q in the header", name, body.Meta.RequestID, h.Get("X-Request-Id"))
	}
	if !traceID.MatchString(body.Meta.TraceID) || h.Get("X-Trace-Id") != body.Meta.TraceID {
		t.Errorf("%s: trace id %q in the body, %q in the header", name, body.Meta.TraceID, h.Get("X-Trace-Id"))
	}
	if h.Get("X-Toksta-Source") != "gateway" || h.Get("Cross-Origin-Resource-Policy") != "same-origin" {
		t.Errorf("%s: not marked as a response of the gateway: %v", name, h)
	}
	if h.Get("Content-Type") != "application/json" || h.Get("Access-Control-Expose-Headers") == "" || h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%s: header %v", name, h)
	}
	if body.Error.Message == "" || strings.Contains(got.Body, "secretive") || strings.Contains(got.Body, "broken") {
		t.Errorf("%s: body %s", name, got.Body)
	}
	if limited := h.Get("X-Ratelimit-Limit") != ""; want.Status == 429 && !limited {
		t.Errorf("%s: no rate limit in %v", name, h)
	}
	seen := errorSeen{
		Status: got.StatusCode, Code: body.Error.Code, Message: body.Error.Message, Details: body.Error.Details,
		Challenge: h.Get("WWW-Authenticate"), Retry: h.Get("Retry-After") != "", Allow: h.Get("Allow"), Cache: h.Get("Cache-Control"),
	}
	if want.Message == "" {
		seen.Message = ""
	}
	want.Cache = "no-store"
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("%s: (-want +got)\n%s", name, diff)
	}
}
