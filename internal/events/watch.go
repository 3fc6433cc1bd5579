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

// Marks are the thresholds at which events are raised. 0 disables the event.
type Marks struct {
	LowIncluded  int64 // percent left of the plan's included credits
	LowPurchased int64 // credits left, if the plan includes none
	LimitHits    int64 // calls rejected by the rate limit within an hour
}

// UsageReader reads the usage of all nodes.
type UsageReader interface {
	ListUsage(ctx context.Context, q store.UsageQuery) ([]store.UsageRow, error)
}

// WatchConfig configures a Watch. All fields are required.
type WatchConfig struct {
	Events   *Service
	Usage    UsageReader
	Standing func(toksta.AccountID) *toksta.Standing // nil for an unknown account
	Balance  func(*toksta.Standing, time.Time) credits.Balance
	// ExternalID returns the account's id in the vendor's systems, or "". The index has none.
	ExternalID func(context.Context, toksta.AccountID) (string, error)
	Marks      Marks
	Now        func() time.Time
	Log        *slog.Logger
}

// Watch detects occurrences from flushed totals, so it costs a request nothing. ObserveFlush and
// Enqueue are safe for concurrent use and do not block. Run does the checks.
type Watch struct {
	config WatchConfig
	wake   chan struct{}

	mu      sync.Mutex
	pending map[toksta.AccountID]*observation

	raised map[occurrenceKey]string // the last stored token of each; used by Run only
}

// observation holds what flushes showed about an account. A check of the balance alone needs
// nothing.
type observation struct {
	unpaid  bool           // a call was rejected for lack of credits
	limited map[int64]bool // Unix hours with calls rejected by the rate limit
}

// occurrenceKey identifies the last raised event of one kind for one account.
type occurrenceKey struct {
	account toksta.AccountID
	kind    toksta.EventKind
}

// NewWatch returns a watch. It raises nothing until Run is called.
func NewWatch(c WatchConfig) *Watch {
	return &Watch{config: c, wake: make(chan struct{}, 1), pending: map[toksta.AccountID]*observation{}, raised: map[occurrenceKey]string{}}
}

// ObserveFlush schedules a check of each account with rejected calls in a batch that is in the
// store.
func (w *Watch) ObserveFlush(b store.UsageBatch) {
	since := w.config.Now().Add(-24*time.Hour).Unix() / 3600
	w.mu.Lock()
	for _, t := range b.Totals {
		switch {
		case t.Reason == toksta.ReasonInsufficientCredits:
			w.pendingFor(t.AccountID).unpaid = true
		case t.Reason.Code() == toksta.CodeRateLimited && t.Hour >= since:
			w.pendingFor(t.AccountID).limited[t.Hour] = true
		}
	}
	w.mu.Unlock()
	w.notify()
}

// Enqueue schedules a check of accounts whose balance may have changed.
func (w *Watch) Enqueue(accounts ...toksta.AccountID) {
	w.mu.Lock()
	for _, id := range accounts {
		w.pendingFor(id)
	}
	w.mu.Unlock()
	w.notify()
}

// pendingFor returns the pending observation of an account and creates it if needed. The caller
// holds mu.
func (w *Watch) pendingFor(id toksta.AccountID) *observation {
	s := w.pending[id]
	if s == nil {
		s = &observation{limited: map[int64]bool{}}
		w.pending[id] = s
	}
	return s
}

func (w *Watch) notify() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// retryInterval is the delay before a failed check is repeated.
const retryInterval = 10 * time.Second

// Run checks scheduled accounts until ctx ends and repeats failed checks. If the process ends
// before a check, the next process schedules balances again at its start, and limits with their
// next rejection.
func (w *Watch) Run(ctx context.Context) error {
	tick := time.NewTicker(retryInterval)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.wake:
		case <-tick.C:
		}
		err := w.checkPending(ctx)
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

// checkPending checks all scheduled accounts and schedules the failed ones again.
func (w *Watch) checkPending(ctx context.Context) error {
	w.mu.Lock()
	pending := w.pending
	w.pending = map[toksta.AccountID]*observation{}
	w.mu.Unlock()
	var errs []error
	for id, s := range pending {
		st := w.config.Standing(id)
		if st == nil {
			continue
		}
		if err := errors.Join(w.checkCredits(ctx, st, s.unpaid), w.checkLimits(ctx, st, s.limited)); err != nil {
			errs = append(errs, err)
			w.requeue(id, s)
		}
	}
	return errors.Join(errs...)
}

func (w *Watch) requeue(id toksta.AccountID, old *observation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.pendingFor(id)
	s.unpaid = s.unpaid || old.unpaid
	for hour := range old.limited {
		s.limited[hour] = true
	}
}

// checkCredits raises an event if the credits of an account are low or exhausted, once for each
// cycle and each total of credits that the account was given. A top-up or another plan changes that
// total and so allows a new event. An account that was never given credits has no events.
func (w *Watch) checkCredits(ctx context.Context, st *toksta.Standing, unpaid bool) error {
	b := w.config.Balance(st, w.config.Now())
	given := st.Plan.IncludedCredits + st.Account.Entitlements.PurchasedCredits
	left := max(b.Included-b.IncludedUsed, 0) + b.Purchased // holds are not subtracted: they may be released
	mark := w.mark(st)
	kind := toksta.EventCreditsLow
	switch {
	case given <= 0 || left > mark:
		return nil
	case left == 0 || unpaid:
		kind = toksta.EventCreditsExhausted
	}
	return w.raiseOnce(ctx, Occurrence{
		Kind: kind, AccountID: st.Account.ID,
		Token: fmt.Sprintf("%s %s %d %s", kind, st.Account.ID, given, b.ResetsAt.UTC().Format(time.DateOnly)),
		Data: client.CreditsData{
			AccountID: st.Account.ID, Plan: st.Plan.ID, Remaining: left, Mark: mark, Included: b.Included,
			IncludedUsed: b.IncludedUsed, Purchased: b.Purchased, ResetsAt: b.ResetsAt, Beyond: beyond(st, b),
		},
	})
}

// mark returns the balance at which credits are low, or 0 if the event is disabled.
func (w *Watch) mark(st *toksta.Standing) int64 {
	if st.Plan.IncludedCredits > 0 {
		return st.Plan.IncludedCredits * w.config.Marks.LowIncluded / 100
	}
	return w.config.Marks.LowPurchased
}

// The treatment of calls when no credits are left.
const (
	BeyondRefused = "refused" // with 402
	BeyondOverage = "overage" // admitted, and charged at the plan's rate
)

// beyond returns what happens to calls of the account when no credits are left: BeyondOverage if
// its plan and its cap allow overage, otherwise BeyondRefused.
func beyond(st *toksta.Standing, b credits.Balance) string {
	rate := st.Plan.OverageMicros
	if rate > 0 && (b.OverageCapMicros <= 0 || b.OverageMicros <= b.OverageCapMicros-rate) {
		return BeyondOverage
	}
	return BeyondRefused
}

// checkLimits raises an event for hours with many rejected calls, at most once a day.
func (w *Watch) checkLimits(ctx context.Context, st *toksta.Standing, hours map[int64]bool) error {
	var errs []error
	for hour := range hours {
		since := time.Unix(hour*3600, 0).UTC()
		o := Occurrence{
			Kind: toksta.EventRateLimitHit, AccountID: st.Account.ID,
			Token: fmt.Sprintf("%s %s %s", toksta.EventRateLimitHit, st.Account.ID, since.Format(time.DateOnly)),
		}
		if w.config.Marks.LimitHits <= 0 || w.isRaised(o) {
			continue
		}
		rejected, err := w.countRejected(ctx, st.Account.ID, since)
		if err == nil && rejected >= w.config.Marks.LimitHits {
			o.Data = client.RateLimitData{
				AccountID: st.Account.ID, Plan: st.Plan.ID, Refused: rejected, Since: since,
				PerMinute: st.PerMinute, PerHour: st.PerHour, PerDay: st.PerDay, Concurrent: st.Concurrent,
			}
			err = w.raiseOnce(ctx, o)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// countRejected returns the number of calls that a limit rejected in an hour on all nodes.
func (w *Watch) countRejected(ctx context.Context, account toksta.AccountID, since time.Time) (n int64, err error) {
	rows, err := w.config.Usage.ListUsage(ctx, store.UsageQuery{Account: account, From: since, To: since.Add(time.Hour)})
	for _, r := range rows {
		if r.Reason.Code() == toksta.CodeRateLimited {
			n += r.Calls
		}
	}
	return n, err
}

// raiseOnce raises an occurrence unless this node has already stored it.
func (w *Watch) raiseOnce(ctx context.Context, o Occurrence) error {
	if w.isRaised(o) {
		return nil
	}
	external, err := w.config.ExternalID(ctx, o.AccountID)
	if err != nil {
		return fmt.Errorf("read the external id of the account: %w", err)
	}
	o.Data = withExternalID(o.Data, external)
	if err := w.config.Events.Raise(ctx, o); err != nil {
		return err
	}
	w.raised[occurrenceKey{o.AccountID, o.Kind}] = o.Token
	return nil
}

func (w *Watch) isRaised(o Occurrence) bool {
	return w.raised[occurrenceKey{o.AccountID, o.Kind}] == o.Token
}

// withExternalID returns the data of an event with the external id of its account.
func withExternalID(data any, id string) any {
	switch d := data.(type) {
	case client.CreditsData:
		d.ExternalID = id
		return d
	case client.RateLimitData:
		d.ExternalID = id
		return d
	default:
		return data
	}
}
