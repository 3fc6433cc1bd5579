package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/gateway"
	"github.com/toksta/toksta/internal/telemetry"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// reports is a Usage with a fixed report.
type reports struct {
	account toksta.AccountID
	month   string
	err     error
}

func (u *reports) Month(_ context.Context, account toksta.AccountID, month string) (usage.Report, error) {
	u.account, u.month = account, month
	return usage.Report{Period: "2026-05", Operations: map[string]usage.Operation{"getCreator": {Calls: 3}}}, u.err
}

// engine rejects a key that is named after a reason with that reason, and admits "good".
type engine struct{}

func (engine) Verify(_ context.Context, c toksta.Call) toksta.Decision {
	for _, rejection := range []toksta.Rejection{
		{Code: toksta.CodeForbidden, Reason: toksta.ReasonPlanFree},
		{Code: toksta.CodeForbidden, Reason: toksta.ReasonScopeInsufficient},
		{Code: toksta.CodeInsufficientCredits, Reason: toksta.ReasonInsufficientCredits},
		{Code: toksta.CodeRateLimited, Reason: toksta.ReasonRateLimited},
		{Code: toksta.CodeUnavailable, Reason: toksta.ReasonLeaseExpired},
	} {
		if digest, _ := httpauth.Credential([]string{"Bearer " + string(rejection.Reason)}); c.Digest == digest {
			return toksta.Decision{Rejection: rejection, Route: c.Route}
		}
	}
	if good, _ := httpauth.Credential([]string{"Bearer good"}); c.Digest != good {
		return toksta.Decision{Rejection: toksta.Rejection{Code: toksta.CodeUnauthorized, Reason: toksta.ReasonKeyUnknown}}
	}
	return toksta.Decision{Route: c.Route, Principal: toksta.Principal{AccountID: "acct_1"}}
}

func (engine) End(*toksta.Decision) {}

func (engine) Charge(*toksta.Decision, toksta.Call, int64) (charge toksta.Charge, owed int64) { return }

var configured = Config{
	Name: "Acme <b>", Version: "1.2.3", Environment: "test", PublicURL: "https://api.test",
	Endpoints: Endpoints{"/v1/account/usage", "/v1/", "/docs", "/health", "/ready", "/version"},
	Families:  []toksta.FamilyInfo{{Name: "account", Description: "Your account."}, {Name: "data"}},
	Routes: []toksta.Route{
		{Method: "GET", Pattern: "/v1/account/usage", Operation: OperationUsage, Family: "account"},
		{Method: "GET", Pattern: "/v1/creators/{id}", Operation: "getCreator", Family: "data"},
		{Method: "POST", Pattern: "/v1/creators/search", Operation: "searchCreators", Family: "data", CostKey: "creator_search", Credits: 1},
	},
}

// serve serves the endpoints through a gateway on a real listener.
func serve(t *testing.T, u Usage, checks ...Check) *httptest.Server {
	t.Helper()
	c := configured
	c.Usage, c.Checks = u, checks
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(gateway.Config{Routes: c.Routes, Local: a.Local(), Open: a.Open(), Engine: engine{}})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(telemetry.Handler(telemetry.Config{Log: telemetry.NewLog(telemetry.LogConfig{Out: io.Discard}), Realm: "api"}, g))
	t.Cleanup(s.Close)
	return s
}

// call sends "METHOD target" and returns the request, the response and its body.
func call(t *testing.T, s *httptest.Server, line, key string) (*http.Request, *http.Response, []byte) {
	t.Helper()
	method, target, _ := strings.Cut(line, " ")
	r, err := http.NewRequest(method, s.URL+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, res, body
}

// contract returns the part of the vendor's published document about the endpoints of
// this package.
func contract(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/contract.json")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func loadRouter(t *testing.T, data []byte) routers.Router {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	doc.Servers = nil
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return router
}

func validate(router routers.Router, r *http.Request, res *http.Response, body []byte) error {
	known, params, err := router.FindRoute(r)
	if err != nil {
		return err
	}
	return openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, Route: known, PathParams: params},
		Status:                 res.StatusCode, Header: res.Header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
}

// exchanges lists a call for every status that the contract describes.
var exchanges = []struct {
	target, key string
	status      int
}{
	{"/health", "", 200},
	{"/ready", "", 200},
	{"/version", "", 200},
	{"/v1/", "", 200},
	{"/v1/account/usage", "good", 200},
	{"/v1/account/usage?month=", "good", 400},
	{"/v1/account/usage", "", 401},
	{"/v1/account/usage", "bad", 401},
	{"/v1/account/usage", "insufficient_credits", 402},
	{"/v1/account/usage", "plan_free", 403},
	{"/v1/account/usage", "scope_insufficient", 403},
	{"/v1/account/usage", "rate_limited", 429},
	{"/v1/account/usage?month=fails", "good", 500},
}

// Guarantee: responses match the vendor's document, from which clients were generated, and
// the document of this package.
func TestResponsesMatchContract(t *testing.T) {
	t.Parallel()
	u := &reports{}
	s := serve(t, failing{u})
	_, _, ours := call(t, s, "GET /docs/json", "")
	for name, router := range map[string]routers.Router{"vendor's": loadRouter(t, contract(t)), "own": loadRouter(t, ours)} {
		for _, e := range exchanges {
			r, res, body := call(t, s, "GET "+e.target, e.key)
			if res.StatusCode != e.status {
				t.Errorf("%s with %q: %d %s, want %d", e.target, e.key, res.StatusCode, body, e.status)
			}
			r.URL.Scheme, r.URL.Host, r.Host = "", "", ""
			if err := validate(router, r, res, body); err != nil {
				t.Errorf("%s document, %s with %q: %v", name, e.target, e.key, err)
			}
		}
	}
}

// failing is reports with an error for the month "fails".
type failing struct{ *reports }

func (f failing) Month(ctx context.Context, account toksta.AccountID, month string) (usage.Report, error) {
	if month == "fails" {
		return usage.Report{}, errors.New("the database is hush")
	}
	return f.reports.Month(ctx, account, month)
}

// Guarantee: an account reads only its own usage, whatever the query contains.
func TestUsage(t *testing.T) {
	t.Parallel()
	u := &reports{}
	s := serve(t, u)
	for _, c := range []struct {
		query  string
		status int
		month  string
	}{
		{"", 200, ""},
		{"?month=2026-05", 200, "2026-05"},
		{"?account=acct_2&x=%zz", 200, ""},
		{"?month=", 400, "untouched"},
		{"?month=2026-05&month=2026-06", 400, "untouched"},
	} {
		u.account, u.month = "", "untouched"
		_, res, body := call(t, s, "GET /v1/account/usage"+c.query, "good")
		if res.StatusCode != c.status || u.month != c.month || c.status == 200 && u.account != "acct_1" {
			t.Errorf("%q: %d %s, month %q of %q; want %d, %q", c.query, res.StatusCode, body, u.month, u.account, c.status, c.month)
		}
		if res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%q: Cache-Control %q", c.query, res.Header.Get("Cache-Control"))
		}
	}
	u.err = toksta.Invalid("month", "The month has not begun.")
	if _, res, body := call(t, s, "GET /v1/account/usage?month=2999-01", "good"); res.StatusCode != 400 || !strings.Contains(string(body), "VALIDATION_ERROR") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

// Guarantee: a node that cannot serve gets no traffic, a node that can serve is not
// restarted, and the probes do not reveal causes to strangers.
func TestProbes(t *testing.T) {
	t.Parallel()
	bad := false
	probe := func(context.Context) error {
		if bad {
			return errors.New("hush")
		}
		return nil
	}
	s := serve(t, &reports{}, Check{Name: "store", Probe: probe}, Check{Name: "lease", Probe: func(context.Context) error { return nil }})
	spared := serve(t, &reports{}, Check{Name: "redis", Probe: probe, Without: "away"})
	bad = true
	if _, res, body := call(t, spared, "GET /ready", ""); res.StatusCode != 200 || string(body) != `{"status":"ready","environment":"test","checks":{"redis":"away"}}` {
		t.Errorf("without what it can spare: %d %s", res.StatusCode, body)
	}
	for _, c := range []struct {
		bad          bool
		target, want string
		status       int
	}{
		{false, "/ready", `{"status":"ready","environment":"test","checks":{"lease":"ok","store":"ok"}}`, 200},
		{true, "/ready", `{"status":"not_ready","environment":"test","checks":{"lease":"ok","store":"failed"}}`, 503},
		{true, "/health", `{"status":"ok"}`, 200},
		{true, "/version", `{"name":"Acme \u003cb\u003e","version":"1.2.3"}`, 200},
	} {
		bad = c.bad
		_, res, body := call(t, s, "GET "+c.target, "")
		if res.StatusCode != c.status || string(body) != c.want || res.Header.Get("Content-Type") != "application/json" || res.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s: %d %s %v", c.target, res.StatusCode, body, res.Header)
		}
		if _, res, body := call(t, s, "HEAD "+c.target, ""); res.StatusCode != c.status || len(body) != 0 {
			t.Errorf("HEAD %s: %d %s", c.target, res.StatusCode, body)
		}
		if _, res, _ := call(t, s, "POST "+c.target, ""); res.StatusCode != 405 || res.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s: %d %v", c.target, res.StatusCode, res.Header)
		}
	}
}

// Guarantee: the list of routes shows under which cost key usage reports a call.
func TestListing(t *testing.T) {
	t.Parallel()
	s := serve(t, &reports{})
	_, _, body := call(t, s, "GET /v1/", "")
	var got struct {
		Data struct{ Endpoints []map[string]string }
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	want := []map[string]string{
		{"method": "GET", "path": "/v1/account/usage", "operation_id": "getAccountUsage", "endpoint_family": "account", "cost_key": "getAccountUsage"},
		{"method": "GET", "path": "/v1/creators/{id}", "operation_id": "getCreator", "endpoint_family": "data", "cost_key": "getCreator"},
		{"method": "POST", "path": "/v1/creators/search", "operation_id": "searchCreators", "endpoint_family": "data", "cost_key": "creator_search"},
	}
	if diff := cmp.Diff(want, got.Data.Endpoints); diff != "" {
		t.Error(diff)
	}
}
