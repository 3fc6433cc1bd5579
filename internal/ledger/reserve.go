package ledger

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"time"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Outcome is a reservation after a request, and the entry that the request
// made. A repeated request has the outcome of the first one, whatever has
// happened since.
type Outcome struct {
	Reservation store.Reservation
	Entry       store.CreditEntry
}

// ReserveRequest sets credits aside for a job.
type ReserveRequest struct {
	Account        toksta.AccountID
	Key            toksta.KeyID // whose call began the job; "" for none
	Family         toksta.Family
	CostKey        string // what usage shows the charge under
	Credits        int64
	Lifetime       time.Duration // 0: DefaultLifetime
	Reason         string        // "" or a note for people
	IdempotencyKey string
}

// Reserve takes credits from the account at once: included ones first, then
// purchased ones, then overage up to the account's cap. INSUFFICIENT_CREDITS
// says what is left. The split is fixed from then on.
func (s *Service) Reserve(ctx context.Context, by toksta.Actor, r ReserveRequest) (Outcome, error) {
	if r.Lifetime == 0 {
		r.Lifetime = DefaultLifetime
	}
	if err := s.validReserve(ctx, &r); err != nil {
		return Outcome{}, err
	}
	if err := s.Flush(ctx); err != nil {
		return Outcome{}, fmt.Errorf("bring charges up to date: %w", err)
	}
	return s.commit(ctx, operation{
		query:   store.CreditQuery{Account: r.Account, IdempotencyKey: r.IdempotencyKey},
		request: fmt.Sprintf("reserve %d %q %q %q %s", r.Credits, r.Key, r.Family, r.CostKey, r.Lifetime),
		entry:   store.CreditEntry{Kind: store.CreditReserve, Reason: r.Reason, Actor: byName(by)},
		decide:  func(c store.CreditState) (move, error) { return s.reserve(c, r) },
	})
}

// validReserve checks what can be checked without the account's lock.
func (s *Service) validReserve(ctx context.Context, r *ReserveRequest) error {
	var family, costKey, lifetime error
	if !s.Catalog.HasFamily(r.Family) {
		family = toksta.Invalid("family", fmt.Sprintf("There is no family %q.", r.Family))
	}
	if !regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`).MatchString(r.CostKey) {
		costKey = toksta.Invalid("cost_key", "Give lower-case letters, digits and _, 40 at most, such as audience_match.")
	}
	if r.Lifetime < time.Second || r.Lifetime > MaxLifetime {
		lifetime = toksta.Invalid("expires_in_seconds", "Give a time from 1 second to 30 days.")
	}
	err := toksta.InvalidFields(amount(r.Credits, 1), family, costKey, lifetime,
		note(&r.Reason), named("idempotency_key", &r.IdempotencyKey))
	if err != nil || r.Key == "" {
		return err
	}
	_, err = s.Store.Key(ctx, r.Account, r.Key)
	return store.Missing("key", err)
}

// reserve decides. The reservation belongs to the hour that it is made in, or to
// the first of the cycle that the book is in, if the database's clock says earlier.
func (s *Service) reserve(c store.CreditState, r ReserveRequest) (move, error) {
	claim, left := s.Book.Claim(s.decision(c), r.Credits)
	if claim == nil {
		return move{}, &toksta.Error{
			Code: toksta.CodeInsufficientCredits, Reason: toksta.ReasonInsufficientCredits,
			Message: fmt.Sprintf("The job needs %d credits and %d are left.", r.Credits, left),
			Details: map[string]any{"required": r.Credits, "remaining": left},
		}
	}
	return move{claim: claim, after: store.Reservation{
		ID: toksta.ReservationID(toksta.NewID(toksta.PrefixReservation, c.Now)),
		Slot: store.UsageSlot{
			AccountID: r.Account, KeyID: r.Key, Family: r.Family, CostKey: r.CostKey, Hour: max(c.Now.Unix(), c.Cycle.Unix()) / 3600,
		},
		Split: claim.Split, State: store.ReservationOpen, CreatedAt: c.Now, ExpiresAt: c.Now.Add(r.Lifetime),
	}}, nil
}

// CloseRequest settles or refunds a reservation.
type CloseRequest struct {
	Account     toksta.AccountID
	Reservation toksta.ReservationID
	// Credits is what a settlement charges, 0 to what was reserved; for a
	// refund what goes back of a settled reservation, 0 for all there is.
	Credits        int64
	Reason         string // "" or a note for people
	IdempotencyKey string
}

// Settle charges what the job cost, no more than was reserved, and gives the
// rest back to where it came from. Included credits are charged first.
func (s *Service) Settle(ctx context.Context, by toksta.Actor, r CloseRequest) (Outcome, error) {
	return s.close(ctx, by, closing{r, store.CreditSettle, settle})
}

// Refund gives back what a reservation holds, or what it has charged: overage
// first, then purchased credits, then included ones. Included credits of a
// cycle that is over are gone with it.
func (s *Service) Refund(ctx context.Context, by toksta.Actor, r CloseRequest) (Outcome, error) {
	return s.close(ctx, by, closing{r, store.CreditRefund, refund})
}

// closing is a request about a reservation that exists.
type closing struct {
	CloseRequest
	kind   store.CreditKind
	decide func(r store.Reservation, credits int64) (store.Reservation, error)
}

func (s *Service) close(ctx context.Context, by toksta.Actor, r closing) (Outcome, error) {
	if err := toksta.InvalidFields(amount(r.Credits, 0), note(&r.Reason), named("idempotency_key", &r.IdempotencyKey)); err != nil {
		return Outcome{}, err
	}
	return s.commit(ctx, operation{
		query:   store.CreditQuery{Account: r.Account, Reservation: r.Reservation, IdempotencyKey: r.IdempotencyKey},
		request: fmt.Sprintf("%s %s %d", r.kind, r.Reservation, r.Credits),
		entry:   store.CreditEntry{Kind: r.kind, Reason: r.Reason, Actor: byName(by)},
		decide: func(c store.CreditState) (move, error) {
			before, err := current(c)
			if err != nil {
				return move{}, err
			}
			after, err := r.decide(before, r.Credits)
			return move{before: before, after: after}, err
		},
	})
}

// current is the reservation that a request is about, expired if its time is
// over.
func current(c store.CreditState) (store.Reservation, error) {
	if c.Reservation == nil {
		return store.Reservation{}, toksta.NotFound("reservation")
	}
	r := *c.Reservation
	for _, o := range c.Overdue {
		if o.ID == r.ID {
			r.State = store.ReservationExpired
		}
	}
	return r, nil
}

// settle decides.
func settle(r store.Reservation, n int64) (store.Reservation, error) {
	if r.State != store.ReservationOpen {
		return r, closed(r)
	}
	if n > r.Split.Credits {
		return r, toksta.Invalid("credits", fmt.Sprintf("The reservation has %d credits. Reserve what is missing apart.", r.Split.Credits))
	}
	r.State, r.Charged = store.ReservationSettled, credits.First(r.Split, n)
	return r, nil
}

// refund decides.
func refund(r store.Reservation, n int64) (store.Reservation, error) {
	switch {
	case r.State == store.ReservationOpen && n == 0:
		r.State = store.ReservationRefunded
		return r, nil
	case r.State == store.ReservationOpen:
		return r, toksta.Invalid("credits", "Nothing was charged yet: leave the number out to give all back, or settle what it cost.")
	case r.State != store.ReservationSettled || r.Charged.Credits == 0:
		return r, closed(r)
	case n > r.Charged.Credits:
		return r, toksta.Invalid("credits", fmt.Sprintf("The reservation has charged %d credits.", r.Charged.Credits))
	case n == 0:
		n = r.Charged.Credits
	}
	// What stays was paid first.
	r.Charged = credits.First(r.Charged, r.Charged.Credits-n)
	if r.Charged.Credits == 0 {
		r.State = store.ReservationRefunded
	}
	return r, nil
}

// closed answers a step that comes too late.
func closed(r store.Reservation) error {
	return &toksta.Error{
		Code: toksta.CodeConflict, Reason: toksta.ReasonReservationClosed,
		Message: fmt.Sprintf("The reservation is %s.", r.State),
		Details: map[string]any{"state": string(r.State), "charged": r.Charged.Credits},
		Hint:    "to charge a job that took longer than its reservation, reserve again, for longer",
	}
}

// operation is one request on its way into the books.
type operation struct {
	query   store.CreditQuery
	request string // what a repeat must ask for as well
	entry   store.CreditEntry
	decide  func(store.CreditState) (move, error)
}

// commit carries out an operation, or finds that it was.
func (s *Service) commit(ctx context.Context, op operation) (Outcome, error) {
	var step move
	written, err := s.decide(ctx, op.query, func(c store.CreditState) (_ move, err error) {
		step, err = op.decide(c)
		step.entry = op.entry
		step.entry.IdempotencyKey, step.entry.Request = op.query.IdempotencyKey, op.request
		return step, err
	})
	if before, ok := errors.AsType[*repeatedError](err); ok {
		return s.first(ctx, before.entry, op.request)
	}
	if err != nil {
		return Outcome{}, store.Missing("account", err)
	}
	return Outcome{step.after, written[len(written)-1]}, nil
}

// first is the outcome of the request that used the idempotency key before, if
// it asked for the same.
func (s *Service) first(ctx context.Context, entry store.CreditEntry, request string) (Outcome, error) {
	if entry.Request != request {
		return Outcome{}, errReused()
	}
	state, err := s.Store.CreditState(ctx, store.CreditQuery{Account: entry.AccountID, Reservation: entry.ReservationID})
	if err != nil {
		return Outcome{}, err
	}
	steps, err := s.Store.ListCreditEntries(ctx, store.EntryQuery{
		Account: entry.AccountID, Reservation: entry.ReservationID, Before: entry.Number + 1, Limit: math.MaxInt32,
	})
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{replay(*state.Reservation, steps), entry}, nil
}

// named checks a name that must be given, and takes its white space off.
func named(field string, value *string) error {
	name, err := toksta.ValidateName(field, *value)
	*value = name
	return err
}

// note is named for a reason that may be left out.
func note(reason *string) error {
	if *reason == "" {
		return nil
	}
	return named("reason", reason)
}
