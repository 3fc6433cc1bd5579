package credits

import (
	"slices"
	"testing"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// taken lists whom Take returns.
func taken(b *Book, all bool) (ids []toksta.AccountID) {
	for _, s := range b.Take(all) {
		ids = append(ids, s.ID)
	}
	return ids
}

// Guarantee: the database is asked about an account at once when others could
// bring it to an edge unheard, or when nobody asked for long; once in a round
// when it is used; and not at all when it is not.
func TestTake(t *testing.T) {
	t.Parallel()
	b := New()
	b.Watch(4)
	s := standing(1000, 0, 0, 0)
	s.PerMinute = 10 // forty calls by others before this node hears of them
	call := func(credits int64) {
		if b.Hold(s, credits, today) {
			b.Settle(s, credits, credits, today)
		}
	}
	for i, step := range []struct {
		credits    int64
		all, taken bool
	}{
		{1, false, true}, // never asked about
		{1, false, false},
		{1, true, true},
		{0, true, false}, // idle for a round
		{1, false, true},
		{23, true, true},  // 23 × 40 < what is left: far
		{25, false, true}, // 25 × 40 ≥ what is left: near
		{930, true, true},
		{1, false, true},   // the last ones
		{100, false, true}, // refused with some left
		{17, false, true},  // none left after it
		{1, false, false},  // refused: nothing can be overspent
		{0, true, true},
	} {
		if step.credits > 0 {
			call(step.credits)
		}
		if got := taken(b, step.all); slices.Equal(got, []toksta.AccountID{"acct_1"}) != step.taken {
			t.Errorf("step %d: took %v, want it taken: %v", i, got, step.taken)
		}
	}
	b.Return(b.Spender(s, today))
	if len(taken(b, false)) != 1 || len(taken(b, false)) != 0 {
		t.Error("an account that could not be asked about is not asked about again, once")
	}
}

// Guarantee: what is learned of a cycle never counts in the next one, and a
// plan that is left and taken again on one day gives its credits once.
func TestLearnAndTurn(t *testing.T) {
	t.Parallel()
	b, s := New(), standing(10, 0, 0, 0)
	old := b.Spender(s, today)
	next := today.AddDate(0, 0, 16)
	b.Hold(s, 4, next)
	b.Settle(s, 4, 4, next)
	b.Learn(old, Use{Cycle: toksta.Charge{Credits: 5}})
	if got := b.Balance(s, next).Remaining(); got != 6 {
		t.Errorf("%d left after news of the cycle before, want 6", got)
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

// Guarantee: with a clock that was set back a charge is counted in the cycle
// that paid it, so that a restart does not give its credits again.
func TestChargedInItsCycle(t *testing.T) {
	t.Parallel()
	b, s := New(), standing(10, 0, 0, 0)
	reset := time.Date(2026, 5, 31, 0, 0, 0, 0, time.UTC)
	b.Hold(s, 1, reset.Add(time.Minute))
	for clock, want := range map[time.Time]time.Time{reset.Add(-time.Hour): reset, reset.Add(time.Hour): reset.Add(time.Hour)} {
		if _, at := b.Settle(s, 1, 1, clock); !at.Equal(want) {
			t.Errorf("at %s a charge is counted at %s, want %s", clock, at, want)
		}
	}
}
