package demo

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Prices of an analysis per candidate, by mode, and numbers of candidates.
const (
	broadPrice, balancedPrice, strictPrice = 1, 2, 3
	defaultCandidates, maxCandidates       = 100, 200
)

// jobExpiry is the number of seconds after which the reservation of a job expires if
// it was not settled, for example because the demo stopped.
const jobExpiry = 600

// analyses runs jobs with a price that is known at their end: the maximum price is
// reserved at the start, and the actual price is settled at the end.
type analyses struct {
	api  *client.Client
	work time.Duration // simulated duration of a job
}

// ServeHTTP reserves credits, starts the job, and reports a cost of 0 for the call
// itself. If the account cannot pay for the job, it responds like the gateway.
func (a analyses) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p, ok := decode(w, r)
	if !ok {
		return
	}
	price, most := p.price()
	if price == 0 {
		writeError(w, r, http.StatusBadRequest, toksta.Invalid("mode", "The mode is broad, balanced or strict, for 1 to 200 candidates."))
		return
	}
	job := r.Header.Get("X-Request-Id")
	reserved, err := a.api.ReserveCredits(r.Context(), client.ReserveRequest{
		AccountRef: client.AccountRef{Account: toksta.AccountID(r.Header.Get("X-Toksta-Account-Id"))},
		Key:        toksta.KeyID(r.Header.Get("X-Toksta-Key-Id")), Family: "data", CostKey: "thought_leader_analysis",
		Credits: price * most, ExpiresIn: jobExpiry, IdempotencyKey: job + " reserve",
	})
	if err != nil {
		writeReserveError(w, r, err)
		return
	}
	analysed := 1 + newRand(job).Int64N(most)
	time.AfterFunc(a.work, func() { a.settle(reserved.Reservation, price*analysed) })
	w.Header().Set("X-Toksta-Credit-Cost", "0") // instead of the route's price: the job pays
	status, data := thoughtLeaders(p, r)
	data["credits_reserved"] = price * most
	writeData(w, r, status, data)
}

// settle ends a job. It ignores errors, because an unsettled reservation expires and
// releases its credits.
func (a analyses) settle(r client.Reservation, credits int64) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, _ = a.api.SettleCredits(ctx, client.CloseRequest{
		AccountRef: client.AccountRef{Account: r.AccountID}, Reservation: r.ID, Credits: credits, IdempotencyKey: string(r.ID) + " settle",
	})
}

// price returns the price of one candidate and the largest number of candidates.
// The price is 0 if the parameters are invalid.
func (p params) price() (each, most int64) {
	most = p.MaxCandidates
	if most == 0 {
		most = defaultCandidates
	}
	if most < 1 || most > maxCandidates {
		return 0, 0
	}
	return map[string]int64{"broad": broadPrice, "": balancedPrice, "balanced": balancedPrice, "strict": strictPrice}[p.Mode], most
}

// writeReserveError responds with the error if the customer can resolve it, and with
// a general error otherwise.
func writeReserveError(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := errors.AsType[*toksta.Error](err)
	if ok && e.Code == toksta.CodeInsufficientCredits {
		writeError(w, r, http.StatusPaymentRequired, e)
		return
	}
	w.Header().Set("Retry-After", "1")
	writeError(w, r, http.StatusServiceUnavailable, &toksta.Error{Code: toksta.CodeUnavailable, Message: "No job can be started right now. Try again."})
}
