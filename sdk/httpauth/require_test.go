package httpauth

import (
	"bufio"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// decider is a verifier that returns one decision and records the calls.
type decider struct {
	decision Decision
	err      error
	calls    []Call
}

func (d *decider) Verify(_ context.Context, c Call) (Decision, error) {
	d.calls = append(d.calls, c)
	return d.decision, d.err
}

// admitted returns a decision that admits a call of acct_1.
func admitted() Decision {
	return Decision{
		Admitted: true, Operation: "getCreator", Principal: toksta.Principal{AccountID: "acct_1", KeyID: "key_1", Plan: "P", Scopes: []toksta.Family{"data"}},
		Reply: Reply{Header: http.Header{HeaderRequestID: {"req_1"}, HeaderRateLimit: {"5"}, headerExpose: {"X-Request-Id"}}},
		Identity: map[string]string{
			"X-Acme-Account-Id": "acct_1", "X-Acme-Key-Id": "key_1", "X-Acme-Plan": "P", "X-Acme-Scopes": "data",
			HeaderRequestID: "req_1", HeaderTraceID: "t1",
		},
		IdentityPrefix: "X-Acme-",
	}
}

// rejected returns a decision that rejects a call with 403.
func rejected() Decision {
	return Decision{
		Code: toksta.CodeForbidden, Reason: toksta.ReasonPlanFree,
		Reply: Reply{http.StatusForbidden, http.Header{"Cache-Control": {"no-store"}, "Content-Type": {"application/json"}}, []byte(`{"success":false}`)},
	}
}

// handle sends r through Require and returns the response and the request that the
// handler got, nil if it was not called.
func handle(v Verifier, r *http.Request, options ...Option) (w *httptest.ResponseRecorder, got *http.Request) {
	w = httptest.NewRecorder()
	options = append([]Option{WithErrorHandler(func(*http.Request, error) {})}, options...)
	Require(v, options...)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.WriteHeader(http.StatusAccepted)
	})).ServeHTTP(w, r)
	return w, got
}

// Guarantee: an admitted request reaches the handler with the verified identity, which no
// client can forge in any spelling, and without the key.
func TestRequireAdmits(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "/v1/creators/7?a=%20", nil)
	for name, value := range map[string]string{
		"Authorization": "Bearer tk_live_0a", "X-Acme-Account-Id": "acct_evil", "X-Acme-Admin": "yes", "X_Acme_Plan": "GOLD", "x.acme.key.id": "key_evil",
		"X-Toksta-Account-Id": "acct_evil", "X_Toksta_Scopes": "all", "X-Request-Id": "mine", "X_Trace_Id": "theirs",
		"Connection": "keep-alive, X-Acme-Account-Id", "Tracestate": "a=b", "X-Other": "kept",
		"X-Http-Method-Override": "DELETE", "X_Method_Override": "DELETE", "X-Original-Url": "/evil", "X-Rewrite-Url": "/evil", "Script_Name": "/v1", "Path-Info": "/evil", "Daphne-Root-Path": "/v1", "Cookie": "kept=1", "Upgrade": "h2c",
	} {
		r.Header[name] = []string{value}
	}
	sent := r.Header.Clone()
	v := &decider{decision: admitted()}
	w, got := handle(v, r)
	want := http.Header{
		"X-Acme-Account-Id": {"acct_1"}, "X-Acme-Key-Id": {"key_1"}, "X-Acme-Plan": {"P"}, "X-Acme-Scopes": {"data"},
		"X-Request-Id": {"req_1"}, "X-Trace-Id": {"t1"}, "Connection": {"keep-alive"}, "X-Other": {"kept"}, "Cookie": {"kept=1"},
	}
	if !reflect.DeepEqual(got.Header, want) {
		t.Errorf("the handler got %v, want %v", got.Header, want)
	}
	if !reflect.DeepEqual(r.Header, sent) {
		t.Errorf("the request of the caller was changed: %v", r.Header)
	}
	p, ok := FromContext(got.Context())
	if d, _ := DecisionFromContext(got.Context()); !ok || p.AccountID != "acct_1" || d.Operation != "getCreator" {
		t.Errorf("principal %v, %v", p, ok)
	}
	if w.Code != http.StatusAccepted || w.Header().Get("X-RateLimit-Limit") != "5" || w.Header().Get("X-Request-Id") != "req_1" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	call := v.calls[0]
	if call.Method != "GET" || call.Target != "/v1/creators/7?a=%20" || call.Authorization[0] != "Bearer tk_live_0a" || call.RequestID != "mine" || call.Address.String() != "192.0.2.1" {
		t.Errorf("%+v", call)
	}
}

// Guarantee: a rejected request gets the response of the decision, and no handler runs.
func TestRequireRejects(t *testing.T) {
	t.Parallel()
	w, got := handle(&decider{decision: rejected()}, httptest.NewRequest("GET", "/v1/x", nil))
	want := http.Header{"Cache-Control": {"no-store"}, "Content-Type": {"application/json"}, "Content-Length": {"17"}}
	if got != nil || w.Code != http.StatusForbidden || w.Body.String() != `{"success":false}` || !reflect.DeepEqual(w.Header(), want) {
		t.Errorf("handler %v, %d %s %v", got != nil, w.Code, w.Body, w.Header())
	}
}

// Guarantee: without a decision, and with a result that is none, nothing is admitted: the
// response is 503 in the envelope, with the ids of the client.
func TestRequireFailsClosed(t *testing.T) {
	t.Parallel()
	contradiction, anonymous, statusless, public := admitted(), admitted(), rejected(), admitted()
	contradiction.Code = toksta.CodeUnauthorized
	anonymous.Principal.AccountID = ""
	statusless.Reply.Status = 0
	public.Public = true
	for name, v := range map[string]*decider{
		"error": {err: errors.New("dial 10.0.0.1: hush")}, "error beside an admission": {decision: admitted(), err: errors.New("hush")},
		"zero value": {}, "contradiction": {decision: contradiction}, "no account": {decision: anonymous}, "no status": {decision: statusless}, "public with an account": {decision: public},
	} {
		r := httptest.NewRequest("GET", "/v1/x", nil)
		r.Header.Set("X-Request-Id", "mine")
		r.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		var reported error
		w, got := handle(v, r, WithErrorHandler(func(_ *http.Request, err error) { reported = err }))
		body := w.Body.String()
		if got != nil || w.Code != 503 || w.Header().Get("Retry-After") != "1" || w.Header().Get("Cache-Control") != "no-store" || reported == nil {
			t.Errorf("%s: handler %v, %d %v, reported %v", name, got != nil, w.Code, w.Header(), reported)
		}
		if !strings.Contains(body, `"code":"UNAVAILABLE"`) || !strings.Contains(body, `"request_id":"mine","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"`) || strings.Contains(body, "hush") {
			t.Errorf("%s: %s", name, body)
		}
	}
	r := httptest.NewRequest("GET", "/v1/x", nil)
	r.Header.Set("X-Request-Id", "a\"b")
	if w, _ := handle(&decider{err: io.EOF}, r); !strings.HasPrefix(w.Header().Get("X-Request-Id"), "req_") || len(w.Header().Get("X-Trace-Id")) != 32 {
		t.Errorf("ids of an unsafe request: %v", w.Header())
	}
}

// Guarantee: an outage does not flood the log, and no error is lost from the counts.
func TestErrorLog(t *testing.T) {
	t.Parallel()
	var lines []any
	l := &errorLog{write: func(_ string, args ...any) { lines = append(lines, args[1], args[3]) }}
	start := time.Unix(1000, 0)
	for _, after := range []time.Duration{0, 1, time.Second - 1, time.Second, time.Second + 1, 5 * time.Second} {
		l.add(io.EOF, start.Add(after))
	}
	want := []any{io.EOF, int64(0), io.EOF, int64(2), io.EOF, int64(1)}
	if !reflect.DeepEqual(lines, want) {
		t.Errorf("%v, want %v", lines, want)
	}
}

// Guarantee: each option has the effect that it describes, and no other.
func TestRequireOptions(t *testing.T) {
	t.Parallel()
	five := int64(5)
	v := &decider{decision: admitted()}
	r := httptest.NewRequest("POST", "/v1/x", nil)
	r.Header.Set("Authorization", "Bearer a")
	r.Header.Set("X-Forwarded-For", "203.0.113.9, 198.51.100.7, 10.0.0.2")
	r.RemoteAddr = "10.0.0.1:1"
	_, got := handle(v, r, WithAuthorization(), WithOperation(func(*http.Request) string { return "search" }),
		WithAddress(TrustedProxies(netip.MustParsePrefix("10.0.0.0/8"))),
		WithCall(func(_ *http.Request, c *Call) error { c.Credits, c.Hold = &five, &Hold{Job: "j"}; return nil }))
	c := v.calls[0]
	if got.Header.Get("Authorization") != "Bearer a" || c.Operation != "search" || c.Method != "" || c.Target != "" || c.Address.String() != "198.51.100.7" || *c.Credits != 5 || c.Hold.Job != "j" {
		t.Errorf("%v, %+v", got.Header, c)
	}
	for _, failing := range []Option{
		WithCall(func(*http.Request, *Call) error { return toksta.Invalid("job", "Name the job.") }),
		WithAddress(func(*http.Request) (netip.Addr, error) { return netip.Addr{}, toksta.Invalid("job", "Name the job.") }),
	} {
		v := &decider{decision: admitted()}
		if w, got := handle(v, r, failing); got != nil || w.Code != 400 || len(v.calls) != 0 {
			t.Errorf("an option that fails: %d %s, %d decisions", w.Code, w.Body, len(v.calls))
		}
	}
}

// Guarantee: only a preflight passes without a decision, only if the vendor asks for it,
// and with no identity.
func TestRequirePreflight(t *testing.T) {
	t.Parallel()
	request := func(method string, names ...string) *http.Request {
		r := httptest.NewRequest(method, "/v1/x", nil)
		for _, name := range append(names, "X-Toksta-Account-Id", "Authorization") {
			r.Header.Set(name, "x")
		}
		return r
	}
	both := []string{"Origin", "Access-Control-Request-Method"}
	for _, c := range []struct {
		r       *http.Request
		options []Option
		passes  bool
	}{
		{request("OPTIONS", both...), []Option{WithPreflight()}, true},
		{request("OPTIONS", both...), nil, false},
		{request("OPTIONS", "Origin"), []Option{WithPreflight()}, false},
		{request("POST", both...), []Option{WithPreflight()}, false},
	} {
		v := &decider{decision: rejected()}
		_, got := handle(v, c.r, c.options...)
		if (got != nil) != c.passes || (len(v.calls) == 0) != c.passes {
			t.Errorf("%s %v: passed %v, %d decisions", c.r.Method, c.r.Header, got != nil, len(v.calls))
		}
		if got != nil && (got.Header.Get("X-Toksta-Account-Id") != "" || got.Header.Get("Authorization") != "") {
			t.Errorf("the preflight carries %v", got.Header)
		}
	}
}

// Guarantee: fields that code for CORS in front has set stay, beside those of the
// decision.
func TestRequireKeepsCORS(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	w.Header().Set("Access-Control-Expose-Headers", "X-Theirs")
	w.Header().Set("Vary", "Origin")
	d := admitted()
	d.Reply.Header["Vary"] = []string{"Origin"}
	Require(&decider{decision: d})(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if h := w.Header(); !slices.Equal(h[headerExpose], []string{"X-Theirs", "X-Request-Id"}) || !slices.Equal(h["Vary"], []string{"Origin"}) {
		t.Error(h)
	}
}

// Guarantee: the handler gets the server's own ResponseWriter, so that streams and
// upgrades work as without the middleware.
func TestRequireStreams(t *testing.T) {
	t.Parallel()
	proceed := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/stream", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first\n")
		_ = http.NewResponseController(w).Flush()
		<-proceed
	})
	mux.HandleFunc("/upgrade", func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"+r.Header.Get("X-Acme-Account-Id"))
	})
	server := httptest.NewServer(Require(&decider{decision: admitted()})(mux))
	defer server.Close()
	defer close(proceed)
	res, err := http.Get(server.URL + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if line, err := bufio.NewReader(res.Body).ReadString('\n'); line != "first\n" || res.Header.Get("X-RateLimit-Limit") != "5" {
		t.Errorf("%q %v %v", line, err, res.Header)
	}
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n")
	if all, err := io.ReadAll(conn); !strings.HasPrefix(string(all), "HTTP/1.1 101") || !strings.HasSuffix(string(all), "acct_1") {
		t.Errorf("%q %v", all, err)
	}
}

// Guarantee: on a public route the handler gets no principal, and a client cannot
// pretend to have one.
func TestRequirePublic(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "/health", nil)
	r.Header.Set("X-Acme-Account-Id", "acct_evil")
	r.Header.Set("X-Toksta-Plan", "GOLD")
	d := Decision{Admitted: true, Public: true, Identity: map[string]string{HeaderRequestID: "req_1"}, IdentityPrefix: "X-Acme-"}
	_, got := handle(&decider{decision: d}, r)
	if got == nil {
		t.Fatal("rejected")
	}
	if p, ok := FromContext(got.Context()); ok {
		t.Errorf("principal %v", p)
	}
	if names := slices.Collect(maps.Keys(got.Header)); !slices.Equal(names, []string{HeaderRequestID}) {
		t.Errorf("%v", got.Header)
	}
	if p, ok := FromContext(t.Context()); ok {
		t.Errorf("a request without the middleware has the principal %v", p)
	}
}

// Guarantee: the client's address is the last one that no trusted proxy has, and an
// element that could be forged decides nothing.
func TestForwardedAddress(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for _, c := range []struct {
		peer  string
		lines []string
		want  string // "" stands for an error
	}{
		{"198.51.100.1", []string{"203.0.113.9"}, "198.51.100.1"},
		{"10.0.0.1", nil, "10.0.0.1"},
		{"10.0.0.1", []string{"203.0.113.9"}, "203.0.113.9"},
		{"10.0.0.1", []string{"203.0.113.9, 198.51.100.7:80, 10.0.0.2"}, "198.51.100.7"},
		{"10.0.0.1", []string{"203.0.113.9", "198.51.100.7, ,10.0.0.2"}, "198.51.100.7"},
		{"10.0.0.1", []string{"x, 198.51.100.7"}, "198.51.100.7"},
		{"10.0.0.1", []string{"198.51.100.7, x"}, ""},
		{"10.0.0.1", []string{"10.0.0.9"}, "10.0.0.9"},
		{"::ffff:10.0.0.1", []string{"[2001:db8::1], ::ffff:203.0.113.9, [2001:db8::2]:443"}, "203.0.113.9"},
		{"10.0.0.1", []string{"fe80::1%eth0"}, "fe80::1"},
	} {
		got, err := ForwardedAddress(netip.MustParseAddr(c.peer), c.lines, trusted)
		if (err != nil) != (c.want == "") || err == nil && got.String() != c.want || err != nil && toksta.ErrorCode(err) != toksta.CodeBadRequest {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
}
