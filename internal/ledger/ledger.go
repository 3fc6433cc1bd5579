// Package ledger keeps the books of credits: what was bought and adjusted, and
// what is set aside for jobs whose price is known only when they end.
//
// It stands on the mutation path, between the operator API and the store.
// Nodes decide ordinary calls in memory, each by itself; what is reserved here
// is decided once for all nodes, in a transaction that holds the account's
// credit row, so the last credit is reserved once. The decision itself is the
// book's of this node (package credits), which the transaction brings up to
// date: it alone knows what the calls in flight hold. Every movement is an entry
// that nothing changes afterwards, and every balance can be computed again
// from the entries: Verify does.
//
// The package never calls upstream, never changes a call's charge and never
// decides who may call.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// How long a reservation holds what nobody settles.
const (
	DefaultLifetime = 24 * time.Hour
	MaxLifetime     = 30 * 24 * time.Hour
)

// The most credits of one request, or ever bought by one account: far above
// any use, far below overflow when multiplied by a price.
const maxCredits = 1_000_000_000_000

// Store is the part of the database that the books are in.
type Store interface {
	store.Keys
	store.Balances
	store.Credits
	store.CreditRecords
}

// Service keeps the books. All fields are required. Its methods are safe for
// concurrent use, over any number of nodes.
type Service struct {
	Log     store.Log // purchases change the account, which nodes follow
	Store   Store
	Catalog *toksta.Catalog
	Book    *credits.Book // of this node
	Owner   string        // of this node's charges, which Book knows better than Store
	// Flush brings what this node has charged for calls into the store. Book
	// keeps charges of the current cycle alone.
	Flush  func(context.Context) error
	Logger *slog.Logger
}

// sweepEvery is how often forgotten reservations are looked for.
const sweepEvery = time.Minute

// Run gives back what forgotten reservations hold, until ctx ends. Any number
// of nodes may run it. A failure is logged and tried again next time.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if _, err := s.Expire(ctx); err != nil && ctx.Err() == nil {
			s.Logger.Error("cannot expire reservations; what they hold cannot be spent meanwhile", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Expire ends every reservation whose time is over and returns how many those
// were. Any other decision about an account does the same for it first. An
// account that cannot be done does not hold up the rest of its batch.
func (s *Service) Expire(ctx context.Context) (expired int, err error) {
	const batch = 100
	for {
		accounts, err := s.Store.OverdueAccounts(ctx, batch)
		if err != nil {
			return expired, err
		}
		var failed []error
		for _, id := range accounts {
			entries, err := s.decide(ctx, store.CreditQuery{Account: id}, func(store.CreditState) (move, error) { return move{}, nil })
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

// ListEntries returns a page of an account's entries, newest first.
func (s *Service) ListEntries(ctx context.Context, q store.EntryQuery) ([]store.CreditEntry, error) {
	return s.Store.ListCreditEntries(ctx, q)
}

// Reservation returns a reservation of the account in any state, or NOT_FOUND.
func (s *Service) Reservation(ctx context.Context, account toksta.AccountID, id toksta.ReservationID) (store.Reservation, error) {
	state, err := s.Store.CreditState(ctx, store.CreditQuery{Account: account, Reservation: id})
	switch {
	case err != nil:
		return store.Reservation{}, store.Missing("account", err)
	case state.Reservation == nil:
		return store.Reservation{}, toksta.NotFound("reservation")
	}
	return *state.Reservation, nil
}

// ListReservations returns a page of open reservations, oldest first.
func (s *Service) ListReservations(ctx context.Context, q store.ReservationQuery) ([]store.Reservation, error) {
	return s.Store.ListReservations(ctx, q)
}

// errReused answers a key that was used for another request: nothing was done.
func errReused() error {
	return &toksta.Error{
		Code: toksta.CodeConflict, Reason: toksta.ReasonIdempotencyKeyReused,
		Message: "This idempotency key was used for another request of the account. Use a new one for each request.",
		Details: map[string]any{"field": "idempotency_key"},
	}
}

// amount checks a number of credits from least to the most.
func amount(credits, least int64) error {
	if credits < least || credits > maxCredits {
		return toksta.Invalid("credits", fmt.Sprintf("Give a number of credits from %d to %d.", least, int64(maxCredits)))
	}
	return nil
}
