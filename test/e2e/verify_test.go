package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// verifyUsage is the usage of an account.
type verifyUsage struct {
	Calls   int64                   `json:"total_calls"`
	Credits int64                   `json:"total_credits_charged"`
	Refused map[toksta.Reason]int64 `json:"refused"`
}

func usageOf(t *testing.T, api *client.Client, owner toksta.AccountID) (u verifyUsage) {
	t.Helper()
	apptest.Usage(t, api, owner, &u)
	return u
}

// verify decides on a call and fails t on an error.
func verify(t *testing.T, api *client.Client, r client.VerifyRequest) client.VerifyResponse {
	t.Helper()
	d, err := api.Verify(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Guarantee: a decision states the route, the principal, the rate, the credits and the fields
// for client and back end. The price that the program states replaces that of the route.
func TestVerifyDecision(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t)
	api := n.Operator()
	owner := apptest.NewAccount(t, api, "Vendor")
	key := apptest.NewKey(t, api, owner, "live")
	d := verify(t, api, client.VerifyRequest{Key: key.Secret, Operation: "searchCreators", RequestID: "client-1", Credits: new(int64(7))})
	scopes := []toksta.Family{"data", "job", "account"}
	if d.Rate == nil || d.Rate.Limit != 1_000_000 || d.Rate.Remaining != 999_999 || d.Rate.Reset < time.Now().Unix() {
		t.Errorf("rate %+v", d.Rate)
	}
	d.Rate = nil
	for _, name := range []string{"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "X-Trace-Id", "Access-Control-Expose-Headers"} {
		if d.Response.Headers[name] == "" {
			t.Errorf("no field %s in %v", name, d.Response.Headers)
		}
		delete(d.Response.Headers, name)
	}
	if d.Identity["Traceparent"] == "" || d.Identity["X-Trace-Id"] == "" {
		t.Errorf("identity %v", d.Identity)
	}
	delete(d.Identity, "Traceparent")
	delete(d.Identity, "X-Trace-Id")
	want := client.VerifyResponse{
		Admitted: true, Operation: "searchCreators", Family: "data", Credits: &client.VerifyCredits{Charged: 7},
		Principal: &client.VerifyPrincipal{AccountID: owner, KeyID: key.Key.ID, Plan: "API_ENTERPRISE", Scopes: scopes},
		Response:  client.VerifyReply{Headers: map[string]string{"X-Request-Id": "client-1", "X-Toksta-Credit-Cost": "7"}},
		Identity: map[string]string{
			"X-Toksta-Account-Id": string(owner), "X-Toksta-Key-Id": string(key.Key.ID), "X-Toksta-Plan": "API_ENTERPRISE",
			"X-Toksta-Scopes": "data,job,account", "X-Request-Id": "client-1",
		},
		IdentityPrefix: "X-Toksta-",
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Error(diff)
	}
	for operation, want := range map[string]client.VerifyResponse{
		"unknown":         {Code: toksta.CodeNotFound, Message: "Endpoint not found."},
		"getAccountUsage": {Admitted: true, Operation: "getAccountUsage", Family: "account"},
	} {
		got := verify(t, api, client.VerifyRequest{Key: key.Secret, Operation: operation})
		if got.Admitted != want.Admitted || got.Code != want.Code || got.Operation != want.Operation || got.Family != want.Family || got.Message != want.Message {
			t.Errorf("%s: %+v", operation, got)
		}
	}
	if got := verify(t, api, client.VerifyRequest{Method: "GET", Target: "/v1/"}); !got.Admitted || !got.Public || got.Principal != nil {
		t.Errorf("a public route: %+v", got)
	}
	// A verified call is not in progress after its decision.
	apptest.Entitle(t, api, owner, "concurrent_calls=1")
	for range 2 {
		if got := verify(t, api, client.VerifyRequest{Key: key.Secret, Operation: "getCreator"}); !got.Admitted {
			t.Errorf("one call after another: %+v", got)
		}
	}
	if u := usageOf(t, api, owner); u.Calls != 4 || u.Credits != 7 || len(u.Refused) > 0 {
		t.Errorf("%+v", u)
	}
}

// Guarantee: a request that describes no call is an error of the asking program, decides
// and counts nothing, and does not show the key.
func TestVerifyRejectsRequests(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t)
	api := n.Operator()
	owner := apptest.NewAccount(t, api, "Vendor")
	secret := apptest.NewKey(t, api, owner, "live").Secret
	requests := map[string]client.VerifyRequest{
		"no route":              {Key: secret},
		"no target":             {Key: secret, Method: "GET"},
		"no method":             {Key: secret, Target: "/"},
		"two routes":            {Key: secret, Operation: "getCreator", Method: "GET", Target: "/v1/creators/7"},
		"two credentials":       {Key: secret, Authorization: "Bearer " + secret, Operation: "getCreator"},
		"negative price":        {Key: secret, Operation: "getCreator", Credits: new(int64(-1))},
		"price above the bound": {Key: secret, Operation: "getCreator", Credits: new(int64(1_000_001))},
		"no job":                {Key: secret, Operation: "searchCreators", Hold: &client.VerifyHold{}},
		"too long a hold":       {Key: secret, Operation: "searchCreators", Hold: &client.VerifyHold{Job: "a", ExpiresIn: 31 * 24 * 3600}},
		"negative time":         {Key: secret, Operation: "searchCreators", Hold: &client.VerifyHold{Job: "a", ExpiresIn: -1}},
	}
	var batch []client.VerifyRequest
	for name, r := range requests {
		if _, err := api.Verify(t.Context(), r); toksta.ErrorCode(err) != toksta.CodeBadRequest || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
		batch = append(batch, r)
	}
	decisions, err := api.VerifyBatch(t.Context(), append(batch, client.VerifyRequest{Key: secret, Operation: "getCreator"}))
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range decisions {
		if last := i == len(batch); d.Admitted != last || !last && (d.Code != toksta.CodeBadRequest || d.Response.Status != http.StatusBadRequest) {
			t.Errorf("%d: %+v", i, d)
		}
	}
	if u := usageOf(t, api, owner); u.Calls != 1 || len(u.Refused) > 0 {
		t.Errorf("%+v", u)
	}
}

// Guarantee: a batch of 1,000 calls is decided in order, each by itself and counted once, and
// a larger one is rejected whole. Its fields have the vendor's prefix.
func TestVerifyBatch(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t, func(c *config.Config) { c.Branding.HeaderPrefix, c.RateLimit.StructuredFields = "X-Acme", true })
	api := n.Operator()
	owner := apptest.NewAccount(t, api, "Vendor")
	apptest.Entitle(t, api, owner, "rate_limit_per_hour=700")
	key := apptest.NewKey(t, api, owner, "live")
	calls := make([]client.VerifyRequest, client.MaxVerifyBatch)
	for i := range calls {
		calls[i] = client.VerifyRequest{Key: key.Secret, Operation: "getCreator", RequestID: fmt.Sprint("call-", i)}
		if i%10 == 9 {
			calls[i].Key = unknownKey
		}
	}
	decisions, err := api.VerifyBatch(t.Context(), calls)
	if err != nil || len(decisions) != len(calls) {
		t.Fatal(len(decisions), err)
	}
	admitted := 0
	for i, d := range decisions {
		want := toksta.Reason("")
		switch {
		case i%10 == 9:
			want = toksta.ReasonKeyUnknown
		case admitted < 700:
			admitted++
		default:
			want = toksta.ReasonRateLimitedHourly
		}
		if d.Reason != want || d.Response.Headers["X-Request-Id"] != calls[i].RequestID {
			t.Fatalf("%d: %+v, want %q", i, d, want)
		}
	}
	first, unknown := decisions[0], decisions[9]
	if first.Identity["X-Acme-Key-Id"] != string(key.Key.ID) || first.IdentityPrefix != "X-Acme-" || unknown.Response.Headers["X-Acme-Source"] != "gateway" ||
		!strings.Contains(first.Response.Headers["Ratelimit-Policy"], `"account-hour";q=700`) {
		t.Errorf("%+v\n%+v", first, unknown)
	}
	want := verifyUsage{700, 0, map[toksta.Reason]int64{toksta.ReasonRateLimitedHourly: 200}}
	if diff := cmp.Diff(want, usageOf(t, api, owner)); diff != "" {
		t.Error(diff)
	}
	if _, err := api.VerifyBatch(t.Context(), append(calls, calls[0])); toksta.ErrorCode(err) != toksta.CodeValidation {
		t.Errorf("1,001 calls: %v", err)
	}
}

// Guarantee: a hold reserves the price of an admitted call once for each job, also if the
// request is repeated on another node; any node settles it, and the job then pays for no
// further call; a call that the credits do not
// cover leaves no reservation and no hold; and simultaneous holds reserve no credit twice.
func TestVerifyHold(t *testing.T) {
	t.Parallel()
	nodes := apptest.StartCluster(t, pgtest.Start(t).NewDatabase(t), func(c *config.Config) { c.Node.Lease = 2 * time.Second })
	t.Run("life", func(t *testing.T) { checkHoldLife(t, nodes[0].Operator(), nodes[1].Operator()) })
	t.Run("together", func(t *testing.T) { checkHoldsTogether(t, nodes) })
}

// newPaid creates an account with ten purchased credits and a key.
func newPaid(t *testing.T, api *client.Client) (client.AccountRef, string) {
	t.Helper()
	ref := client.AccountRef{Account: apptest.NewAccount(t, api, "Vendor")}
	if _, err := api.SetPlan(t.Context(), client.SetPlanRequest{AccountRef: ref, Plan: "API_PAYG"}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.TopUpCredits(t.Context(), client.PurchaseRequest{AccountRef: ref, Credits: 10, IdempotencyKey: "bought"}); err != nil {
		t.Fatal(err)
	}
	return ref, apptest.NewKey(t, api, ref.Account, "live").Secret
}

// checkHoldLife fails t unless a hold is made on one node, repeated and settled on the other.
func checkHoldLife(t *testing.T, api, other *client.Client) {
	ref, secret := newPaid(t, api)
	owner := ref.Account
	ask := func(job string, credits int64) client.VerifyRequest {
		return client.VerifyRequest{Key: secret, Operation: "getCreator", Credits: &credits, Hold: &client.VerifyHold{Job: job}}
	}
	first := verify(t, api, ask("a", 10)) // the whole balance
	if !first.Admitted || first.Credits == nil || first.Credits.Charged != 0 || first.Credits.Reservation == nil || first.Credits.Reservation.Reserved.Total != 10 {
		t.Fatalf("%+v", first)
	}
	reservation := first.Credits.Reservation
	if again := verify(t, other, ask("a", 10)); !again.Admitted || again.Credits.Reservation.ID != reservation.ID {
		t.Errorf("repeated on another node: %+v", again)
	}
	if d := verify(t, api, ask("b", 1)); d.Code != toksta.CodeInsufficientCredits || d.Credits != nil || d.Response.Status != http.StatusPaymentRequired {
		t.Errorf("without credits: %+v", d)
	}
	if d := verify(t, api, ask("a", 9)); d.Code != toksta.CodeConflict || d.Reason != toksta.ReasonIdempotencyKeyReused {
		t.Errorf("the same job for another call: %+v", d)
	}
	if d := verify(t, api, ask("c", 0)); !d.Admitted || d.Credits != nil {
		t.Errorf("a free hold: %+v", d)
	}
	if open, err := api.Reservations(t.Context(), client.ReservationsRequest{Account: owner}); err != nil || len(open.Reservations) != 1 {
		t.Errorf("%+v, %v", open, err)
	}
	settled, err := other.SettleCredits(t.Context(), client.CloseRequest{AccountRef: ref, Reservation: reservation.ID, Credits: 4, IdempotencyKey: "a done"})
	if err != nil || settled.Reservation.State != "settled" {
		t.Fatal(settled, err)
	}
	// If the job of a paid call could be repeated, every further call would be free.
	for _, node := range []*client.Client{api, other} {
		if d := verify(t, node, ask("a", 10)); d.Admitted || d.Code != toksta.CodeConflict || d.Reason != toksta.ReasonIdempotencyKeyReused || d.Credits != nil {
			t.Errorf("the same job after its settlement: %+v", d)
		}
	}
	// A charge takes the released credits at once: no hold of the calls above is left.
	if d := verify(t, other, client.VerifyRequest{Key: secret, Operation: "getCreator", Credits: new(int64(6))}); !d.Admitted || d.Credits.Charged != 6 {
		t.Errorf("after the settlement: %+v", d)
	}
	apptest.Eventually(t, "the counts are not those of the decisions", func() bool {
		return cmp.Equal(usageOf(t, api, owner), verifyUsage{4, 10, map[toksta.Reason]int64{toksta.ReasonInsufficientCredits: 1}})
	})
	if v, err := api.VerifyCredits(t.Context()); err != nil || len(v.Differences)+len(v.Overspent) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

// checkHoldsTogether fails t unless as many holds are admitted as the account has credits.
func checkHoldsTogether(t *testing.T, nodes []*apptest.Node) {
	api := nodes[0].Operator()
	ref, secret := newPaid(t, api)
	var group sync.WaitGroup
	var admitted, unpaid atomic.Int64
	for i := range 24 {
		group.Go(func() {
			d, err := nodes[i%len(nodes)].Operator().Verify(t.Context(), client.VerifyRequest{
				Key: secret, Operation: "searchCreators", Hold: &client.VerifyHold{Job: fmt.Sprint("job ", i)},
			})
			switch {
			case err == nil && d.Admitted:
				admitted.Add(1)
			case err == nil && d.Reason == toksta.ReasonInsufficientCredits:
				unpaid.Add(1)
			default:
				t.Errorf("%+v, %v", d, err)
			}
		})
	}
	group.Wait()
	open, err := api.Reservations(t.Context(), client.ReservationsRequest{Account: ref.Account})
	if err != nil || admitted.Load() != 10 || unpaid.Load() != 14 || len(open.Reservations) != 10 {
		t.Errorf("%d admitted, %d without credits, %d reservations, %v", admitted.Load(), unpaid.Load(), len(open.Reservations), err)
	}
}

// Guarantee: the log has one record for each decided call, found by the id that the client
// received, with the account, the key, the reason and the fingerprint as in records of the
// gateway, and no part of a key.
func TestVerifyRecords(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t)
	api := n.Operator()
	owner := apptest.NewAccount(t, api, "Vendor")
	key := apptest.NewKey(t, api, owner, "live")
	revoked := apptest.NewKey(t, api, owner, "revoked")
	if _, err := api.RevokeKey(t.Context(), client.KeyRef{Key: revoked.Key.ID}); err != nil {
		t.Fatal(err)
	}
	calls := []client.VerifyRequest{
		{Key: key.Secret, Method: "GET", Target: "/v1/creators/7?key=" + key.Secret, RequestID: "one-"},
		{Authorization: "Bearer " + revoked.Secret, Operation: "getCreator", RequestID: "two-"},
		{Key: unknownKey, Operation: "getCreator", RequestID: "three-"},
		{Authorization: "Bearer " + unknownKey + " x", Operation: "getCreator", RequestID: "four-"},
	}
	for i := range calls {
		calls[i].RequestID += "single"
		verify(t, api, calls[i])
		calls[i].RequestID = strings.TrimSuffix(calls[i].RequestID, "single") + "batch"
	}
	if _, err := api.VerifyBatch(t.Context(), calls); err != nil {
		t.Fatal(err)
	}
	apptest.Send(t, n.URL, "GET /v1/creators/7", unknownKey)
	records := verifyRecords(t, n)
	fingerprint := records[""].Fingerprint
	if fingerprint == "" {
		t.Error("no record of the gateway with a fingerprint")
	}
	for _, way := range []string{"single", "batch"} {
		route := map[string]string{"single": "verify", "batch": "verify/batch"}[way]
		for id, want := range map[string]verifyRecord{
			"one-":   {Account: owner, Key: key.Key.ID, Outcome: "answered"},
			"two-":   {Account: owner, Key: revoked.Key.ID, Code: toksta.CodeUnauthorized, Reason: toksta.ReasonKeyRevoked, Outcome: "refused"},
			"three-": {Code: toksta.CodeUnauthorized, Reason: toksta.ReasonKeyUnknown, Fingerprint: fingerprint, Outcome: "refused"},
			"four-":  {Code: toksta.CodeUnauthorized, Reason: toksta.ReasonKeyMalformed, Outcome: "refused"},
		} {
			want.ID, want.Route, want.Verified, want.Path, want.Status = id+way, route, "getCreator", "/operator/v1/"+route, 200
			if diff := cmp.Diff(want, records[id+way]); diff != "" {
				t.Errorf("%s%s (-want +got)\n%s", id, way, diff)
			}
		}
	}
	log := n.Log.Bytes()
	for _, secret := range []string{key.Secret, revoked.Secret, unknownKey} {
		if bytes.Contains(log, []byte(secret[8:30])) {
			t.Error("the log contains a part of a key")
		}
	}
}

// verifyRecord has the fields of a record that the test compares.
type verifyRecord struct {
	ID          string           `json:"request_id"`
	Path        string           `json:"path"`
	Route       string           `json:"route"`
	Verified    string           `json:"verified"`
	Account     toksta.AccountID `json:"account"`
	Key         toksta.KeyID     `json:"key_id"`
	Fingerprint string           `json:"key_fingerprint"`
	Outcome     string           `json:"outcome"`
	Code        toksta.Code      `json:"code"`
	Reason      toksta.Reason    `json:"reason"`
	Status      int              `json:"status"`
}

// verifyRecords returns the records of verified calls by their id, and under "" the last
// record of an unknown key at the gateway.
func verifyRecords(t *testing.T, n *apptest.Node) map[string]verifyRecord {
	t.Helper()
	records := map[string]verifyRecord{}
	apptest.Eventually(t, "the last record is missing", func() bool {
		for line := range bytes.Lines(n.Log.Bytes()) {
			var r verifyRecord
			switch {
			case json.Unmarshal(line, &r) != nil:
			case r.Verified != "":
				records[r.ID] = r
			case r.Reason == toksta.ReasonKeyUnknown:
				records[""] = r
			}
		}
		return records[""].ID != ""
	})
	return records
}
