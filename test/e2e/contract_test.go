// Package e2e tests whole servers from outside: over HTTP, through the operator socket
// and by the command line.
package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

const (
	realm      = `Bearer realm="Toksta"`
	noKey      = "Provide an API key using the Authorization: Bearer header."
	deadKey    = "The API key is not valid."
	noBearer   = "Send one Authorization header with the word Bearer, a space, and the API key."
	badToken   = realm + `, error="invalid_token"`
	unknownKey = "tk_live_000000000000000000000000000000000000000000000000"
	longAgoKey = "tk_live_111111111111111111111111111111111111111111111111"
	pausedKey  = "tk_live_222222222222222222222222222222222222222222222222"
	pausedID   = toksta.AccountID("acct_01K00000000000000000000000")
)

func TestMain(m *testing.M) { apptest.Main(m) }

// rejection is a call with the error response that it must get.
type rejection struct {
	call, secret string
	lines        []string
	body         string

	status    int
	code      toksta.Code
	reason    toksta.Reason // in the details
	details   map[string]any
	message   string // "" any
	challenge string
	allow     string
	logged    toksta.Reason // "" as reason
}

// Guarantee: a server responds as each row of the error table of the contract: with its
// status, code, reason, challenge and header fields. Responses about an unknown, revoked,
// replaced or expired key are the same; only the log distinguishes them.
func TestErrors(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t, contractConfig(t))
	document := loadDocument(t)
	rows := unusableKeys(t, n)
	maps.Copy(rows, forbiddenCalls(t, n))
	maps.Copy(rows, protocolErrors(t, n))
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			got := row.send(t, n.URL)
			row.check(t, got)
			document.check(t, got)
			row.checkLog(t, n, got)
		})
	}
}

// contractConfig adds upstreams that fail, and an account with a status that the
// configuration does not contain.
func contractConfig(t *testing.T) func(*config.Config) {
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(slow.Close)
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	return func(c *config.Config) {
		c.Gateway.MaxBody = 1 << 10
		c.Upstreams["slow"] = config.Upstream{URL: slow.URL, ConnectTimeout: time.Second, ResponseTimeout: 50 * time.Millisecond}
		c.Upstreams["gone"] = config.Upstream{URL: "http://" + gone.Addr().String(), ConnectTimeout: time.Second, ResponseTimeout: time.Second}
		c.Routes = append(c.Routes,
			config.Route{Method: config.Methods{"GET"}, Path: "/v1/slow", Operation: "getSlow", Family: "data", Upstream: "slow"},
			config.Route{Method: config.Methods{"GET"}, Path: "/v1/gone", Operation: "getGone", Family: "data", Upstream: "gone"},
			config.Route{Method: config.Methods{"GET"}, Path: "/v1/account/later", Operation: "getLater", Family: "account"},
		)
		insertPaused(t, c.Store.URL)
	}
}

// insertPaused writes an account with an unknown status into the database.
func insertPaused(t *testing.T, url string) {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := time.Now()
	_, err = db.Commit(t.Context(), toksta.Actor{Kind: toksta.ActorSystem}, func(context.Context, store.Reader) (store.Mutation, error) {
		return store.Mutation{Kind: toksta.ChangeAccountCreated, Accounts: []toksta.Account{
			{ID: pausedID, Name: "Paused", Plan: "API_SCALE", Status: "paused", CreatedAt: now, CycleAnchor: now},
		}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// unusableKeys returns a call for each way in which a caller has no usable key.
func unusableKeys(t *testing.T, n *apptest.Node) map[string]rejection {
	api := n.Operator()
	owner := apptest.NewAccount(t, api, "Dead")
	revoked, replaced := apptest.NewKey(t, api, owner, "revoked"), apptest.NewKey(t, api, owner, "replaced")
	if _, err := api.RevokeKey(t.Context(), client.KeyRef{Key: revoked.Key.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.RotateKey(t.Context(), client.RotateKeyRequest{KeyRef: client.KeyRef{Key: replaced.Key.ID}}); err != nil {
		t.Fatal(err)
	}
	importKey(t, api, longAgoKey, client.ImportRow{Account: owner, ExpiresAt: new(time.Now().Add(-time.Hour))})
	rows := map[string]rejection{
		"missing":    {challenge: realm, message: noKey, logged: "key_missing"},
		"malformed":  {lines: []string{"Authorization: Basic eA=="}, message: noBearer, logged: "key_malformed"},
		"upper case": {secret: "TK_LIVE_" + unknownKey[8:], logged: "key_unknown"},
		"unknown":    {secret: unknownKey, logged: "key_unknown"},
		"revoked":    {secret: revoked.Secret, logged: "key_revoked"},
		"replaced":   {secret: replaced.Secret, logged: "key_revoked"},
		"expired":    {secret: longAgoKey, logged: "key_expired"},
	}
	for name, r := range rows {
		r.call, r.status, r.code = "GET /v1/account/usage", 401, "UNAUTHORIZED"
		if name != "missing" {
			r.challenge = badToken
			if r.message == "" {
				r.message = deadKey
			}
		}
		rows[name] = r
	}
	return rows
}

// importKey imports one key by the digest of its secret.
func importKey(t *testing.T, api *client.Client, secret string, row client.ImportRow) {
	t.Helper()
	row.Name, row.Digest = "Imported", fmt.Sprintf("%x", sha256.Sum256([]byte(secret)))
	made, err := api.ImportKeys(t.Context(), client.ImportRequest{Rows: []client.ImportRow{row}})
	if err != nil || made.Imported != 1 {
		t.Fatalf("import: %+v, %v", made, err)
	}
}

// forbiddenCalls returns a call for each reason of 403 and 402.
func forbiddenCalls(t *testing.T, n *apptest.Node) map[string]rejection {
	api := n.Operator()
	secret := func(name string, alter func(client.AccountRef) error, k client.CreateKeyRequest) string {
		k.Account, k.Name = apptest.NewAccount(t, api, name), name
		made, err := api.CreateKey(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		if alter == nil {
			return made.Secret
		}
		if err := alter(client.AccountRef{Account: k.Account}); err != nil {
			t.Fatal(err)
		}
		return made.Secret
	}
	plan := func(id toksta.PlanID) func(client.AccountRef) error {
		return func(r client.AccountRef) error {
			_, err := api.SetPlan(t.Context(), client.SetPlanRequest{AccountRef: r, Plan: id})
			return err
		}
	}
	billing := func(s toksta.Status) func(client.AccountRef) error {
		return func(r client.AccountRef) error {
			_, err := api.SetStatus(t.Context(), client.SetStatusRequest{AccountRef: r, Status: s})
			return err
		}
	}
	off := func(r client.AccountRef) error {
		apptest.Entitle(t, api, r.Account, "api_access_enabled=false")
		return nil
	}
	importKey(t, api, pausedKey, client.ImportRow{Account: pausedID})
	no := client.CreateKeyRequest{}
	account := []toksta.Family{"account"}
	elsewhere := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	usage, search := "GET /v1/account/usage", "POST /v1/creators/search"
	rows := map[string]rejection{
		"free plan":      {call: usage, secret: secret("free", plan("FREE"), no), reason: "plan_free"},
		"past due":       {call: usage, secret: secret("due", billing("past_due"), no), reason: "billing_past_due"},
		"canceled":       {call: usage, secret: secret("canceled", billing("canceled"), no), reason: "subscription_inactive"},
		"unknown status": {call: usage, secret: pausedKey, reason: "subscription_inactive"},
		"access off":     {call: usage, secret: secret("off", off, no), reason: "api_access_disabled"},
		"SaaS, access off by default": {
			call: usage, secret: secret("saas", plan("PRO"), no), reason: "api_access_disabled",
		},
		"scope": {
			call: search, secret: secret("scope", nil, client.CreateKeyRequest{Scopes: account}), reason: "scope_insufficient",
			details: map[string]any{"required_family": "data"}, challenge: realm + `, error="insufficient_scope", scope="data"`,
		},
		"workspace": {call: "GET /v1/campaigns", secret: secret("workspace", nil, no), reason: "workspace_not_entitled"},
		"address":   {call: usage, secret: secret("address", nil, client.CreateKeyRequest{Networks: elsewhere}), reason: "address_not_allowed"},
	}
	for name, r := range rows {
		r.status, r.code = 403, "FORBIDDEN"
		rows[name] = r
	}
	broke := rejection{
		call: search, status: 402, code: "INSUFFICIENT_CREDITS", reason: "insufficient_credits",
		details: map[string]any{"required": 1.0, "remaining": 0.0, "buy_url": "http://localhost:8080/account/plans"},
	}
	broke.secret = secret("payg", plan("API_PAYG"), no)
	rows["no credits"] = broke
	broke.secret = secret("saas payg", func(r client.AccountRef) error {
		apptest.Entitle(t, api, r.Account, "api_access_enabled=true")
		return plan("PAYG")(r)
	}, no)
	rows["no credits, SaaS"] = broke
	return rows
}

// protocolErrors returns calls that fail for reasons other than the rights of the key.
func protocolErrors(t *testing.T, n *apptest.Node) map[string]rejection {
	api := n.Operator()
	live := apptest.NewKey(t, api, apptest.NewAccount(t, api, "Live"), "live").Secret
	future := time.Now().UTC().AddDate(0, 1, 3).Format("2006-01")
	month := func(s string) rejection {
		return rejection{
			call: "GET /v1/account/usage?month=" + s, secret: live, status: 400, code: "VALIDATION_ERROR",
			details: map[string]any{"field": "month"},
		}
	}
	unknown := rejection{call: "GET /v1/nothing", status: 404, code: "NOT_FOUND", message: "Endpoint not found."}
	known := unknown
	known.secret = live
	large := func(bytes int) rejection {
		return rejection{
			call: "GET /v1/creators/7", secret: live, lines: []string{"X-Long: " + strings.Repeat("a", bytes)},
			status: 431, code: "HEADERS_TOO_LARGE",
		}
	}
	return map[string]rejection{
		"path":                {call: "GET /v1/creators/a%2fb", secret: live, status: 400, code: "BAD_REQUEST"},
		"month malformed":     month("2026-5"),
		"month empty":         month(""),
		"month in the future": month(future),
		"no route, no key":    unknown,
		"no route, a key":     known,
		"method": {
			call: "DELETE /v1/creators/7", status: 405, code: "METHOD_NOT_ALLOWED", allow: "GET, HEAD",
			details: map[string]any{"allow": "GET, HEAD"},
		},
		"body":               {call: "POST /v1/creators/search", secret: live, body: strings.Repeat("a", 2<<10), status: 413, code: "PAYLOAD_TOO_LARGE"},
		"target":             {call: "GET /v1/creators/7?q=" + strings.Repeat("a", 9<<10), secret: live, status: 414, code: "TARGET_TOO_LONG"},
		"header":             large(33 << 10),
		"much larger header": large(60 << 10),
		"no handler":         {call: "GET /v1/account/later", secret: live, status: 501, code: "NOT_IMPLEMENTED"},
		"back end gone":      {call: "GET /v1/gone", secret: live, status: 502, code: "UPSTREAM_ERROR"},
		"back end slow":      {call: "GET /v1/slow", secret: live, status: 504, code: "UPSTREAM_TIMEOUT"},
	}
}

func (r rejection) send(t *testing.T, url string) apptest.Response {
	t.Helper()
	method, target, _ := strings.Cut(r.call, " ")
	request, err := http.NewRequestWithContext(t.Context(), method, url+target, bytes.NewReader([]byte(r.body)))
	if err != nil {
		t.Fatal(err)
	}
	if r.secret != "" {
		request.Header.Set("Authorization", "Bearer "+r.secret)
	}
	for _, line := range r.lines {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Set(name, value)
	}
	return apptest.Do(t, request)
}

// check compares the response with the row, and with the parts that all errors share.
func (r rejection) check(t *testing.T, got apptest.Response) {
	t.Helper()
	e, h := got.Error(t), got.Header
	want := map[string]any{}
	maps.Copy(want, r.details)
	if r.reason != "" {
		want["reason"] = string(r.reason)
	}
	if e.Error.Details == nil {
		e.Error.Details = map[string]any{}
	}
	if diff := cmp.Diff(want, e.Error.Details); diff != "" {
		t.Errorf("details (-want +got)\n%s", diff)
	}
	if got.Status != r.status || e.Error.Code != r.code || e.Success || e.Error.Message == "" || r.message != "" && e.Error.Message != r.message {
		t.Errorf("%d %s, want %d %s %q", got.Status, got.Body, r.status, r.code, r.message)
	}
	if h.Get("WWW-Authenticate") != r.challenge || h.Get("Allow") != r.allow {
		t.Errorf("challenge %q, allow %q, want %q, %q", h.Get("WWW-Authenticate"), h.Get("Allow"), r.challenge, r.allow)
	}
	if h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" ||
		!strings.HasPrefix(e.Meta.RequestID, "req_") || h.Get("X-Request-Id") != e.Meta.RequestID || h.Get("X-Trace-Id") != e.Meta.TraceID {
		t.Errorf("header %v of %s", h, got.Body)
	}
	if r.secret != "" && strings.Contains(string(got.Body), r.secret) {
		t.Errorf("the response contains the secret: %s", got.Body)
	}
}

// checkLog fails t unless the request's log record has the reason and no secret.
func (r rejection) checkLog(t *testing.T, n *apptest.Node, got apptest.Response) {
	t.Helper()
	id := got.Header.Get("X-Request-Id")
	var line struct {
		Reason toksta.Reason
		Status int
		Code   toksta.Code
	}
	apptest.Eventually(t, "the request is not in the log", func() bool {
		for text := range bytes.Lines(n.Log.Bytes()) {
			if bytes.Contains(text, []byte(id)) && bytes.HasSuffix(text, []byte("\n")) {
				return json.Unmarshal(text, &line) == nil
			}
		}
		return false
	})
	want := r.logged
	if want == "" {
		want = r.reason
	}
	if line.Reason != want || line.Status != r.status {
		t.Errorf("logged %+v, want reason %q", line, want)
	}
	if r.secret != "" && bytes.Contains(n.Log.Bytes(), []byte(r.secret)) {
		t.Error("the log contains the secret")
	}
}

// Guarantee: a client that exceeds its rate learns when it may continue, with the numbers
// of its account.
func TestRateLimited(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t)
	api := n.Operator()
	owner := apptest.NewAccount(t, api, "Fast")
	apptest.Entitle(t, api, owner, "rate_limit_per_minute=2")
	key := apptest.NewKey(t, api, owner, "Fast").Secret
	got := exceedRate(t, n, "GET /v1/account/usage", key)
	rejection{status: 429, code: "RATE_LIMITED", reason: "rate_limited"}.check(t, got)
	loadDocument(t).check(t, got)
	now := time.Now().Unix()
	reset, _ := strconv.ParseInt(got.Header.Get("X-RateLimit-Reset"), 10, 64)
	wait, _ := strconv.ParseInt(got.Header.Get("Retry-After"), 10, 64)
	if got.Header.Get("X-RateLimit-Limit") != "2" || got.Header.Get("X-RateLimit-Remaining") != "0" ||
		reset%60 != 0 || reset < now || reset > now+60 || wait < 1 || wait > 60 || wait < reset-now {
		t.Errorf("at %d: %v", now, got.Header)
	}
}

// exceedRate calls until a call is rejected with 429, and returns that response. A window
// may end once in between.
func exceedRate(t *testing.T, n *apptest.Node, call, key string) apptest.Response {
	t.Helper()
	for range 10 {
		if got := apptest.Send(t, n.URL, call, key); got.Status == 429 {
			return got
		}
	}
	t.Fatal("no call got 429")
	return apptest.Response{}
}
