package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/mail/mailtest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// signing is the secret with which the server signs webhooks to the vendor.
const signing = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="

// vendor receives webhooks and keeps those with a valid signature.
type vendor struct {
	url  string
	mu   sync.Mutex
	got  []client.Webhook
	gone bool // responds 410
}

func newVendor(t *testing.T) *vendor {
	v := &vendor{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		webhook, err := client.VerifyWebhook(r.Header, body, time.Now(), signing)
		if err != nil {
			t.Errorf("%s: %v", body, err)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.gone {
			w.WriteHeader(http.StatusGone)
			return
		}
		v.got = append(v.got, webhook)
	}))
	t.Cleanup(server.Close)
	v.url = server.URL
	return v
}

func (v *vendor) setGone(gone bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gone = gone
}

// received returns the kinds of the webhooks, in order.
func (v *vendor) received() (kinds []toksta.EventKind) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, w := range v.got {
		kinds = append(kinds, w.Kind)
	}
	return kinds
}

// configure adds the vendor's webhook to c and shortens the flush interval.
func (v *vendor) configure(c *config.Config) {
	c.Webhooks = map[string]config.Webhook{"billing": {URL: v.url, Secret: signing}}
	c.Events = config.Events{LowBalance: 10, LowPurchased: 10, LimitHits: 30}
	c.Meter.FlushInterval = 100 * time.Millisecond
}

// waitFor waits for events and fails t unless they have exactly these kinds.
func (v *vendor) waitFor(t *testing.T, want ...toksta.EventKind) {
	t.Helper()
	apptest.Eventually(t, "the vendor does not receive the event", func() bool { return len(v.received()) >= len(want) })
	if diff := cmp.Diff(want, v.received()); diff != "" {
		t.Fatalf("(-want +received)\n%s", diff)
	}
}

// Guarantee: while a customer spends its last credits, the vendor receives an event when they
// are low, when they are exhausted, and when the rate limit is often hit, each once and
// signed. The customer receives the same by mail. No log contains the secret.
func TestEventsAreDelivered(t *testing.T) {
	t.Parallel()
	v := newVendor(t)
	post := mailtest.Start(t, mailtest.Options{})
	n := apptest.Start(t, v.configure, func(c *config.Config) {
		c.Mail = config.Mail{Server: post.Addr, TLS: "none", From: "Acme <keys@acme.example>"}
	})
	api := n.Operator()
	owner := apptest.NewAccount(t, api, "Spender")
	ref := client.AccountRef{Account: owner}
	if _, err := api.SetPlan(t.Context(), client.SetPlanRequest{AccountRef: ref, Plan: "API_PAYG"}); err != nil {
		t.Fatal(err)
	}
	_, err := api.AddMember(t.Context(), client.AddMemberRequest{
		AccountRef: ref, Email: "ada@customer.example", Name: "Ada", Password: "a long sentence that nobody guesses",
	})
	if err != nil {
		t.Fatal(err)
	}
	apptest.Entitle(t, api, owner, "purchased_credits=+30")
	key := apptest.NewKey(t, api, owner, "last credits").Secret
	spend := func(calls, status int) {
		t.Helper()
		for range calls {
			if got := apptest.Send(t, n.URL, "POST /v1/creators/search", key); got.Status != status {
				t.Fatalf("%d %s", got.Status, got.Body)
			}
		}
	}
	spend(19, http.StatusOK)
	spend(1, http.StatusOK)
	v.waitFor(t, toksta.EventCreditsLow)
	spend(5, http.StatusOK)
	spendLastCredit(t, n) // its event comes after the five were checked
	v.waitFor(t, toksta.EventCreditsLow, toksta.EventCreditsExhausted)
	spend(5, http.StatusOK)
	v.waitFor(t, toksta.EventCreditsLow, toksta.EventCreditsExhausted, toksta.EventCreditsExhausted)
	spend(5, http.StatusPaymentRequired)

	apptest.Entitle(t, api, owner, "rate_limit_per_minute=1")
	for range 35 {
		apptest.Send(t, n.URL, "GET /v1/creators/7", key)
	}
	all := []toksta.EventKind{toksta.EventCreditsLow, toksta.EventCreditsExhausted, toksta.EventCreditsExhausted, toksta.EventRateLimitHit}
	v.waitFor(t, all...)
	var low client.CreditsData
	if err := json.Unmarshal(v.got[0].Data, &low); err != nil || low.AccountID != owner || low.Remaining != 10 || low.Beyond != "refused" {
		t.Errorf("%+v, %v", low, err)
	}
	// One mail about the new key, and one for each event.
	apptest.Eventually(t, "the customer gets no mail", func() bool { return len(post.Mails()) >= 4 })
	for i, m := range post.Mails() {
		if m.To != "ada@customer.example" || i > 3 {
			t.Errorf("mail %d: %+v", i, m)
		}
	}
	more := apptest.NewAccount(t, api, "Later") // its flushes come after a repeated event would arrive
	other := apptest.NewKey(t, api, more, "k").Secret
	apptest.Send(t, n.URL, "POST /v1/creators/search", other)
	apptest.Eventually(t, "no flush", func() bool {
		var used struct {
			Total int64 `json:"total_calls"`
		}
		apptest.Usage(t, api, more, &used)
		return used.Total > 0
	})
	v.waitFor(t, all...)
	if bytes.Contains(n.Log.Bytes(), []byte(signing[6:])) || strings.Contains(string(n.Log.Bytes()), "v1,") {
		t.Error("the log contains the secret or a signature")
	}
}

// Guarantee: an account that pays by reservations only also gets events about its credits.
func TestReservationsRaiseEvents(t *testing.T) {
	t.Parallel()
	v := newVendor(t)
	n := apptest.Start(t, v.configure)
	api := n.Operator()
	owner := apptest.NewAccount(t, api, "Jobs")
	ref := client.AccountRef{Account: owner}
	if _, err := api.SetPlan(t.Context(), client.SetPlanRequest{AccountRef: ref, Plan: "API_PAYG"}); err != nil {
		t.Fatal(err)
	}
	apptest.Entitle(t, api, owner, "purchased_credits=+30")
	job := client.ReserveRequest{AccountRef: ref, Family: "data", CostKey: "match", Credits: 25, IdempotencyKey: "job 1"}
	held, err := api.ReserveCredits(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	done := client.CloseRequest{AccountRef: ref, Reservation: held.Reservation.ID, Credits: 25, IdempotencyKey: "job 1 done"}
	if _, err := api.SettleCredits(t.Context(), done); err != nil {
		t.Fatal(err)
	}
	v.waitFor(t, toksta.EventCreditsLow)
}

// Guarantee: the operator finds an event that the receiver rejected and delivers it again
// under the same id, and can send a test event.
func TestOperatorReplays(t *testing.T) {
	t.Parallel()
	v := newVendor(t)
	n := apptest.Start(t, v.configure)
	api := n.Operator()
	tried, err := api.TestEvent(t.Context(), client.TestEventRequest{Channel: "billing"})
	if err != nil || !strings.HasPrefix(tried.Outcome, "responded 200") {
		t.Fatalf("%+v, %v", tried, err)
	}
	v.setGone(true)
	if _, err := api.TestEvent(t.Context(), client.TestEventRequest{Channel: "billing"}); toksta.ErrorCode(err) != toksta.CodeUpstreamError {
		t.Errorf("a receiver that responds 410: %v", err)
	}
	owner := spendLastCredit(t, n)
	var dead client.EventPage
	apptest.Eventually(t, "no dead letter", func() bool {
		dead, err = api.ListEvents(t.Context(), client.ListEventsRequest{State: "dead", Channel: "billing"})
		return err == nil && len(dead.Events) == 1
	})
	letter := dead.Events[0]
	if d := letter.Deliveries[0]; letter.AccountID != owner || letter.Kind != toksta.EventCreditsExhausted || d.Outcome != "responded 410 Gone: the receiver is gone" {
		t.Errorf("%+v", letter)
	}
	v.setGone(false)
	if _, err := api.ReplayEvents(t.Context(), client.ReplayRequest{}); toksta.ErrorCode(err) != toksta.CodeValidation {
		t.Errorf("a replay without an event: %v", err)
	}
	if again, err := api.ReplayEvents(t.Context(), client.ReplayRequest{Dead: true}); err != nil || again.Due != 1 {
		t.Fatalf("%+v, %v", again, err)
	}
	v.waitFor(t, toksta.EventTest, toksta.EventCreditsExhausted)
	if v.got[1].ID != letter.ID {
		t.Errorf("replayed as %s, first sent as %s", v.got[1].ID, letter.ID)
	}
	apptest.Eventually(t, "the event is not marked as delivered", func() bool {
		shown, err := api.Event(t.Context(), client.EventRef{Event: letter.ID})
		return err == nil && shown.Deliveries[0].State == "delivered"
	})
	if _, err := api.Event(t.Context(), client.EventRef{Event: "evt_none"}); toksta.ErrorCode(err) != toksta.CodeNotFound {
		t.Errorf("an unknown event: %v", err)
	}
}

// spendLastCredit creates an account that spends its only credit.
func spendLastCredit(t *testing.T, n *apptest.Node) toksta.AccountID {
	t.Helper()
	api := n.Operator()
	owner := apptest.NewAccount(t, api, "Last credit")
	if _, err := api.SetPlan(t.Context(), client.SetPlanRequest{AccountRef: client.AccountRef{Account: owner}, Plan: "API_PAYG"}); err != nil {
		t.Fatal(err)
	}
	apptest.Entitle(t, api, owner, "purchased_credits=+1")
	apptest.Send(t, n.URL, "POST /v1/creators/search", apptest.NewKey(t, api, owner, "k").Secret)
	return owner
}
