package verifyapi

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Engine decides on calls whose credits are reserved in the database.
type Engine interface {
	// VerifyReserved decides as the engine of the chain does, but calls reserve instead of
	// holding the credits of the call in memory.
	VerifyReserved(ctx context.Context, c toksta.Call, reserve func(context.Context, *toksta.Decision) toksta.Rejection) toksta.Decision
}

// Reserver sets credits aside, as credits.Service does.
type Reserver interface {
	Reserve(ctx context.Context, by toksta.Actor, r credits.ReserveRequest) (credits.Outcome, error)
}

// reserving decides on the one call of a question with a hold. It implements
// admit.Verifier.
type reserving struct {
	config *Config
	by     toksta.Actor
	hold   client.VerifyHold

	reserved *client.Reservation // nil: none
	err      error               // of a failed reservation
}

// Verify decides on c and reserves its credits.
func (r *reserving) Verify(ctx context.Context, c toksta.Call) toksta.Decision {
	d := r.config.Engine.VerifyReserved(ctx, c, r.reserve)
	if d.Rejected() {
		r.reserved = nil
	}
	return d
}

// reserve reserves the price of the call, unless it is free. If the commit succeeds without a
// response, the next request with the same job gets its reservation. A job that has ended pays for no
// further call.
func (r *reserving) reserve(ctx context.Context, d *toksta.Decision) toksta.Rejection {
	if d.Route.Credits == 0 {
		return toksta.Rejection{}
	}
	made, err := r.config.Credits.Reserve(ctx, r.by, credits.ReserveRequest{
		Account: d.Principal.AccountID, Key: d.Principal.KeyID, Family: d.Route.Family,
		CostKey: cmp.Or(d.Route.CostKey, d.Route.Operation), OfRoute: true, Credits: d.Route.Credits,
		Lifetime: time.Duration(r.hold.ExpiresIn) * time.Second, IdempotencyKey: r.hold.Job,
	})
	if err != nil {
		r.err = err
		return rejection(err)
	}
	if made.IsClosed {
		return toksta.Reject(toksta.ReasonIdempotencyKeyReused)
	}
	reservation := Reservation(made.Reservation)
	r.reserved = &reservation
	return toksta.Rejection{}
}

// rejection returns the rejection of a call whose reservation failed with err.
func rejection(err error) toksta.Rejection {
	if e, ok := errors.AsType[*toksta.Error](err); ok && e.Reason != "" {
		switch r := toksta.Reject(e.Reason); r.Code {
		case toksta.CodeInsufficientCredits, toksta.CodeConflict, toksta.CodeUnavailable:
			return r
		}
	}
	return toksta.Reject(toksta.ReasonStoreUnavailable)
}

// Reservation converts a reservation to the form of the API.
func Reservation(r store.Reservation) client.Reservation {
	return client.Reservation{
		ID: r.ID, AccountID: r.Slot.AccountID, KeyID: r.Slot.KeyID, Family: r.Slot.Family, CostKey: r.Slot.CostKey,
		State: string(r.State), Reserved: client.NewCredits(r.Split), Charged: client.NewCredits(r.Charged),
		CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt,
	}
}
