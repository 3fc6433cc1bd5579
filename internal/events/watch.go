package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Marks say what is worth telling; 0 of any tells nothing of it.
type Marks struct {
	LowIncluded  int64 // percent of the plan's included credits that are left
	LowPurchased int64 // credits that are left, where the plan includes none
	LimitHits    int64 // calls refused by the rate limit within an hour
}

// UsageReader sums what was counted on all nodes.
type UsageReader interface {
	ListUsage(ctx context.Context, q store.UsageQuery) ([]store.UsageRow, error)
}

// WatchConfig is what a Watch looks at. All fields are required.
type WatchConfig struct {
	Events   *Service
	Usage    UsageReader
	Standing func(toksta.AccountID) *toksta.Standing // nil for an unknown account
	Balance  func(*toksta.Standing, time.Time) credits.Balance
	Marks    Marks
	Now      func() time.Time
	Log      *slog.Logger
}

// Watch notices what happens to accounts, from totals that are flushed anyway:
// it costs a request nothing. See and Look are safe for concurrent use and
// wait for nothing; the looking is done by Run.
type Watch struct {
	config WatchConfig
	wake   chan struct{}

	mu    sync.Mutex
	noted map[toksta.AccountID]*signs

	told map[subject]string // tokens that are in the store, the last of each; Run's own
}

// signs are why an account is to be looked at.
type signs struct {
	refused bool           // a call could not be paid
	limited map[int64]bool // Unix hours with calls refused by the rate limit
}

// subject is what an account is told of once at a time.
type subject struct {
	account toksta.AccountID
	kind    toksta.EventKind
}

// NewWatch returns a watch that raises nothing before Run.
func NewWatch(c WatchConfig) *Watch {
	return &Watch{config: c, wake: make(chan struct{}, 1), noted: map[toksta.AccountID]*signs{}, told: map[subject]string{}}
}

// See notes the refusals in a flush that has reached the store.
func (w *Watch) See(b store.UsageBatch) {
	since := w.config.Now().Add(-24*time.Hour).Unix() / 3600
	w.mu.Lock()
	for _, t := range b.Totals {
		switch {
		case t.Reason == toksta.ReasonInsufficientCredits:
			w.note(t.AccountID).refused = true
		case t.Reason == toksta.ReasonRateLimited && t.Hour >= since:
			w.note(t.AccountID).limited[t.Hour] = true
		}
	}
	w.mu.Unlock()
	w.rouse()
}

// Look notes accounts whose balance may have changed.
func (w *Watch) Look(accounts ...toksta.AccountID) {
	w.mu.Lock()
	for _, id := range accounts {
		w.note(id)
	}
	w.mu.Unlock()
	w.rouse()
}

// note returns the signs of an account, under the lock.
func (w *Watch) note(id toksta.AccountID) *signs {
	s := w.noted[id]
	if s == nil {
		s = &signs{limited: map[int64]bool{}}
		w.noted[id] = s
	}
	return s
}

func (w *Watch) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// again is the time after which a look that failed is repeated.
const again = 10 * time.Second

// Run looks at accounts that were noted until ctx ends. What could not be
// raised is tried again; of what was noted last when the process ends,
// balances are noted anew by the next one, limits with their next hit.
func (w *Watch) Run(ctx context.Context) error {
	tick := time.NewTicker(again)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.wake:
		case <-tick.C:
		}
		err := w.look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !failing:
			w.config.Log.Error("cannot raise events; trying again", "error", err)
		case err == nil && failing:
			w.config.Log.Info("can raise events again")
		}
		failing = err != nil
	}
}

// look takes all signs there are, and puts back those that it could not follow.
func (w *Watch) look(ctx context.Context) error {
	w.mu.Lock()
	noted := w.noted
	w.noted = map[toksta.AccountID]*signs{}
	w.mu.Unlock()
	var errs []error
	for id, s := range noted {
		st := w.config.Standing(id)
		if st == nil {
			continue
		}
		if err := errors.Join(w.credits(ctx, st, s.refused), w.limits(ctx, st, s.limited)); err != nil {
			errs = append(errs, err)
			w.putBack(id, s)
		}
	}
	return errors.Join(errs...)
}

func (w *Watch) putBack(id toksta.AccountID, old *signs) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.note(id)
	s.refused = s.refused || old.refused
	for hour := range old.limited {
		s.limited[hour] = true
	}
}

// credits tells of a balance once for each cycle and each amount that the
// account was ever given: a top-up, or another plan, makes it worth telling
// again. Without anything given there is nothing to come to an end.
func (w *Watch) credits(ctx context.Context, st *toksta.Standing, refused bool) error {
	b := w.config.Balance(st, w.config.Now())
	given := st.Plan.IncludedCredits + st.Account.Entitlements.PurchasedCredits
	left := max(b.Included-b.IncludedUsed, 0) + b.Purchased // what is held may come back
	mark := w.mark(st)
	kind := toksta.EventCreditsLow
	switch {
	case given <= 0 || left > mark:
		return nil
	case left == 0 || refused:
		kind = toksta.EventCreditsExhausted
	}
	return w.raise(ctx, Occurrence{
		Kind: kind, AccountID: st.Account.ID,
		Token: fmt.Sprintf("%s %s %d %s", kind, st.Account.ID, given, b.ResetsAt.UTC().Format(time.DateOnly)),
		Data: client.CreditsData{
			AccountID: st.Account.ID, Plan: st.Plan.ID, Remaining: left, Mark: mark, Included: b.Included,
			IncludedUsed: b.IncludedUsed, Purchased: b.Purchased, ResetsAt: b.ResetsAt, Beyond: beyond(st, b),
		},
	})
}

// mark is the balance at which credits are low, 0 when that is not told.
func (w *Watch) mark(st *toksta.Standing) int64 {
	if st.Plan.IncludedCredits > 0 {
		return st.Plan.IncludedCredits * w.config.Marks.LowIncluded / 100
	}
	return w.config.Marks.LowPurchased
}

// What happens to calls that no credits are left for.
const (
	BeyondRefused = "refused" // with 402
	BeyondOverage = "overage" // admitted, and charged at the plan's rate
)

// beyond says which of them it is.
func beyond(st *toksta.Standing, b credits.Balance) string {
	rate := st.Plan.OverageMicros
	if rate > 0 && (b.OverageCapMicros <= 0 || b.OverageMicros <= b.OverageCapMicros-rate) {
		return BeyondOverage
	}
	return BeyondRefused
}

// limits tells of a limit that is hit often, once a day: every hour of a busy
// day would be read by nobody.
func (w *Watch) limits(ctx context.Context, st *toksta.Standing, hours map[int64]bool) error {
	var errs []error
	for hour := range hours {
		since := time.Unix(hour*3600, 0).UTC()
		o := Occurrence{
			Kind: toksta.EventRateLimitHit, AccountID: st.Account.ID,
			Token: fmt.Sprintf("%s %s %s", toksta.EventRateLimitHit, st.Account.ID, since.Format(time.DateOnly)),
		}
		if w.config.Marks.LimitHits <= 0 || w.known(o) {
			continue
		}
		refused, err := w.refused(ctx, st.Account.ID, since)
		if err == nil && refused >= w.config.Marks.LimitHits {
			o.Data = client.RateLimitData{
				AccountID: st.Account.ID, Plan: st.Plan.ID, Refused: refused, Since: since, PerMinute: st.PerMinute,
			}
			err = w.raise(ctx, o)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// refused counts an hour's calls that the rate limit refused on any node.
func (w *Watch) refused(ctx context.Context, account toksta.AccountID, since time.Time) (n int64, err error) {
	rows, err := w.config.Usage.ListUsage(ctx, store.UsageQuery{Account: account, From: since, To: since.Add(time.Hour)})
	for _, r := range rows {
		if r.Reason == toksta.ReasonRateLimited {
			n += r.Calls
		}
	}
	return n, err
}

// raise keeps an occurrence unless this node knows that it is kept.
func (w *Watch) raise(ctx context.Context, o Occurrence) error {
	if w.known(o) {
		return nil
	}
	if err := w.config.Events.Raise(ctx, o); err != nil {
		return err
	}
	w.told[subject{o.AccountID, o.Kind}] = o.Token
	return nil
}

func (w *Watch) known(o Occurrence) bool { return w.told[subject{o.AccountID, o.Kind}] == o.Token }
