package credits

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// maxCredits is the largest number of credits in one request, and that one
// account can buy. It is far above any use, and no price makes it overflow.
const maxCredits = 1_000_000_000_000

// Outcome is a reservation after a request, and the entry of the request. A
// repeated request returns the outcome of the first one, whatever has happened
// since.
type Outcome struct {
	Reservation store.Reservation
	Entry       store.CreditEntry
	// IsClosed is true for a repeated request to reserve whose reservation has been settled
	// or released since. Reservation then still is that of the first outcome.
	IsClosed bool
}

// operation is a request about a reservation.
type operation struct {
	query   store.CreditQuery
	request string // its content as text; a repeat must have the same
	entry   store.CreditEntry
	decide  decideFunc
}

// commit carries out an operation. If an earlier request had the same
// idempotency key and content, it returns the outcome of that request instead.
func (s *Service) commit(ctx context.Context, op operation) (Outcome, error) {
	var made transition
	written, err := s.decide(ctx, op.query, func(c store.CreditState) (_ transition, err error) {
		made, err = op.decide(c)
		made.entry = op.entry
		made.entry.IdempotencyKey, made.entry.Request = op.query.IdempotencyKey, op.request
		return made, err
	})
	if before, ok := errors.AsType[*repeatedError](err); ok {
		return s.firstOutcome(ctx, before.entry, op.request)
	}
	if err != nil {
		return Outcome{}, store.Missing("account", op.query.Account, err)
	}
	return Outcome{Reservation: made.after, Entry: written[len(written)-1]}, nil
}

// firstOutcome returns the outcome of the request that wrote entry, as it was
// then. It fails if the content of that request differs from request.
func (s *Service) firstOutcome(ctx context.Context, entry store.CreditEntry, request string) (Outcome, error) {
	if entry.Request != request {
		return Outcome{}, errReused()
	}
	state, err := s.Store.CreditState(ctx, store.CreditQuery{Account: entry.AccountID, Reservation: entry.ReservationID})
	if err != nil {
		return Outcome{}, err
	}
	entries, err := s.Store.ListCreditEntries(ctx, store.EntryQuery{
		Account: entry.AccountID, Reservation: entry.ReservationID, Before: entry.Number + 1, Limit: math.MaxInt32,
	})
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{
		Reservation: replay(*state.Reservation, entries), Entry: entry,
		IsClosed: entry.Kind == store.CreditReserve && state.Reservation.State != store.ReservationOpen,
	}, nil
}

func errReused() error {
	return &toksta.Error{
		Code: toksta.CodeConflict, Reason: toksta.ReasonIdempotencyKeyReused,
		Message: "This idempotency key was used for another request of the account. Use a new one for each request.",
		Details: map[string]any{"field": "idempotency_key"},
	}
}

// checkAmount checks that a number of credits is from lowest to maxCredits.
func checkAmount(credits, lowest int64) error {
	if credits < lowest || credits > maxCredits {
		return toksta.Invalid("credits", fmt.Sprintf("Give a number of credits from %d to %d.", lowest, int64(maxCredits)))
	}
	return nil
}

var costKeyPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

func checkCostKey(key string) error {
	if !costKeyPattern.MatchString(key) {
		return toksta.Invalid("cost_key", "Give lower-case letters, digits and _, 40 at most, such as audience_match.")
	}
	return nil
}

// checkName checks a required name and trims its white space.
func checkName(field string, value *string) error {
	name, err := toksta.ValidateName(field, *value)
	*value = name
	return err
}

// checkReason checks a reason if there is one.
func checkReason(reason *string) error {
	if *reason == "" {
		return nil
	}
	return checkName("reason", reason)
}
