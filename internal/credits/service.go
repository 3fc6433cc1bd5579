// Package credits decides how calls and jobs are paid: from included credits
// first, then from purchased ones, then from overage if the plan sells it.
//
// [Balances] is on the request path. It holds and charges the credits of calls
// in memory, as far as this node knows them, without I/O. [Service] works on the
// database: it exchanges charges with the other nodes, and commits purchases
// and reservations in transactions that lock the account's credit row. A
// reservation is still decided by Balances, which alone know the holds of calls.
//
// Every movement of credits other than a call is an entry that never changes.
// Service.Verify computes all balances again from the entries. Amounts of money are in
// millionths of the currency's unit.
package credits

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Store is the part of the database that a Service needs.
type Store interface {
	store.Keys
	store.Balances
	store.Credits
	store.CreditRecords
	ListNodes(ctx context.Context) ([]store.Node, error)
	CreditUse(ctx context.Context, since time.Time, cycle func(toksta.AccountID) time.Time, each func(toksta.AccountID, store.CreditUse)) error
}

// Meter has the charges that this node counted, and writes them to the store.
type Meter interface {
	// Owner returns the prefix that the epochs of this process have in common.
	Owner() string
	// Flush writes all charges to the store.
	Flush(ctx context.Context) error
	// FlushOf writes the charges on the given accounts to the store.
	FlushOf(ctx context.Context, accounts map[toksta.AccountID]bool) error
}

// Index returns the standing of an account, or nil if it is unknown.
type Index interface {
	Standing(id toksta.AccountID) *toksta.Standing
}

// Watch receives accounts whose balance changed. Enqueue does not block.
type Watch interface {
	Enqueue(accounts ...toksta.AccountID)
}

// Config configures a Service. All fields but Now are required.
type Config struct {
	Log      store.Log // for purchases, since they change the account
	Store    Store
	Catalog  *toksta.Catalog
	Balances *Balances
	Meter    Meter
	Index    Index
	Watch    Watch
	Interval time.Duration    // between the rounds that read all accounts in use
	Now      func() time.Time // nil: time.Now
	Logger   *slog.Logger
}

// Service keeps the balances of a node in step with the database. Its methods
// are safe for concurrent use, on any number of nodes.
type Service struct {
	Config
	// loaded are the accounts of Load that are not enqueued yet. Run can start before
	// Load, so loadedMu protects them.
	loadedMu sync.Mutex
	loaded   []toksta.AccountID
	only     atomic.Bool // see Only

	mu    sync.Mutex  // makes reads sequential: no result replaces a newer one
	late  []syncState // accounts of the last exchange
	past  map[toksta.AccountID]past
	nodes membership
}

// New returns a service. Load must be called before the first call is decided.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Service{Config: c, past: map[toksta.AccountID]past{}}
}

// Run exchanges charges with the other nodes and expires reservations until ctx
// ends. Failures are logged and retried.
func (s *Service) Run(ctx context.Context) error {
	var expiry sync.WaitGroup
	expiry.Go(func() { s.expireLoop(ctx) })
	s.syncLoop(ctx)
	expiry.Wait()
	return nil
}

// flush writes the charges of this node on an account to the store, for a
// request that reads them there.
func (s *Service) flush(ctx context.Context, id toksta.AccountID) error {
	if err := store.SideWrite(s.Meter.FlushOf(ctx, map[toksta.AccountID]bool{id: true})); err != nil {
		return fmt.Errorf("flush the charges of this node: %w", err)
	}
	return nil
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
		return store.Reservation{}, store.Missing("account", account, err)
	case state.Reservation == nil:
		return store.Reservation{}, toksta.NotFoundID("reservation", string(id))
	}
	return *state.Reservation, nil
}

// ListReservations returns a page of open reservations, oldest first.
func (s *Service) ListReservations(ctx context.Context, q store.ReservationQuery) ([]store.Reservation, error) {
	return s.Store.ListReservations(ctx, q)
}
