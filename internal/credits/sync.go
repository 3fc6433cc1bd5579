package credits

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

const (
	// urgentInterval is the time between two reads of urgent accounts.
	urgentInterval = 250 * time.Millisecond
	// exchangeTimeout bounds an exchange, so that a hanging store does not
	// delay the next attempt.
	exchangeTimeout = 5 * time.Second
	// loadedBatch is the number of loaded accounts that are enqueued at once,
	// so that a node with many accounts starts gently.
	loadedBatch = 500
)

// Load flushes the journals of previous processes and then sets all balances
// from the store.
func (s *Service) Load(ctx context.Context) error {
	if err := s.Meter.Flush(ctx); err != nil {
		return fmt.Errorf("flush the charges of the previous process: %w", err)
	}
	now := s.Now()
	cycle := func(id toksta.AccountID) time.Time {
		var anchor time.Time
		if st := s.Index.Standing(id); st != nil {
			anchor = st.Account.CycleAnchor
		}
		start, _ := toksta.Cycle(anchor, now)
		return start
	}
	var loaded []toksta.AccountID
	err := s.Store.CreditUse(ctx, now.AddDate(0, -1, -1), cycle, func(id toksta.AccountID, use store.CreditUse) {
		s.Balances.setOthers(syncState{ID: id, Cycle: cycle(id)}, store.Charged{CreditUse: use})
		loaded = append(loaded, id)
	})
	if err != nil {
		return fmt.Errorf("load the balances: %w", err)
	}
	s.loadedMu.Lock()
	defer s.loadedMu.Unlock()
	s.loaded = loaded
	return nil
}

// syncLoop exchanges charges with the other nodes until ctx ends. It logs the
// first failure and the recovery. While the store is unavailable, calls are
// decided on the charges that this node knows, as long as its lease is valid.
func (s *Service) syncLoop(ctx context.Context) {
	tick := time.NewTicker(urgentInterval)
	defer tick.Stop()
	perRound, failing := max(int(s.Interval/urgentInterval), 1), false
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := s.exchangeDue(ctx, n%perRound == 0)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			s.Logger.Error("cannot read the charges of other nodes; calls are still served, trying again", "error", err)
		case err == nil && failing:
			s.Logger.Info("can read the charges of other nodes again")
		}
		failing = err != nil
		s.enqueueLoaded()
	}
}

// enqueueLoaded passes up to loadedBatch accounts of Load to the watch, because
// the previous process could have ended before its watch saw their last
// charges.
func (s *Service) enqueueLoaded() {
	s.loadedMu.Lock()
	defer s.loadedMu.Unlock()
	if n := min(len(s.loaded), loadedBatch); n > 0 {
		s.Watch.Enqueue(s.loaded[:n]...)
		s.loaded = s.loaded[n:]
	}
}

// Refresh flushes the charges of this node on an account and reads those of the
// others, before the account's balance is shown.
func (s *Service) Refresh(ctx context.Context, st *toksta.Standing) error {
	if err := s.flush(ctx, st.Account.ID); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.readOthers(ctx, []syncState{s.Balances.currentState(st, s.Now())})
}

// exchangeDue exchanges the charges of the accounts that takeDue returns, and
// passes these accounts to the watch. If all is true, it begins a round.
func (s *Service) exchangeDue(ctx context.Context, all bool) error {
	due, err := s.exchange(ctx, all)
	if err != nil || len(due) == 0 {
		return err
	}
	accounts := make([]toksta.AccountID, len(due))
	for i, a := range due {
		accounts[i] = a.ID
	}
	s.Watch.Enqueue(accounts...)
	return nil
}

// exchange flushes the charges of this node and then reads those of the others,
// for the accounts that takeDue returns. If either fails, these accounts are
// urgent again.
func (s *Service) exchange(ctx context.Context, all bool) ([]syncState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	due := s.Balances.takeDue(all)
	err := s.flushDue(ctx, all, due)
	if err == nil && all {
		s.expirePast()
		err = s.pollNodes(ctx)
	}
	if err == nil {
		err = s.readOthers(ctx, due)
	}
	if err == nil {
		return due, nil
	}
	for _, a := range due {
		s.Balances.requeue(a.ID)
	}
	return nil, err
}

// flushDue flushes all charges of this node or, if all is false, those on the
// due accounts and on the accounts of the last exchange. A call is charged
// shortly before the meter counts it, so the last flush could have missed its
// count. Without other nodes it flushes nothing, because none needs the
// charges.
func (s *Service) flushDue(ctx context.Context, all bool, due []syncState) error {
	if s.Only() {
		s.late = due
		return nil
	}
	accounts := map[toksta.AccountID]bool{}
	for _, a := range slices.Concat(s.late, due) {
		accounts[a.ID] = true
	}
	var err error
	switch {
	case all:
		err = s.Meter.Flush(ctx)
	case len(accounts) > 0:
		err = s.Meter.FlushOf(ctx, accounts)
	}
	if err == nil {
		s.late = due
	}
	return err
}
