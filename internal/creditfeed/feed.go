// Package creditfeed keeps a node's book of credits in step with the other
// nodes, which spend the same credits at the same time.
//
// It stands beside the request path: Run carries this node's charges to the
// store and brings the others' back, for the accounts that spend here and for
// no other, so its traffic grows with them and not with calls. An account that
// may be near an edge is asked about several times a second, any other once in
// an interval. It decides nothing and delays no call. Own charges are the
// book's to know: what is read leaves out every epoch of this process.
package creditfeed

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Soon is how often accounts near an edge are asked about.
const Soon = 250 * time.Millisecond

// recalled is how many of the accounts that Load met After is called with in
// a turn, so that a node with very many of them starts gently.
const recalled = 500

// patience bounds a round: a store that hangs must not keep the next one, with
// a store that answers, from being tried.
const patience = 5 * time.Second

// Meter counts this node's charges.
type Meter interface {
	Owner() string
	Flush(ctx context.Context) error
	FlushOf(ctx context.Context, accounts map[toksta.AccountID]bool) error
}

// Store knows everybody's charges that were flushed.
type Store interface {
	store.Charges
	CreditUse(ctx context.Context, since time.Time, cycle func(toksta.AccountID) time.Time, each func(toksta.AccountID, store.CreditUse)) error
	ListNodes(ctx context.Context) ([]store.Node, error)
}

// Config says what to keep in step. After may be nil.
type Config struct {
	Book   *credits.Book
	Meter  Meter
	Store  Store
	Anchor func(toksta.AccountID) time.Time // the day an account's cycles start on
	// Every is the time between rounds over all accounts that spend.
	Every time.Duration
	// After is called at the end of a round with the accounts that spent or
	// tried to since they were last in one; their balances are the cluster's.
	// The next round waits for it. In the first rounds it is called with the
	// accounts that Load met as well: what the last process saw last, it may
	// not have lived to act on.
	After func(ctx context.Context, accounts []toksta.AccountID)
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: nothing is logged
}

// Feed brings charges back and forth. Its methods are safe for concurrent use.
type Feed struct {
	config Config
	met    []toksta.AccountID // by Load, and not recalled yet; Run's own

	mu   sync.Mutex        // one reader at a time: an older answer never replaces a newer
	late []credits.Spender // of the round before
	past map[toksta.AccountID]past
}

// New returns a feed that does nothing before Load and Run.
func New(c Config) *Feed {
	if c.After == nil {
		c.After = func(context.Context, []toksta.AccountID) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Feed{config: c, past: map[toksta.AccountID]past{}}
}

// Load brings the book to where the totals are: those in the store, once it
// has what a killed process left in its journal. It comes before the first
// call is decided.
func (f *Feed) Load(ctx context.Context) error {
	if err := f.config.Meter.Flush(ctx); err != nil {
		return fmt.Errorf("bring the last process's totals into the store: %w", err)
	}
	now := f.config.Now()
	cycle := func(id toksta.AccountID) time.Time {
		start, _ := toksta.Cycle(f.config.Anchor(id), now)
		return start
	}
	err := f.config.Store.CreditUse(ctx, now.AddDate(0, -1, -1), cycle, func(id toksta.AccountID, use store.CreditUse) {
		f.config.Book.Learn(credits.Spender{ID: id, Start: cycle(id)}, credits.Use{Cycle: use.Cycle, PurchasedEver: use.PurchasedEver, Held: use.Held})
		f.met = append(f.met, id)
	})
	if err != nil {
		return fmt.Errorf("load the balances: %w", err)
	}
	return nil
}

// Run keeps the book in step until ctx ends. A store that is away is logged
// when it goes and when it is back; the book then knows this node's charges
// alone, for as long as the node may serve without the store.
func (f *Feed) Run(ctx context.Context) error {
	tick := time.NewTicker(Soon)
	defer tick.Stop()
	round, failing := max(int(f.config.Every/Soon), 1), false
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := f.round(ctx, n%round == 0)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !failing:
			f.config.Log.Error("cannot follow what other nodes charge; calls are still served", "error", err)
		case err == nil && failing:
			f.config.Log.Info("can follow what other nodes charge again")
		}
		failing = err != nil
		f.recall(ctx)
	}
}

// recall hands some of the accounts on that Load met.
func (f *Feed) recall(ctx context.Context) {
	if n := min(len(f.met), recalled); n > 0 {
		f.config.After(ctx, f.met[:n])
		f.met = f.met[n:]
	}
}

// Refresh brings one account up to date for somebody who looks at its balance.
func (f *Feed) Refresh(ctx context.Context, st *toksta.Standing) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.learn(ctx, []credits.Spender{f.config.Book.Spender(st, f.config.Now())})
}

// round takes the accounts that are due, all that spent or the urgent ones. What
// fails is due again at once.
func (f *Feed) round(ctx context.Context, all bool) error {
	spenders, err := f.exchange(ctx, all)
	if err != nil || len(spenders) == 0 {
		return err
	}
	accounts := make([]toksta.AccountID, len(spenders))
	for i, s := range spenders {
		accounts[i] = s.ID
	}
	f.config.After(ctx, accounts)
	return nil
}

// exchange gives away what this node charged before it asks what the others
// did.
func (f *Feed) exchange(ctx context.Context, all bool) ([]credits.Spender, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	spenders := f.config.Book.Take(all)
	err := f.flush(ctx, all, spenders)
	if err == nil && all {
		f.forget()
		err = f.watch(ctx)
	}
	if err == nil {
		err = f.learn(ctx, spenders)
	}
	if err == nil {
		return spenders, nil
	}
	for _, s := range spenders {
		f.config.Book.Return(s)
	}
	return nil, err
}

// flush brings the spenders' charges into the store, and those of the round
// before: a call is charged in the book a moment before it is counted, and may
// have missed its flush.
func (f *Feed) flush(ctx context.Context, all bool, spenders []credits.Spender) error {
	due := map[toksta.AccountID]bool{}
	for _, s := range slices.Concat(f.late, spenders) {
		due[s.ID] = true
	}
	var err error
	switch {
	case all:
		err = f.config.Meter.Flush(ctx)
	case len(due) > 0:
		err = f.config.Meter.FlushOf(ctx, due)
	}
	if err == nil {
		f.late = spenders
	}
	return err
}

// watch tells the book how much the other nodes can admit before it hears of
// it: they flush once in a round and this node reads once, and a span of that
// length touches one minute more than it lasts. A node that is about to join
// counts already.
func (f *Feed) watch(ctx context.Context) error {
	nodes, err := f.config.Store.ListNodes(ctx)
	if err != nil {
		return fmt.Errorf("count the nodes: %w", err)
	}
	minutes := 2 + int(2*f.config.Every/time.Minute)
	f.config.Book.Watch(max(len(nodes)-1, 1) * minutes)
	return nil
}
