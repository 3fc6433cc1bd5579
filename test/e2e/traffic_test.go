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

// outcome is what the views keep apart: calls of one key to one operation that
// ended alike.
type outcome struct {
	key       toksta.KeyID
	family    string
	operation string // the cost key
	reason    string // "" for admitted calls
}

// sum is what calls came to.
type sum struct{ Calls, Refused, Credits, Micros int64 }

// operation is a route as the test calls it.
type operation struct {
	call, family, costKey string
	credits               int64
}

// The routes that the traffic goes to.
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

// traffic makes calls and keeps by itself what they must come to.
type traffic struct {
	*testing.T
	api   *client.Client
	url   string
	ref   client.AccountRef
	spent int64 // credits
	sums  map[outcome]sum
	names map[toksta.KeyID]string
}

// count notes calls with their credits, of which those beyond the included ones
// are overage.
func (t *traffic) count(k toksta.KeyID, o operation, reason string, credits int64) {
	at := outcome{k, o.family, o.costKey, reason}
	s := t.sums[at]
	if reason == "" {
		s.Calls++
	} else {
		s.Refused++
	}
	s.Credits += credits
	s.Micros += microsBeyond * (max(t.spent+credits-included, 0) - max(t.spent-included, 0))
	t.spent += credits
	t.sums[at] = s
}

// by is what the calls came to from one side.
func (t *traffic) by(side func(outcome) string) map[string]sum {
	out := map[string]sum{}
	for o, s := range t.sums {
		total := out[side(o)]
		total.Calls, total.Refused = total.Calls+s.Calls, total.Refused+s.Refused
		total.Credits, total.Micros = total.Credits+s.Credits, total.Micros+s.Micros
		out[side(o)] = total
	}
	return out
}

// must fails the test when the operator could not do as asked.
func (t *traffic) must(_ any, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// key makes a key of the account.
func (t *traffic) key(name string, r client.CreateKeyRequest) client.SecretResponse {
	t.Helper()
	r.Account, r.Name = t.ref.Account, name
	made, err := t.api.CreateKey(t.Context(), r)
	t.must(made, err)
	t.names[made.Key.ID] = name
	return made
}

// admitted sends a call that the back end is to answer with a status, and wants
// it answered so and charged for.
func (t *traffic) admitted(k client.SecretResponse, o operation, status int, credits int64) {
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

// refused sends a call that is to be refused. Why a key is dead is not told.
func (t *traffic) refused(k client.SecretResponse, o operation, status int, reason string) {
	t.Helper()
	got := apptest.Send(t.T, t.url, o.call, k.Secret)
	if got.Status != status || status != http.StatusUnauthorized && got.Error(t.T).Error.Details["reason"] != reason {
		t.Errorf("%s: %d %s, want %d for %s", o.call, got.Status, got.Body, status, reason)
	}
	t.count(k.Key.ID, o, reason, 0)
}

// nobodys sends a call that belongs to no account.
func (t *traffic) nobodys(call, secret string, status int) {
	t.Helper()
	if got := apptest.Send(t.T, t.url, call, secret); got.Status != status {
		t.Errorf("%s: %d, want %d: %s", call, got.Status, status, got.Body)
	}
}

// moody answers as the demo does, or as the query asks.
func moody(t *testing.T) (url string, waiting <-chan struct{}) {
	calls, answer := make(chan struct{}), demo.Upstream()
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
			answer.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, calls
}

// everyOutcome sends calls of every outcome there is. The key works afterwards.
func (t *traffic) everyOutcome(waiting <-chan struct{}) client.SecretResponse {
	live := t.key("Live", client.CreateKeyRequest{})
	t.reservations(live)
	t.hangUp(live, waiting)
	t.settled()
	t.answers(live)
	t.deadKeys()
	t.limitedKeys()
	t.accountStates(live)
	t.money(live)
	return live
}

// answers are those of back ends, and requests that are nobody's call.
func (t *traffic) answers(live client.SecretResponse) {
	for range 7 {
		t.admitted(live, getCreator, http.StatusOK, 0)
	}
	t.admitted(live, job, http.StatusOK, 0)
	t.admitted(live, leaders, http.StatusAccepted, 1)
	t.admitted(live, search, http.StatusOK, 1)
	t.admitted(live, search, http.StatusOK, 17) // measured
	t.admitted(live, search, http.StatusOK, 0)
	t.admitted(live, getCreator, http.StatusOK, 3)
	for _, status := range []int{400, 404, 422, 429, 500, 502, 503} {
		t.admitted(live, match, status, 0)
	}
	t.admitted(live, content, http.StatusInternalServerError, 0) // an operation that never succeeded
	t.nobodys("GET /v1/nowhere", live.Secret, http.StatusNotFound)
	t.nobodys("DELETE /v1/creators/7", live.Secret, http.StatusMethodNotAllowed)
	t.nobodys("GET /v1//creators", live.Secret, http.StatusBadRequest)
	t.nobodys(getCreator.call, "", http.StatusUnauthorized)
	t.nobodys(getCreator.call, "tk_live_0123456789abcdef0123456789abcdef0123456789abcdef", http.StatusUnauthorized)
	t.nobodys(usageCall.call+"?month=never", live.Secret, http.StatusBadRequest)
	t.count(live.Key.ID, usageCall, "", 0) // our own answer to an admitted call
}

// deadKeys sends secrets whose time is over.
func (t *traffic) deadKeys() {
	revoked, rotated := t.key("Revoked", client.CreateKeyRequest{}), t.key("Rotated", client.CreateKeyRequest{})
	t.admitted(revoked, getCreator, http.StatusOK, 0)
	t.must(t.api.RevokeKey(t.Context(), client.KeyRef{Key: revoked.Key.ID}))
	_, err := t.api.RotateKey(t.Context(), client.RotateKeyRequest{KeyRef: client.KeyRef{Key: rotated.Key.ID}})
	t.must(nil, err)
	for range 4 {
		t.refused(revoked, getCreator, http.StatusUnauthorized, "key_revoked")
	}
	t.refused(rotated, search, http.StatusUnauthorized, "key_revoked")

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

// limitedKeys go beyond what they may.
func (t *traffic) limitedKeys() {
	scoped := t.key("Scoped", client.CreateKeyRequest{Scopes: []toksta.Family{"account"}})
	elsewhere := t.key("Elsewhere", client.CreateKeyRequest{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	slow := t.key("Slow", client.CreateKeyRequest{PerMinute: 1})
	for range 3 {
		t.refused(scoped, getCreator, http.StatusForbidden, "scope_insufficient")
	}
	t.refused(elsewhere, job, http.StatusForbidden, "address_not_allowed")
	// A minute may end between two of these, and does not between all of them.
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
		t.Errorf("%d of 5 calls were one too many for a minute, want 4, or 3", limited)
	}
}

// accountStates are those in which the account's keys admit nothing, or not all.
func (t *traffic) accountStates(live client.SecretResponse) {
	plan := func(id toksta.PlanID) {
		t.must(t.api.SetPlan(t.Context(), client.SetPlanRequest{AccountRef: t.ref, Plan: id}))
	}
	billing := func(s toksta.Status) {
		t.must(t.api.SetStatus(t.Context(), client.SetStatusRequest{AccountRef: t.ref, Status: s}))
	}
	t.refused(live, campaigns, http.StatusForbidden, "workspace_not_entitled")
	plan("FREE")
	t.refused(live, getCreator, http.StatusForbidden, "plan_free")
	plan("API_BUILD")
	billing("past_due")
	t.refused(live, getCreator, http.StatusForbidden, "billing_past_due")
	t.refused(live, match, http.StatusForbidden, "billing_past_due")
	billing("canceled")
	t.refused(live, getCreator, http.StatusForbidden, "subscription_inactive")
	billing("active")
	apptest.Entitle(t.T, t.api, t.ref.Account, "api_access_enabled=false")
	t.refused(live, getCreator, http.StatusForbidden, "api_access_disabled")
	apptest.Entitle(t.T, t.api, t.ref.Account, "api_access_enabled=true")
}

// money goes past the included credits, up to a cap.
func (t *traffic) money(live client.SecretResponse) {
	t.admitted(live, search, http.StatusOK, included-5-t.spent)
	t.admitted(live, match, http.StatusAccepted, 10) // 5 of them at $0.025
	t.admitted(live, match, http.StatusAccepted, 35) // measured
	apptest.Entitle(t.T, t.api, t.ref.Account, "overage_cap_usd=1.00")
	t.refused(live, match, http.StatusPaymentRequired, "insufficient_credits")
	t.refused(live, search, http.StatusPaymentRequired, "insufficient_credits")
}

// hangUp is a caller that leaves before the answer. It pays the route's price.
func (t *traffic) hangUp(live client.SecretResponse, waiting <-chan struct{}) {
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	method, target := http.MethodPost, "/v1/creators/audience-match?hang"
	r, err := http.NewRequestWithContext(ctx, method, t.url+target, nil)
	t.must(r, err)
	r.Header.Set("Authorization", "Bearer "+live.Secret)
	go func() { <-waiting; leave() }()
	if res, err := http.DefaultClient.Do(r); err == nil {
		res.Body.Close()
		t.Errorf("a caller that left was answered %s", res.Status)
	}
	t.count(live.Key.ID, match, "", match.credits)
}

// reservations settle one job and give another one's credits back in part. A job
// is no call, and what it is charged is its key's.
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

// settled waits until the node has settled whatever was charged so far.
func (t *traffic) settled() {
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
