package demo

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/client"
)

// What an analysis costs for each candidate, by how strict it is, and how many
// there are at most.
const (
	broadPrice, balancedPrice, strictPrice = 1, 2, 3
	defaultCandidates, maxCandidates       = 100, 200
)

// abandoned is after how many seconds a job that was never settled, since the
// demo stopped, costs nothing.
const abandoned = 600

// analyses are jobs whose price is known at their end: the most that one can
// cost is reserved when it is asked for, and what it did cost is settled once
// it is done.
type analyses struct {
	api  *client.Client
	work time.Duration // that a job seems to take
}

// ServeHTTP reserves, starts the job, and says that the call itself is free. An
// account that cannot pay for the job is told as the gateway would.
func (a analyses) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, ok := ask(w, r)
	if !ok {
		return
	}
	price, most := q.price()
	if price == 0 {
		fail(w, r, http.StatusBadRequest, toksta.Invalid("mode", "The mode is broad, balanced or strict, for 1 to 200 candidates."))
		return
	}
	job := r.Header.Get("X-Request-Id")
	reserved, err := a.api.ReserveCredits(r.Context(), client.ReserveRequest{
		AccountRef: client.AccountRef{Account: toksta.AccountID(r.Header.Get("X-Toksta-Account-Id"))},
		Key:        toksta.KeyID(r.Header.Get("X-Toksta-Key-Id")), Family: "data", CostKey: "thought_leader_analysis",
		Credits: price * most, ExpiresIn: abandoned, IdempotencyKey: job + " reserve",
	})
	if err != nil {
		refuse(w, r, err)
		return
	}
	analysed := 1 + dice(job).Int64N(most)
	time.AfterFunc(a.work, func() { a.settle(reserved.Reservation, price*analysed) })
	w.Header().Set("X-Toksta-Credit-Cost", "0") // instead of the route's price: the job pays
	status, data := thoughtLeaders(q, r)
	data["credits_reserved"] = price * most
	write(w, r, status, data)
}

// settle ends a job. A failure needs nobody's attention here: the reservation
// expires, and all of it goes back.
func (a analyses) settle(r client.Reservation, credits int64) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, _ = a.api.SettleCredits(ctx, client.CloseRequest{
		AccountRef: client.AccountRef{Account: r.AccountID}, Reservation: r.ID, Credits: credits, IdempotencyKey: string(r.ID) + " settle",
	})
}

// price returns what one candidate costs, 0 for a question that is none, and
// how many are looked at.
func (q question) price() (each, most int64) {
	most = q.MaxCandidates
	if most == 0 {
		most = defaultCandidates
	}
	if most < 1 || most > maxCandidates {
		return 0, 0
	}
	return map[string]int64{"broad": broadPrice, "": balancedPrice, "balanced": balancedPrice, "strict": strictPrice}[q.Mode], most
}

// refuse passes on what the customer can do something about, and hides the
// rest.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := errors.AsType[*toksta.Error](err)
	if ok && e.Code == toksta.CodeInsufficientCredits {
		fail(w, r, http.StatusPaymentRequired, e)
		return
	}
	w.Header().Set("Retry-After", "1")
	fail(w, r, http.StatusServiceUnavailable, &toksta.Error{Code: toksta.CodeUnavailable, Message: "No job can be started right now. Try again."})
}
