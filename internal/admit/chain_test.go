package admit

import (
	"context"
	"crypto/sha256"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/route"
	"github.com/toksta/toksta/sdk/toksta"
)

// engine admits the key "good" and records each call.
type engine struct {
	calls   []toksta.Call
	charged int
	ended   int
}

func (e *engine) Verify(_ context.Context, c toksta.Call) toksta.Decision {
	e.calls = append(e.calls, c)
	d := toksta.Decision{Route: c.Route, Rate: toksta.RateState{Limit: 9}}
	switch c.Digest {
	case sha256.Sum256([]byte("good")):
		d.Principal, d.Hold = toksta.Principal{AccountID: "acct_1"}, 2
	case sha256.Sum256([]byte("broke")):
		d.Principal = toksta.Principal{AccountID: "acct_2"}
		d.Rejection = toksta.Rejection{Code: toksta.CodeInsufficientCredits, Reason: toksta.ReasonInsufficientCredits}
	default:
		d.Rejection = toksta.Rejection{Code: toksta.CodeUnauthorized, Reason: toksta.ReasonKeyUnknown}
	}
	return d
}

func (e *engine) End(*toksta.Decision) { e.ended++ }

func (e *engine) Charge(*toksta.Decision, toksta.Call, int64) (toksta.Charge, int64) {
	e.charged++
	return toksta.Charge{}, 0
}

func newChain(t *testing.T, e *engine) *Chain {
	t.Helper()
	table, err := route.New([]toksta.Route{
		{Method: "GET", Pattern: "/v1/things/{id}", Operation: "getThing", Family: "data"},
		{Method: "GET", Pattern: "/health", Public: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &Chain{
		Routes: table, Engine: e, Proxies: Proxies{netip.MustParsePrefix("10.0.0.0/8")}, MaxHeader: 100,
		Now: func() time.Time { return time.Unix(1000, 0) },
	}
}

// Guarantee: the checks have the order of the contract. A caller without a usable key
// learns about the target and the route, and nothing about an account.
func TestOrder(t *testing.T) {
	t.Parallel()
	good := []string{"Bearer good"}
	for name, c := range map[string]struct {
		request Request
		code    toksta.Code
		account toksta.AccountID
		decided bool
	}{
		"admitted":          {Request{Method: "GET", Target: "/v1/things/1", Authorization: good}, "", "acct_1", true},
		"no key needed":     {Request{Method: "GET", Target: "/health"}, "", "", false},
		"target too long":   {Request{Method: "GET", Target: "/" + strings.Repeat("a", MaxTarget), Authorization: good}, toksta.CodeTargetTooLong, "", false},
		"header too large":  {Request{Method: "GET", Target: "/v1/things/1", HeaderSize: 101, Authorization: good}, toksta.CodeHeadersTooLarge, "", false},
		"malformed target":  {Request{Method: "GET", Target: "*"}, toksta.CodeBadRequest, "", false},
		"ambiguous path":    {Request{Method: "GET", Target: "/v1/things/..", Authorization: good}, toksta.CodeBadRequest, "", false},
		"unknown route":     {Request{Method: "GET", Target: "/v1/none", Authorization: good}, toksta.CodeNotFound, "", false},
		"unknown method":    {Request{Method: "POST", Target: "/v1/things/1", Authorization: good}, toksta.CodeMethodNotAllowed, "", false},
		"ambiguous client":  {Request{Method: "GET", Target: "/v1/things/1", Client: Client{Peer: netip.MustParseAddr("10.0.0.1"), ForwardedFor: []string{"x"}}}, toksta.CodeBadRequest, "", false},
		"no key":            {Request{Method: "GET", Target: "/v1/things/1"}, toksta.CodeUnauthorized, "", false},
		"two keys":          {Request{Method: "GET", Target: "/v1/things/1", Authorization: []string{"Bearer good", "Bearer good"}}, toksta.CodeUnauthorized, "", false},
		"unknown key":       {Request{Method: "GET", Target: "/v1/things/1", Authorization: []string{"Bearer bad"}}, toksta.CodeUnauthorized, "", true},
		"without a balance": {Request{Method: "GET", Target: "/v1/things/1", Authorization: []string{"Bearer broke"}}, toksta.CodeInsufficientCredits, "acct_2", true},
	} {
		e, x := &engine{}, &exchange.Exchange{}
		_, err := newChain(t, e).Admit(t.Context(), x, &c.request)
		if got := toksta.ErrorCode(err); got != c.code || (len(e.calls) == 1) != c.decided || x.Principal.AccountID != c.account {
			t.Errorf("%s: code %q, %d decisions, account %q; want %q, decided %v, %q", name, got, len(e.calls), x.Principal.AccountID, c.code, c.decided, c.account)
		}
		x.CloseHold(200)
		x.End()
		if admitted := c.code == "" && c.account != ""; x.Admitted() != admitted || e.charged == 1 != admitted || e.ended == 1 != admitted {
			t.Errorf("%s: admitted %v, charged %d times, ended %d times", name, x.Admitted(), e.charged, e.ended)
		}
	}
}

// Guarantee: a decision is made on the values of the request, at the time of the
// decision.
func TestCall(t *testing.T) {
	t.Parallel()
	e, x := &engine{}, &exchange.Exchange{}
	r := &Request{
		Method: "GET", Target: "http://api.test/v1/things/1?x=/none", Authorization: []string{"Bearer good"}, Agent: strings.Repeat("a", 300),
		Client: Client{Peer: netip.MustParseAddr("10.0.0.1"), ForwardedFor: []string{"192.0.2.1, 192.0.2.2:9, 10.0.0.2"}},
	}
	matched, err := newChain(t, e).Admit(t.Context(), x, r)
	if err != nil || matched.Operation != "getThing" || x.Family != "data" {
		t.Fatal(matched, err)
	}
	want := toksta.Call{
		Digest: sha256.Sum256([]byte("good")), Route: matched, Addr: netip.MustParseAddr("192.0.2.2"),
		Agent: strings.Repeat("a", 256), Now: time.Unix(1000, 0),
	}
	if diff := cmp.Diff([]toksta.Call{want}, e.calls, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

// Guarantee: a target that the upstream could parse as another path is rejected.
func TestTargetPath(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"/a/b?c": "/a/b", "/": "/", "/a://b": "/a://b", "/%2e": "/%2e",
		"http://h/a?b": "/a", "HTTPS://h": "/", "https://h?a=/b": "/", "http://h//a": "//a",
		"": "", "*": "", "h:80": "", "http:///a": "", "http://u@h/a": "", "http://u:p@h/a": "", "ftp://h/a": "", "http:a": "", "a/b": "",
		"http://[::1]:80/a": "/a", "http://a;x/b": "", "http://a%2fv1/b": "", `http://a\v1/b`: "", "http://a#/b": "", "http://a,b/c": "",
	} {
		got, ok := TargetPath(target)
		if got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v; want %q", target, got, ok, want)
		}
	}
}
