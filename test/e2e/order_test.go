package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a call that is rejected for two reasons gets the one that comes first in the
// contract: route, key, rights, rate, credits, request. A later one could reveal data of
// the account to strangers or charge a call that fails.
func TestOrderOfRejections(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t)
	api := n.Operator()
	search := "POST /v1/creators/search"
	expect := func(label, call, key string, want int) {
		t.Helper()
		if got := apptest.Send(t, n.URL, call, key); got.Status != want {
			t.Errorf("%s: %d %s, want %d", label, got.Status, got.Body, want)
		}
	}
	owner := apptest.NewAccount(t, api, "Order")
	live, dead := apptest.NewKey(t, api, owner, "live"), apptest.NewKey(t, api, owner, "dead")
	if _, err := api.RevokeKey(t.Context(), client.KeyRef{Key: dead.Key.ID}); err != nil {
		t.Fatal(err)
	}
	ref := client.AccountRef{Account: owner}
	bill := func(s toksta.Status) {
		t.Helper()
		if _, err := api.SetStatus(t.Context(), client.SetStatusRequest{AccountRef: ref, Status: s}); err != nil {
			t.Fatal(err)
		}
	}
	expect("404 before 401", "GET /v1/nothing", dead.Secret, 404)
	bill("past_due")
	expect("401 before 403", search, dead.Secret, 401)
	expect("the same key's account", search, live.Secret, 403)
	bill("active")

	// Within one window: limited, rejected for billing, limited again.
	apptest.Entitle(t, api, owner, "rate_limit_per_minute=1")
	for proven := false; !proven; {
		exceedRate(t, n, "GET /v1/creators/7", live.Secret)
		bill("past_due")
		expect("403 before 429", "GET /v1/creators/7", live.Secret, 403)
		bill("active")
		proven = apptest.Send(t, n.URL, "GET /v1/creators/7", live.Secret).Status == 429
	}
	if _, err := api.SetPlan(t.Context(), client.SetPlanRequest{AccountRef: ref, Plan: "API_PAYG"}); err != nil {
		t.Fatal(err)
	}
	exceedRate(t, n, search, live.Secret) // 402 until then
	apptest.Entitle(t, api, owner, "rate_limit_per_minute=1000")
	malformed := rejection{
		call: search, secret: live.Secret, body: "{", status: 402, code: "INSUFFICIENT_CREDITS", reason: "insufficient_credits",
		details: map[string]any{"required": 1.0, "remaining": 0.0, "buy_url": "http://localhost:8080/account/plans"},
	}
	malformed.check(t, malformed.send(t, n.URL))
	apptest.Entitle(t, api, owner, "purchased_credits=+1")
	if got := malformed.send(t, n.URL); got.Status != 400 {
		t.Errorf("with credits: %d %s, want 400", got.Status, got.Body)
	}
	expect("a failed call costs nothing", search, live.Secret, 200)
	expect("the credit is used", search, live.Secret, 402)
}

// Guarantee: the response to an internal error does not contain its cause. The log has it
// with the request's id.
func TestInternalError(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t)
	api := n.Operator()
	key := apptest.NewKey(t, api, apptest.NewAccount(t, api, "Unlucky"), "Unlucky").Secret
	n.App.Usage.Refresh = func(context.Context, *toksta.Standing) error { return errors.New("the disk is on fire") }
	row := rejection{call: "GET /v1/account/usage", secret: key, status: 500, code: "INTERNAL_ERROR", message: "Internal error."}
	got := row.send(t, n.URL)
	row.check(t, got)
	loadDocument(t).check(t, got)
	row.checkLog(t, n, got)
	if !strings.Contains(string(n.Log.Bytes()), "the disk is on fire") {
		t.Error("the log does not have the cause")
	}
}

// Guarantee: a node without a connection to the store responds 503 once its lease has
// expired, never 401, and admits calls again once the store is back.
func TestLeaseExpires(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t, func(c *config.Config) { c.Node.Lease = time.Second })
	api := n.Operator()
	key := apptest.NewKey(t, api, apptest.NewAccount(t, api, "Patient"), "Patient").Secret
	release := lockStore(t, n)
	row := rejection{call: "GET /v1/creators/7", secret: key, status: 503, code: "UNAVAILABLE", logged: "lease_expired"}
	var got apptest.Response
	apptest.Eventually(t, "the lease does not expire", func() bool {
		got = row.send(t, n.URL)
		return got.Status != 200
	})
	row.check(t, got)
	loadDocument(t).check(t, got)
	row.checkLog(t, n, got)
	if got.Header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	if got := apptest.Send(t, n.URL, "GET /ready", ""); got.Status != 503 {
		t.Errorf("/ready without a lease: %d %s", got.Status, got.Body)
	}
	release()
	apptest.Eventually(t, "the lease is not renewed", func() bool { return row.send(t, n.URL).Status == 200 })
}

// lockStore holds the database's write lock until release is called.
func lockStore(t *testing.T, n *apptest.Node) (release func()) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(n.Data, "toksta.db")+"?_txlock=immediate&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(tx.Rollback(), db.Close()); err != nil {
			t.Error(err)
		}
	}
}

// Guarantee: errors of the operator API have the same envelope, also a 409.
func TestOperatorConflict(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t)
	api := n.Operator()
	key := apptest.NewKey(t, api, apptest.NewAccount(t, api, "Done"), "Done").Key.ID
	if _, err := api.RevokeKey(t.Context(), client.KeyRef{Key: key}); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest("POST", "http://toksta"+client.PathPrefix+"keys/rename", strings.NewReader(`{"key":"`+string(key)+`","name":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	private := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", n.Socket()) }}
	defer private.CloseIdleConnections()
	res, err := private.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := apptest.Response{Status: res.StatusCode, Header: res.Header, Body: body, Request: r}
	rejection{status: 409, code: "CONFLICT"}.check(t, got)
	loadDocument(t).check(t, got)
}

// Guarantee: the responses of a server match the vendor's published document.
func TestResponsesMatchDocument(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t)
	api := n.Operator()
	owner := apptest.NewAccount(t, api, "Reader")
	key := apptest.NewKey(t, api, owner, "Reader").Secret
	document := loadDocument(t)
	for _, call := range []string{"POST /v1/creators/search", "GET /v1/creators/7", "GET /v1/campaigns"} {
		apptest.Send(t, n.URL, call, key)
	}
	for _, call := range []string{"GET /health", "GET /ready", "GET /version", "GET /v1/"} {
		got := apptest.Send(t, n.URL, call, "")
		if got.Status != 200 {
			t.Errorf("%s: %d %s", call, got.Status, got.Body)
		}
		document.check(t, got)
	}
	for _, query := range []string{"", "?month=" + time.Now().UTC().Format("2006-01"), "?month=" + time.Now().UTC().AddDate(0, -13, 0).Format("2006-01")} {
		got := apptest.Send(t, n.URL, "GET /v1/account/usage"+query, key)
		if got.Status != 200 {
			t.Errorf("usage %s: %d %s", query, got.Status, got.Body)
		}
		document.check(t, got)
	}
}

// document is the vendor's document of the endpoints that the server implements.
type document struct {
	router routers.Router
	failed *openapi3.Schema
}

func loadDocument(t *testing.T) document {
	t.Helper()
	data, err := os.ReadFile("../../internal/api/testdata/contract.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		t.Fatal(err)
	}
	doc.Servers = nil
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	rejected := doc.Paths.Value("/v1/account/usage").Get.Responses.Value("401").Value
	return document{router, rejected.Content.Get("application/json").Schema.Value}
}

// check validates a response against the document. A response that the document does not
// describe must be an error in the envelope.
func (d document) check(t *testing.T, r apptest.Response) {
	t.Helper()
	request := r.Request.Clone(t.Context())
	request.URL.Scheme, request.URL.Host, request.Host = "", "", ""
	known, params, err := d.router.FindRoute(request)
	if err != nil || known.Operation.Responses.Status(r.Status) == nil {
		var body any
		if err := json.Unmarshal(r.Body, &body); err != nil {
			t.Errorf("%s: %d %s: %v", request.URL, r.Status, r.Body, err)
		}
		if err := d.failed.VisitJSON(body); err != nil {
			t.Errorf("%s: %d %s: %v", request.URL, r.Status, r.Body, err)
		}
		return
	}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: request, Route: known, PathParams: params},
		Status:                 r.Status, Header: r.Header, Body: io.NopCloser(strings.NewReader(string(r.Body))),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		t.Errorf("%s: %d %s: %v", request.URL, r.Status, r.Body, err)
	}
}
