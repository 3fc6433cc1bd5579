package e2e

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/demo"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// outcome groups calls as the views do: by key, operation and result.
type outcome struct {
	key       toksta.KeyID
	family    string
	operation string // the cost key
	reason    string // "" for admitted calls
}

// sum is the total of some calls.
type sum struct{ Calls, Rejected, Credits, Micros int64 }

// operation is a route that the test calls.
type operation struct {
	call, family, costKey string
	credits               int64
}

// The routes of the test.
var (
	getCreator = operation{"GET /v1/creators/7", "data", "getCreator", 0}
	search     = operation{"POST /v1/creators/search", "data", "creator_search", 1}
	leaders    = operation{"POST /v1/creators/thought-leaders", "data", "thought_leader_analysis", 1}
	match      = operation{"POST /v1/creators/audience-match", "data", "audience_match", 10}
	content    = operation{"POST /v1/creators/content-match", "data", "content_match", 3}
	job        = operation{"GET /v1/jobs/7", "job", "getJobStatus", 0}
	campaigns  = operation{"GET /v1/campaigns", "workspace", "listCampaigns", 0}
	usageCall  = operation{"GET /v1/account/usage", "account", "getAccountUsage", 0}
)

const (
	included     = 1000 // credits of the plan
	microsBeyond = 25_000
)

// traffic makes calls and computes the expected totals itself.
type traffic struct {
	*testing.T
	api   *client.Client
	url   string
	ref   client.AccountRef
	spent int64 // credits
	sums  map[outcome]sum
	names map[toksta.KeyID]string
}

// count adds a call with its credits to the totals. Credits beyond the included ones are
// overage.
func (t *traffic) count(k toksta.KeyID, o operation, reason string, credits int64) {
	at := outcome{k, o.family, o.costKey, reason}
	s := t.sums[at]
	if reason == "" {
		s.Calls++
	} else {
		s.Rejected++
	}
	s.Credits += credits
	s.Micros += microsBeyond * (max(t.spent+credits-included, 0) - max(t.spent-included, 0))
	t.spent += credits
	t.sums[at] = s
}

// groupBy returns the totals by one dimension.
func (t *traffic) groupBy(dimension func(outcome) string) map[string]sum {
	out := map[string]sum{}
	for o, s := range t.sums {
		total := out[dimension(o)]
		total.Calls, total.Rejected = total.Calls+s.Calls, total.Rejected+s.Rejected
		total.Credits, total.Micros = total.Credits+s.Credits, total.Micros+s.Micros
		out[dimension(o)] = total
	}
	return out
}

// must fails the test if a call of the operator API failed.
func (t *traffic) must(_ any, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// key creates a key of the account.
func (t *traffic) key(name string, r client.CreateKeyRequest) client.SecretResponse {
	t.Helper()
	r.Account, r.Name = t.ref.Account, name
	made, err := t.api.CreateKey(t.Context(), r)
	t.must(made, err)
	t.names[made.Key.ID] = name
	return made
}

// sendAdmitted sends a call to which the upstream responds with status, and fails the test
// unless it gets this status and is charged the credits.
func (t *traffic) sendAdmitted(k client.SecretResponse, o operation, status int, credits int64) {
	t.Helper()
	call := o
	call.call += "?status=" + strconv.Itoa(status)
	if credits != o.credits && status < 400 {
		call.call += "&cost=" + strconv.FormatInt(credits, 10)
	}
	got := apptest.Send(t.T, t.url, call.call, k.Secret)
	if cost, _ := strconv.ParseInt(got.Header.Get("X-Toksta-Credit-Cost"), 10, 64); got.Status != status || cost != credits {
		t.Errorf("%s: %d for %d credits, want %d for %d: %s", call.call, got.Status, cost, status, credits, got.Body)
	}
	t.count(k.Key.ID, o, "", credits)
}

// sendRejected sends a call that must be rejected. The response does not contain the reason
// of a 401.
func (t *traffic) sendRejected(k client.SecretResponse, o operation, status int, reason string) {
	t.Helper()
	got := apptest.Send(t.T, t.url, o.call, k.Secret)
	if got.Status != status || status != http.StatusUnauthorized && got.Error(t.T).Error.Details["reason"] != reason {
		t.Errorf("%s: %d %s, want %d for %s", o.call, got.Status, got.Body, status, reason)
	}
	t.count(k.Key.ID, o, reason, 0)
}

// sendUnattributed sends a request that is not counted for any account.
func (t *traffic) sendUnattributed(call, secret string, status int) {
	t.Helper()
	if got := apptest.Send(t.T, t.url, call, secret); got.Status != status {
		t.Errorf("%s: %d, want %d: %s", call, got.Status, status, got.Body)
	}
}

// startUpstream runs an upstream that responds as the demo or as the query says.
func startUpstream(t *testing.T) (url string, waiting <-chan struct{}) {
	calls, normal := make(chan struct{}), demo.Upstream()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		status, _ := strconv.Atoi(q.Get("status"))
		if cost := q.Get("cost"); cost != "" {
			w.Header().Set("X-Toksta-Credit-Cost", cost)
		}
		switch {
		case q.Has("hang"):
			calls <- struct{}{}
			<-r.Context().Done()
		case status == http.StatusBadGateway:
			panic(http.ErrAbortHandler)
		case status >= 400:
			w.WriteHeader(status)
		default:
			normal.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, calls
}

// everyOutcome sends calls with every possible outcome. It returns a live key.
func (t *traffic) everyOutcome(waiting <-chan struct{}) client.SecretResponse {
	live := t.key("Live", client.CreateKeyRequest{})
	t.reservations(live)
	t.disconnect(live, waiting)
	t.waitForCharges()
	t.upstreamResponses(live)
	t.deadKeys()
	t.limitedKeys()
	t.accountStates(live)
	t.spendCredits(live)
	return live
}

// upstreamResponses sends calls for every kind of response, and requests that are not
// counted.
func (t *traffic) upstreamResponses(live client.SecretResponse) {
	for range 7 {
		t.sendAdmitted(live, getCreator, http.StatusOK, 0)
	}
	t.sendAdmitted(live, job, http.StatusOK, 0)
	t.sendAdmitted(live, leaders, http.StatusAccepted, 1)
	t.sendAdmitted(live, search, http.StatusOK, 1)
	t.sendAdmitted(live, search, http.StatusOK, 17) // measured
	t.sendAdmitted(live, search, http.StatusOK, 0)
	t.sendAdmitted(live, getCreator, http.StatusOK, 3)
	for _, status := range []int{400, 404, 422, 429, 500, 502, 503} {
		t.sendAdmitted(live, match, status, 0)
	}
	t.sendAdmitted(live, content, http.StatusInternalServerError, 0) // an operation that never succeeded
	t.sendUnattributed("GET /v1/nowhere", live.Secret, http.StatusNotFound)
	t.sendUnattributed("DELETE /v1/creators/7", live.Secret, http.StatusMethodNotAllowed)
	t.sendUnattributed("GET /v1//creators", live.Secret, http.StatusBadRequest)
	t.sendUnattributed(getCreator.call, "", http.StatusUnauthorized)
	t.sendUnattributed(getCreator.call, "tk_live_0123456789abcdef0123456789abcdef0123456789abcdef", http.StatusUnauthorized)
	t.sendUnattributed(usageCall.call+"?month=never", live.Secret, http.StatusBadRequest)
	t.count(live.Key.ID, usageCall, "", 0) // the gateway's own response to an admitted call
}

// deadKeys sends revoked, replaced and expired secrets.
func (t *traffic) deadKeys() {
	revoked, rotated := t.key("Revoked", client.CreateKeyRequest{}), t.key("Rotated", client.CreateKeyRequest{})
	t.sendAdmitted(revoked, getCreator, http.StatusOK, 0)
	t.must(t.api.RevokeKey(t.Context(), client.KeyRef{Key: revoked.Key.ID}))
	_, err := t.api.RotateKey(t.Context(), client.RotateKeyRequest{KeyRef: client.KeyRef{Key: rotated.Key.ID}})
	t.must(nil, err)
	for range 4 {
		t.sendRejected(revoked, getCreator, http.StatusUnauthorized, "key_revoked")
	}
	t.sendRejected(rotated, search, http.StatusUnauthorized, "key_revoked")

	expired := t.key("Expired", client.CreateKeyRequest{ExpiresAt: new(time.Now().Add(time.Second))})
	deadline := time.After(10 * time.Second)
	for again := time.NewTicker(50 * time.Millisecond); apptest.Status(t.url, expired.Secret) == http.StatusOK; {
		t.count(expired.Key.ID, getCreator, "", 0)
		select {
		case <-deadline:
			t.Fatal("the key does not expire")
		case <-again.C:
		}
	}
	t.count(expired.Key.ID, getCreator, "key_expired", 0)
}

// limitedKeys exceeds the limits of keys.
func (t *traffic) limitedKeys() {
	scoped := t.key("Scoped", client.CreateKeyRequest{Scopes: []toksta.Family{"account"}})
	elsewhere := t.key("Elsewhere", client.CreateKeyRequest{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	slow := t.key("Slow", client.CreateKeyRequest{PerMinute: 1})
	for range 3 {
		t.sendRejected(scoped, getCreator, http.StatusForbidden, "scope_insufficient")
	}
	t.sendRejected(elsewhere, job, http.StatusForbidden, "address_not_allowed")
	// At most one minute ends during these calls.
	limited := 0
	for range 5 {
		if got := apptest.Send(t.T, t.url, match.call+"?status=404", slow.Secret); got.Status == http.StatusTooManyRequests {
			limited++
			t.count(slow.Key.ID, match, "rate_limited", 0)
			continue
		}
		t.count(slow.Key.ID, match, "", 0)
	}
	if limited < 3 {
		t.Errorf("%d of 5 calls were rejected, want 4, or 3", limited)
	}
}

// accountStates sends calls in every state of the account that rejects calls.
func (t *traffic) accountStates(live client.SecretResponse) {
	plan := func(id toksta.PlanID) {
		t.must(t.api.SetPlan(t.Context(), client.SetPlanRequest{AccountRef: t.ref, Plan: id}))
	}
	billing := func(s toksta.Status) {
		t.must(t.api.SetStatus(t.Context(), client.SetStatusRequest{AccountRef: t.ref, Status: s}))
	}
	t.sendRejected(live, campaigns, http.StatusForbidden, "workspace_not_entitled")
	plan("FREE")
	t.sendRejected(live, getCreator, http.StatusForbidden, "plan_free")
	plan("API_BUILD")
	billing("past_due")
	t.sendRejected(live, getCreator, http.StatusForbidden, "billing_past_due")
	t.sendRejected(live, match, http.StatusForbidden, "billing_past_due")
	billing("canceled")
	t.sendRejected(live, getCreator, http.StatusForbidden, "subscription_inactive")
	billing("active")
	apptest.Entitle(t.T, t.api, t.ref.Account, "api_access_enabled=false")
	t.sendRejected(live, getCreator, http.StatusForbidden, "api_access_disabled")
	apptest.Entitle(t.T, t.api, t.ref.Account, "api_access_enabled=true")
}

// spendCredits spends more than the included credits, up to a cap.
func (t *traffic) spendCredits(live client.SecretResponse) {
	t.sendAdmitted(live, search, http.StatusOK, included-5-t.spent)
	t.sendAdmitted(live, match, http.StatusAccepted, 10) // 5 of them at $0.025
	t.sendAdmitted(live, match, http.StatusAccepted, 35) // measured
	apptest.Entitle(t.T, t.api, t.ref.Account, "overage_cap_usd=1.00")
	t.sendRejected(live, match, http.StatusPaymentRequired, "insufficient_credits")
	t.sendRejected(live, search, http.StatusPaymentRequired, "insufficient_credits")
}

// disconnect sends a call and disconnects before the response. The call is charged the
// route's price.
func (t *traffic) disconnect(live client.SecretResponse, waiting <-chan struct{}) {
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	method, target := http.MethodPost, "/v1/creators/audience-match?hang"
	r, err := http.NewRequestWithContext(ctx, method, t.url+target, nil)
	t.must(r, err)
	r.Header.Set("Authorization", "Bearer "+live.Secret)
	go func() { <-waiting; leave() }()
	if res, err := http.DefaultClient.Do(r); err == nil {
		res.Body.Close()
		t.Errorf("a disconnected caller got %s", res.Status)
	}
	t.count(live.Key.ID, match, "", match.credits)
}

// reservations settles jobs and refunds credits. A job does not count as a call; its credits
// are charged to its key.
func (t *traffic) reservations(live client.SecretResponse) {
	reserve := func(credits int64, name string) client.CloseRequest {
		made, err := t.api.ReserveCredits(t.Context(), client.ReserveRequest{
			AccountRef: t.ref, Key: live.Key.ID, Family: "job", CostKey: "long_job", Credits: credits, IdempotencyKey: name,
		})
		t.must(made, err)
		return client.CloseRequest{AccountRef: t.ref, Reservation: made.Reservation.ID}
	}
	step := func(r client.CloseRequest, credits int64, name string) client.CloseRequest {
		r.Credits, r.IdempotencyKey = credits, name
		return r
	}
	first, second, third := reserve(40, "first"), reserve(30, "second"), reserve(20, "third")
	t.must(t.api.SettleCredits(t.Context(), step(first, 25, "first done")))
	t.must(t.api.SettleCredits(t.Context(), step(second, 30, "second done")))
	t.must(t.api.RefundCredits(t.Context(), step(second, 12, "second in part")))
	t.must(t.api.RefundCredits(t.Context(), step(third, 0, "third failed")))
	t.sums[outcome{live.Key.ID, "job", "long_job", ""}] = sum{Credits: 25 + 30 - 12}
	t.spent += 25 + 30 - 12
}

// waitForCharges waits until the usage has all credits charged so far.
func (t *traffic) waitForCharges() {
	var month struct {
		Credits int64 `json:"total_credits_charged"`
	}
	deadline := time.After(10 * time.Second)
	for again := time.NewTicker(10 * time.Millisecond); month.Credits != t.spent; {
		apptest.Usage(t.T, t.api, t.ref.Account, &month)
		select {
		case <-deadline:
			t.Fatalf("%d credits are charged, want %d", month.Credits, t.spent)
		case <-again.C:
		}
	}
}
