package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// decides serves the operation verify with respond, which gets the number of the
// request, and returns a verifier of it and a function for the decoded requests.
func decides(t *testing.T, respond func(w http.ResponseWriter, n int32), options ...Option) (*Verifier, func() []VerifyRequest) {
	t.Helper()
	var mu sync.Mutex
	var requests []VerifyRequest
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request VerifyRequest
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil || r.URL.Path != PathPrefix+"verify" {
			t.Errorf("%s: %v", r.URL, err)
		}
		mu.Lock()
		requests = append(requests, request)
		n := int32(len(requests))
		mu.Unlock()
		respond(w, n)
	}))
	t.Cleanup(server.Close)
	return NewVerifier(server.URL, options...), func() []VerifyRequest {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(requests)
	}
}

// writeDecision responds with a decision in the envelope.
func writeDecision(w http.ResponseWriter, d VerifyResponse) {
	_ = httpauth.WriteData(w, &httpauth.Meta{RequestID: "req_1"}, http.StatusOK, d)
}

// Guarantee: the server decides on exactly the values that the middleware gives, and its
// decision arrives whole.
func TestVerifierCarriesTheCall(t *testing.T) {
	t.Parallel()
	response := VerifyResponse{
		Admitted: true, Operation: "op", Family: "data", Principal: &VerifyPrincipal{AccountID: "acct_1", KeyID: "key_1", Plan: "P", Scopes: []toksta.Family{"data"}},
		Rate: &VerifyRate{Limit: 5, Remaining: 2, Reset: 60}, Credits: &VerifyCredits{Charged: 3, Reservation: &Reservation{ID: "res_1"}},
		Response: VerifyReply{Headers: map[string]string{"X-Request-Id": "req_1"}}, Identity: map[string]string{"X-Toksta-Account-Id": "acct_1"}, IdentityPrefix: "X-Toksta-",
	}
	v, requests := decides(t, func(w http.ResponseWriter, _ int32) { writeDecision(w, response) })
	credits := int64(7)
	got, err := v.Verify(t.Context(), httpauth.Call{
		Authorization: []string{"Bearer a"}, Method: "GET", Target: "/a?b", Address: netip.MustParseAddr("192.0.2.1"), Agent: strings.Repeat("é", 200),
		RequestID: "r", Traceparent: "p", TraceID: "t", Credits: &credits, Hold: &httpauth.Hold{Job: "j", Expires: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := httpauth.Decision{
		Admitted: true, Operation: "op", Family: "data", Principal: toksta.Principal{AccountID: "acct_1", KeyID: "key_1", Plan: "P", Scopes: []toksta.Family{"data"}},
		Rate: toksta.RateState{Limit: 5, Remaining: 2, Reset: 60}, Charged: 3, Reservation: "res_1",
		Reply: httpauth.Reply{Header: http.Header{"X-Request-Id": {"req_1"}}}, Identity: map[string]string{"X-Toksta-Account-Id": "acct_1"}, IdentityPrefix: "X-Toksta-",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	sent := VerifyRequest{
		Authorization: "Bearer a", Method: "GET", Target: "/a?b", Address: netip.MustParseAddr("192.0.2.1"), Agent: strings.Repeat("é", 128),
		RequestID: "r", Traceparent: "p", TraceID: "t", Credits: &credits, Hold: &VerifyHold{Job: "j", ExpiresIn: 60},
	}
	if r := requests()[0]; !reflect.DeepEqual(r, sent) {
		t.Errorf("sent %#v", r)
	}
}

// Guarantee: a client cannot turn an ambiguous credential into a valid one, nor its bytes
// into a 503: each such value is rejected by the server as malformed.
func TestVerifierAmbiguousValues(t *testing.T) {
	t.Parallel()
	for _, lines := range [][]string{{""}, {" \t"}, {"Bearer a", "Bearer a"}, {"", "Bearer a"}, {"Bearer a", ""}, {"Bearer \xff"}, {"Bearer a\xff"}} {
		r := NewVerifyRequest(httpauth.Call{Authorization: lines})
		_, err := httpauth.Credential([]string{r.Authorization})
		if r.Authorization == "" || !errors.Is(err, toksta.Reject(toksta.ReasonKeyMalformed).Err()) {
			t.Errorf("%q became %q: %v", lines, r.Authorization, err)
		}
	}
	if r := NewVerifyRequest(httpauth.Call{Target: "/a\xff", RequestID: "a\xff"}); r.Target != "/a\ufffd" || r.RequestID != "a\ufffd" || r.Authorization != "" {
		t.Errorf("%#v", r)
	}
}

// Guarantee: a request is repeated once if the server surely did not count the call, and
// never otherwise, so that no call is counted or charged twice.
func TestVerifierRepeats(t *testing.T) {
	t.Parallel()
	unavailable := toksta.Reject(toksta.ReasonLeaseExpired)
	fails := func(err error) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { httpauth.WriteError(w, &httpauth.Meta{}, err) }
	}
	for name, c := range map[string]struct {
		first func(http.ResponseWriter)
		hold  *httpauth.Hold
		sent  int
		code  toksta.Code // of the error; "" for none
	}{
		"decided":            {func(w http.ResponseWriter) { writeDecision(w, VerifyResponse{Admitted: true}) }, nil, 1, ""},
		"rejected":           {func(w http.ResponseWriter) { writeDecision(w, VerifyResponse{Code: toksta.CodeForbidden}) }, nil, 1, ""},
		"no lease, decision": {func(w http.ResponseWriter) { writeDecision(w, VerifyResponse{Code: unavailable.Code}) }, nil, 2, ""},
		"no lease, error":    {fails(unavailable.Err()), nil, 2, ""},
		"with a hold":        {fails(unavailable.Err()), &httpauth.Hold{Job: "j"}, 1, toksta.CodeUnavailable},
		"wrong operator key": {fails(toksta.Reject(toksta.ReasonKeyUnknown).Err()), nil, 1, toksta.CodeUnauthorized},
		"internal":           {fails(io.EOF), nil, 1, toksta.CodeInternal},
		"not of Toksta":      {func(w http.ResponseWriter) { http.Error(w, "down", http.StatusServiceUnavailable) }, nil, 1, toksta.CodeInternal},
		"cut off":            {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, nil, 1, toksta.CodeInternal},
	} {
		v, requests := decides(t, func(w http.ResponseWriter, n int32) {
			if n > 1 {
				writeDecision(w, VerifyResponse{Admitted: true})
				return
			}
			c.first(w)
		})
		d, err := v.Verify(t.Context(), httpauth.Call{Hold: c.hold})
		if len(requests()) != c.sent || toksta.ErrorCode(err) != c.code || err != nil && !reflect.DeepEqual(d, httpauth.Decision{}) {
			t.Errorf("%s: sent %d times, %+v, %v; want %d, %q", name, len(requests()), d, err, c.sent, c.code)
		}
	}
}

// Guarantee: a server that cannot be reached or does not respond delays a request at most
// for the timeout, and there is no decision.
func TestVerifierWithoutServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // it accepts connections and never reads
	v := NewVerifier("http://"+l.Addr().String(), WithTimeout(20*time.Millisecond))
	d, err := v.Verify(t.Context(), httpauth.Call{})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no decision within 20ms") || d.Admitted {
		t.Errorf("a silent server: %+v, %v", d, err)
	}
	l.Close()
	if d, err := v.Verify(t.Context(), httpauth.Call{}); err == nil || d.Admitted {
		t.Errorf("no server: %+v, %v", d, err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Verify(gone, httpauth.Call{}); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "no decision within") {
		t.Errorf("a client that has disconnected: %v", err)
	}
	if v := NewVerifier("/run/toksta.sock"); v.timeout != DefaultVerifyTimeout {
		t.Errorf("the default timeout is %v", v.timeout)
	}
}

// Guarantee: as many connections are kept as a busy program needs at the same time, so that
// decisions do not wait for new ones.
func TestVerifierKeepsConnections(t *testing.T) {
	t.Parallel()
	const parallel = 20
	var opened atomic.Int32
	arrived, proceed := make(chan struct{}), make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-proceed
		writeDecision(w, VerifyResponse{Admitted: true})
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	v := NewVerifier(server.URL, WithTimeout(20*time.Second))
	for range 3 {
		done := make(chan error)
		for range parallel {
			go func() {
				_, err := v.Verify(t.Context(), httpauth.Call{})
				done <- err
			}()
		}
		for range parallel {
			<-arrived
		}
		for range parallel {
			proceed <- struct{}{}
		}
		for range parallel {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := opened.Load(); n != parallel {
		t.Errorf("%d connections for 3 times %d decisions, want %d", n, parallel, parallel)
	}
}

// Guarantee: a job is settled once, under the reservation of its decision.
func TestVerifierSettles(t *testing.T) {
	t.Parallel()
	var got CloseRequest
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.URL.Path != PathPrefix+"credits/settle" {
			t.Errorf("%s: %v", r.URL, err)
		}
		_ = httpauth.WriteData(w, &httpauth.Meta{}, http.StatusOK, ReservationResponse{})
	}))
	defer server.Close()
	v := NewVerifier(server.URL)
	d := &httpauth.Decision{Principal: toksta.Principal{AccountID: "acct_1"}, Reservation: "res_1"}
	if err := v.Settle(t.Context(), d, 4); err != nil {
		t.Fatal(err)
	}
	want := CloseRequest{AccountRef: AccountRef{Account: "acct_1"}, Reservation: "res_1", Credits: 4, IdempotencyKey: "settle res_1"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if err := v.Settle(t.Context(), &httpauth.Decision{}, 4); toksta.ErrorCode(err) != toksta.CodeValidation {
		t.Errorf("without a hold: %v", err)
	}
}
