package credits

import (
	"slices"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// due returns the accounts that takeDue returns.
func due(b *Balances, all bool) (ids []toksta.AccountID) {
	for _, s := range b.takeDue(all) {
		ids = append(ids, s.ID)
	}
	return ids
}

// Guarantee: the charges of others on an account are read at once if they may
// bring it to a limit unseen or were not read for long, once in a round if it is
// used, and not at all otherwise.
func TestDue(t *testing.T) {
	t.Parallel()
	b := NewBalances()
	b.setReach(4)
	s := standing(1000, 0, 0, 0)
	s.PerMinute = 10 // others make up to forty calls between two reads
	call := func(credits int64) {
		if b.Hold(s, credits, today) {
			b.Charge(s, credits, credits, today)
		}
	}
	for i, step := range []struct {
		credits  int64
		all, due bool
	}{
		{1, false, true}, // never read
		{1, false, false},
		{1, true, true},
		{0, true, false}, // idle for a round
		{1, false, true},
		{23, true, true},  // 23 × 40 < what is left: far
		{25, false, true}, // 25 × 40 ≥ what is left: near
		{930, true, true},
		{1, false, true},   // the last ones
		{100, false, true}, // rejected with some left
		{17, false, true},  // none left after it
		{1, false, false},  // rejected: nothing can be overspent
		{0, true, true},
	} {
		if step.credits > 0 {
			call(step.credits)
		}
		if got := due(b, step.all); slices.Equal(got, []toksta.AccountID{"acct_1"}) != step.due {
			t.Errorf("step %d: %v due, want it due: %v", i, got, step.due)
		}
	}
	b.requeue(s.Account.ID)
	if len(due(b, false)) != 1 || len(due(b, false)) != 0 {
		t.Error("an account that was queued again is not due once")
	}
}

// Guarantee: charges that were read for a cycle never count in the next one. A
// plan that is left and taken again on one day grants its credits once.
func TestReadsOfAnotherCycle(t *testing.T) {
	t.Parallel()
	b, s := NewBalances(), standing(10, 0, 0, 0)
	old := b.currentState(s, today)
	next := today.AddDate(0, 0, 16)
	b.Hold(s, 4, next)
	b.Charge(s, 4, 4, next)
	b.setOthers(old, store.Charged{CreditUse: store.CreditUse{Cycle: toksta.Charge{Credits: 5}}})
	if got := b.Balance(s, next).Remaining(); got != 6 {
		t.Errorf("%d left after a read of the cycle before, want 6", got)
	}
	again := standing(10, 0, 0, 0)
	again.Account.CycleAnchor = next.Truncate(24 * time.Hour)
	later := next.AddDate(0, 0, 1)
	if got := b.Balance(again, next).Remaining(); got != 6 {
		t.Errorf("%d left after the plan was taken again, want 6", got)
	}
	again.Account.CycleAnchor = later.Truncate(24 * time.Hour)
	if got := b.Balance(again, later).Remaining(); got != 10 {
		t.Errorf("%d left in a cycle from the day after, want 10", got)
	}
}

// Guarantee: if the clock was set back, a charge is counted in the cycle that
// paid it, so that a restart does not grant its credits again.
func TestChargedInItsCycle(t *testing.T) {
	t.Parallel()
	b, s := NewBalances(), standing(10, 0, 0, 0)
	reset := time.Date(2026, 5, 31, 0, 0, 0, 0, time.UTC)
	b.Hold(s, 1, reset.Add(time.Minute))
	for clock, want := range map[time.Time]time.Time{reset.Add(-time.Hour): reset, reset.Add(time.Hour): reset.Add(time.Hour)} {
		if _, _, at := b.Charge(s, 1, 1, clock); !at.Equal(want) {
			t.Errorf("at %s a charge is counted at %s, want %s", clock, at, want)
		}
	}
}
