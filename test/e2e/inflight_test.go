package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// inFlight is a node with an account and calls of 10 credits whose bodies lack their last
// byte.
type inFlight struct {
	*apptest.Node
	t     *testing.T
	api   *client.Client
	ref   client.AccountRef
	last  chan struct{} // closed to send the bytes
	send  func()        // closes last, once
	ended chan apptest.Response
}

// startCalls starts calls and returns once each holds its credits.
func startCalls(t *testing.T, plan toksta.PlanID, calls int) *inFlight {
	arrived := make(chan struct{}, 100)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		_, _ = io.Copy(w, r.Body)
	}))
	t.Cleanup(backend.Close)
	n := apptest.Start(t, func(c *config.Config) {
		for name, u := range c.Upstreams {
			u.URL = backend.URL
			c.Upstreams[name] = u
		}
	})
	f := &inFlight{Node: n, t: t, api: n.Operator(), last: make(chan struct{}), ended: make(chan apptest.Response, calls)}
	f.send = sync.OnceFunc(func() { close(f.last) })
	t.Cleanup(f.send)
	f.ref.Account = apptest.NewAccount(t, f.api, "Holder")
	if _, err := f.api.SetPlan(t.Context(), client.SetPlanRequest{AccountRef: f.ref, Plan: plan}); err != nil {
		t.Fatal(err)
	}
	apptest.Entitle(t, f.api, f.ref.Account, "purchased_credits=+100")
	key := apptest.NewKey(t, f.api, f.ref.Account, "calls").Secret
	for range calls {
		go f.call(key)
	}
	for range calls {
		select {
		case <-arrived:
		case <-time.After(20 * time.Second):
			t.Fatal("the calls did not reach the upstream")
		}
	}
	return f
}

func (f *inFlight) call(key string) {
	body, rest := io.Pipe()
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, f.URL+"/v1/creators/audience-match", body)
	if err != nil {
		f.t.Error(err)
	}
	r.ContentLength = 3
	r.Header.Set("Authorization", "Bearer "+key)
	go func() {
		_, _ = io.WriteString(rest, "{ ")
		<-f.last
		_, _ = io.WriteString(rest, "}")
		_ = rest.Close()
	}()
	got, err := apptest.Exchange(http.DefaultClient, r)
	if err != nil {
		f.t.Error(err)
	}
	f.ended <- got
}

// finish sends the last bytes and fails the test unless each call gets 200.
func (f *inFlight) finish() {
	f.t.Helper()
	f.send()
	for range cap(f.ended) {
		if got := <-f.ended; got.Status != http.StatusOK || apptest.Charged(got.Header) != 10 {
			f.t.Errorf("a call in flight: %d, charged %d", got.Status, apptest.Charged(got.Header))
		}
	}
}

func (f *inFlight) reserve(credits int64) (client.ReservationResponse, error) {
	return f.api.ReserveCredits(f.t.Context(), client.ReserveRequest{
		AccountRef: f.ref, Family: "data", CostKey: "job", Credits: credits, IdempotencyKey: fmt.Sprint("job of ", credits),
	})
}

// settle settles a reservation with a price of 0.
func (f *inFlight) settle(r client.ReservationResponse) {
	f.t.Helper()
	if _, err := f.api.SettleCredits(f.t.Context(), client.CloseRequest{
		AccountRef: f.ref, Reservation: r.Reservation.ID, IdempotencyKey: "settle " + string(r.Reservation.ID),
	}); err != nil {
		f.t.Fatal(err)
	}
}

// checkSpent fails the test unless the usage shows so many credits, no overage, and the
// credit entries are correct.
func (f *inFlight) checkSpent(want int64) {
	f.t.Helper()
	var usage struct {
		Charged int64   `json:"total_credits_charged"`
		Overage float64 `json:"total_overage_usd"`
	}
	apptest.Usage(f.t, f.api, f.ref.Account, &usage)
	if usage.Charged != want || usage.Overage != 0 {
		f.t.Errorf("%d credits were charged, and overage for %v, want %d and none", usage.Charged, usage.Overage, want)
	}
	books, err := f.api.VerifyCredits(f.t.Context())
	if err != nil || len(books.Differences)+len(books.Overspent) > 0 {
		f.t.Errorf("verification: %+v, %v", books, err)
	}
}

// Guarantee: a reservation cannot take credits that calls in flight hold, nor calls credits
// that are reserved, so that each call is paid.
func TestReserveWithCallsInFlight(t *testing.T) {
	t.Parallel()
	f := startCalls(t, "API_PAYG", 9)
	if _, err := f.reserve(99); toksta.ErrorCode(err) != toksta.CodeInsufficientCredits || !strings.Contains(err.Error(), "10 are left") {
		t.Errorf("99 of 10 credits: %v", err)
	}
	job, err := f.reserve(10)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.api.SetEntitlement(t.Context(), client.SetEntitlementRequest{AccountRef: f.ref, Name: "purchased_credits", Value: "99"}); toksta.ErrorCode(err) != toksta.CodeValidation {
		t.Errorf("a credit that calls in flight hold was removed: %v", err)
	}
	f.finish()
	f.checkSpent(90)
	f.settle(job)
	f.checkSpent(90)
	if _, err := f.reserve(11); toksta.ErrorCode(err) != toksta.CodeInsufficientCredits {
		t.Errorf("11 of 10 credits: %v", err)
	}
	if _, err := f.api.AdjustCredits(t.Context(), client.PurchaseRequest{AccountRef: f.ref, Credits: -11, Reason: "back", IdempotencyKey: "back"}); toksta.ErrorCode(err) != toksta.CodeValidation {
		t.Errorf("11 of 10 credits were removed: %v", err)
	}
}

// Guarantee: a call for which a reservation leaves no credit is rejected once the reservation
// returns, and admitted once it is settled.
func TestCallsDuringReservation(t *testing.T) {
	t.Parallel()
	f := startCalls(t, "API_PAYG", 0)
	key := apptest.NewKey(t, f.api, f.ref.Account, "more").Secret
	job, err := f.reserve(91)
	if err != nil {
		t.Fatal(err)
	}
	const call = "POST /v1/creators/audience-match"
	if got := apptest.Send(t, f.URL, call, key); got.Status != http.StatusPaymentRequired {
		t.Errorf("during the job: %d", got.Status)
	}
	f.settle(job)
	if got := apptest.Send(t, f.URL, call, key); got.Status != http.StatusOK {
		t.Errorf("after the job: %d", got.Status)
	}
	f.checkSpent(10)
}

// Guarantee: on a plan with overage, calls in flight are not charged overage for credits that
// a later reservation took and released.
func TestNoOverageForReleasedCredits(t *testing.T) {
	t.Parallel()
	f := startCalls(t, "API_BUILD", 9)
	job, err := f.reserve(1100 - 1)
	if err != nil || job.Reservation.Reserved.Overage != 89 {
		t.Fatalf("reserved %+v: %v", job.Reservation.Reserved, err)
	}
	f.finish()
	f.settle(job)
	f.checkSpent(90)
}
