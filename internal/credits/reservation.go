package credits

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// A reservation that is neither settled nor refunded expires after its lifetime.
const (
	DefaultLifetime = 24 * time.Hour
	MaxLifetime     = 30 * 24 * time.Hour
)

// ReserveRequest sets credits aside for a job.
type ReserveRequest struct {
	Account        toksta.AccountID
	Key            toksta.KeyID // of the call that began the job; "" for none
	Family         toksta.Family
	CostKey        string // of the charge in usage
	OfRoute        bool   // CostKey is that of a configured route, which may be the name of an operation
	Credits        int64
	Lifetime       time.Duration // 0: DefaultLifetime
	Reason         string        // "" or a note for people
	IdempotencyKey string
}

// Reserve takes credits from the account at once: included ones first, then
// purchased ones, then overage up to the account's cap. The split is fixed from
// then on. If too few credits are left, the error is INSUFFICIENT_CREDITS with
// their number.
func (s *Service) Reserve(ctx context.Context, by toksta.Actor, r ReserveRequest) (Outcome, error) {
	if r.Lifetime == 0 {
		r.Lifetime = DefaultLifetime
	}
	if err := s.validateReserve(ctx, &r); err != nil {
		return Outcome{}, err
	}
	// A decision takes this process's charges of earlier cycles from the database.
	if err := s.flush(ctx, r.Account); err != nil {
		return Outcome{}, err
	}
	return s.commit(ctx, operation{
		query:   store.CreditQuery{Account: r.Account, IdempotencyKey: r.IdempotencyKey},
		request: fmt.Sprintf("reserve %d %q %q %q %s", r.Credits, r.Key, r.Family, r.CostKey, r.Lifetime),
		entry:   store.CreditEntry{Kind: store.CreditReserve, Reason: r.Reason, Actor: actorName(by)},
		decide:  func(c store.CreditState) (transition, error) { return s.reserve(c, r) },
	})
}

// validateReserve checks a request before the account is locked.
func (s *Service) validateReserve(ctx context.Context, r *ReserveRequest) error {
	var family, lifetime error
	if !s.Catalog.HasFamily(r.Family) {
		family = toksta.Invalid("family", fmt.Sprintf("There is no family %q.", r.Family))
	}
	if r.Lifetime < time.Second || r.Lifetime > MaxLifetime {
		lifetime = toksta.Invalid("expires_in_seconds", "Give a time from 1 second to 30 days.")
	}
	var costKey error
	if !r.OfRoute {
		costKey = checkCostKey(r.CostKey)
	}
	err := toksta.InvalidFields(checkAmount(r.Credits, 1), family, costKey, lifetime,
		checkReason(&r.Reason), checkName("idempotency_key", &r.IdempotencyKey))
	if err != nil || r.Key == "" {
		return err
	}
	_, err = s.Store.Key(ctx, r.Account, r.Key)
	return store.Missing("key", r.Key, err)
}

// reserve decides on a new reservation. Its hour is that of the database's
// clock, or the first hour of the cycle if that clock is still before the
// cycle.
func (s *Service) reserve(c store.CreditState, r ReserveRequest) (transition, error) {
	claim, left := s.Balances.claim(s.Catalog.Standing(c.Account), c, r.Credits)
	if claim == nil {
		return transition{}, &toksta.Error{
			Code: toksta.CodeInsufficientCredits, Reason: toksta.ReasonInsufficientCredits,
			Message: fmt.Sprintf("The job needs %d credits and %d are left.", r.Credits, left),
			Details: map[string]any{"required": r.Credits, "remaining": left},
		}
	}
	return transition{claim: claim, after: store.Reservation{
		ID: toksta.ReservationID(toksta.NewID(toksta.PrefixReservation, c.Now)),
		Slot: store.UsageSlot{
			AccountID: r.Account, KeyID: r.Key, Family: r.Family, CostKey: r.CostKey, Hour: max(c.Now.Unix(), c.Cycle.Unix()) / 3600,
		},
		Split: claim.split, State: store.ReservationOpen, CreatedAt: c.Now, ExpiresAt: c.Now.Add(r.Lifetime),
	}}, nil
}

// CloseRequest settles or refunds a reservation.
type CloseRequest struct {
	Account     toksta.AccountID
	Reservation toksta.ReservationID
	// Credits is the charge of a settlement, from 0 to the reserved credits, or
	// the part of a settled charge to refund, where 0 is all of it.
	Credits        int64
	Reason         string // "" or a note for people
	IdempotencyKey string
}

// Settle charges the price of the job, which is at most the reserved credits,
// and releases the rest. Included credits are charged first.
func (s *Service) Settle(ctx context.Context, by toksta.Actor, r CloseRequest) (Outcome, error) {
	return s.close(ctx, by, closing{r, store.CreditSettle, settle})
}

// Refund releases the credits of an open reservation, or gives back the charge
// of a settled one: overage first, then purchased credits, then included ones.
// Included credits of an earlier cycle are lost.
func (s *Service) Refund(ctx context.Context, by toksta.Actor, r CloseRequest) (Outcome, error) {
	return s.close(ctx, by, closing{r, store.CreditRefund, refund})
}

// closing is a request with the kind of its entry, and with the function that
// decides on it.
type closing struct {
	CloseRequest
	kind   store.CreditKind
	decide func(r store.Reservation, credits int64) (store.Reservation, error)
}

// close commits a settlement or a refund.
func (s *Service) close(ctx context.Context, by toksta.Actor, r closing) (Outcome, error) {
	if err := toksta.InvalidFields(checkAmount(r.Credits, 0), checkReason(&r.Reason), checkName("idempotency_key", &r.IdempotencyKey)); err != nil {
		return Outcome{}, err
	}
	return s.commit(ctx, operation{
		query:   store.CreditQuery{Account: r.Account, Reservation: r.Reservation, IdempotencyKey: r.IdempotencyKey},
		request: fmt.Sprintf("%s %s %d", r.kind, r.Reservation, r.Credits),
		entry:   store.CreditEntry{Kind: r.kind, Reason: r.Reason, Actor: actorName(by)},
		decide: func(c store.CreditState) (transition, error) {
			before, err := currentReservation(c, r.Reservation)
			if err != nil {
				return transition{}, err
			}
			after, err := r.decide(before, r.Credits)
			return transition{before: before, after: after}, err
		},
	})
}

// currentReservation returns the requested reservation, as expired if it is
// overdue.
func currentReservation(c store.CreditState, id toksta.ReservationID) (store.Reservation, error) {
	if c.Reservation == nil {
		return store.Reservation{}, toksta.NotFoundID("reservation", string(id))
	}
	r := *c.Reservation
	for _, o := range c.Overdue {
		if o.ID == r.ID {
			r.State = store.ReservationExpired
		}
	}
	return r, nil
}

// settle returns an open reservation with n of its credits charged.
func settle(r store.Reservation, n int64) (store.Reservation, error) {
	if r.State != store.ReservationOpen {
		return r, errClosed(r)
	}
	if n > r.Split.Credits {
		return r, toksta.Invalid("credits", fmt.Sprintf("The reservation has %d credits. Reserve what is missing apart.", r.Split.Credits))
	}
	r.State, r.Charged = store.ReservationSettled, firstOf(r.Split, n)
	return r, nil
}

// refund returns the reservation after n charged credits are given back, or all
// of them if n is 0. An open reservation has charged nothing, so it is released
// with n = 0.
func refund(r store.Reservation, n int64) (store.Reservation, error) {
	switch {
	case r.State == store.ReservationOpen && n == 0:
		r.State = store.ReservationRefunded
		return r, nil
	case r.State == store.ReservationOpen:
		return r, toksta.Invalid("credits", "Nothing was charged yet: leave the number out to give all back, or settle what it cost.")
	case r.State != store.ReservationSettled || r.Charged.Credits == 0:
		return r, errClosed(r)
	case n > r.Charged.Credits:
		return r, toksta.Invalid("credits", fmt.Sprintf("The reservation has charged %d credits.", r.Charged.Credits))
	case n == 0:
		n = r.Charged.Credits
	}
	r.Charged = firstOf(r.Charged, r.Charged.Credits-n)
	if r.Charged.Credits == 0 {
		r.State = store.ReservationRefunded
	}
	return r, nil
}

// errClosed rejects a request about a reservation in a final state.
func errClosed(r store.Reservation) error {
	return &toksta.Error{
		Code: toksta.CodeConflict, Reason: toksta.ReasonReservationClosed,
		Message: fmt.Sprintf("The reservation is %s.", r.State),
		Details: map[string]any{"state": string(r.State), "charged": r.Charged.Credits},
		Hint:    "to charge a job that took longer than its reservation, reserve again, for longer",
	}
}

// expireInterval is the time between searches for overdue reservations.
const expireInterval = time.Minute

// expireLoop expires overdue reservations until ctx ends. Any number of nodes
// may run it.
func (s *Service) expireLoop(ctx context.Context) {
	tick := time.NewTicker(expireInterval)
	defer tick.Stop()
	for {
		if _, err := s.Expire(ctx); err != nil && ctx.Err() == nil {
			s.Logger.Error("cannot expire reservations; what they hold cannot be spent meanwhile", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Expire ends every overdue reservation and returns their number. Every other
// decision about an account ends its overdue reservations first, too. If Expire
// fails for an account, it still finishes the batch of 100 accounts and then
// returns the error.
func (s *Service) Expire(ctx context.Context) (expired int, err error) {
	const batch = 100
	for {
		accounts, err := s.Store.OverdueAccounts(ctx, batch)
		if err != nil {
			return expired, err
		}
		var failed []error
		for _, id := range accounts {
			entries, err := s.decide(ctx, store.CreditQuery{Account: id}, func(store.CreditState) (transition, error) { return transition{}, nil })
			if err != nil {
				failed = append(failed, fmt.Errorf("expire reservations of %s: %w", id, err))
			}
			expired += len(entries)
		}
		if len(failed) > 0 || len(accounts) < batch {
			return expired, errors.Join(failed...)
		}
	}
}
