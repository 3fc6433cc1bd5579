package credits

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

var today = time.Date(2026, 5, 20, 10, 0, 0, 0, time.UTC)

// standing makes an account with included and purchased credits, overage at a
// rate and its cap.
func standing(included, purchased, rate, limit int64) *toksta.Standing {
	return &toksta.Standing{
		Account: toksta.Account{ID: "acct_1", CycleAnchor: time.Date(2025, 1, 31, 0, 0, 0, 0, time.UTC), Entitlements: toksta.Entitlements{PurchasedCredits: purchased, OverageCapMicros: limit}},
		Plan:    toksta.Plan{IncludedCredits: included, OverageMicros: rate},
	}
}

// charge charges a call today.
func charge(b *Balances, s *toksta.Standing, held, charged int64) toksta.Charge {
	c, _, _ := b.Charge(s, held, charged, today)
	return c
}

// Guarantee: a customer pays in the promised order: included credits, then
// purchased ones, then overage up to the cap. Then calls are rejected.
func TestOrderOfPayment(t *testing.T) {
	t.Parallel()
	b, s := NewBalances(), standing(10, 5, 100, 350)
	for i, step := range []struct {
		credits int64
		held    bool
		want    toksta.Charge
	}{
		{8, true, toksta.Charge{Credits: 8}},
		{4, true, toksta.Charge{Credits: 4, Purchased: 2}},
		{4, true, toksta.Charge{Credits: 4, Purchased: 3, Overage: 1, OverageMicros: 100}},
		{3, false, toksta.Charge{}}, // the cap pays for two more
		{2, true, toksta.Charge{Credits: 2, Overage: 2, OverageMicros: 200}},
		{1, false, toksta.Charge{}},
		{0, true, toksta.Charge{}},
		{-1, false, toksta.Charge{}},
	} {
		held := b.Hold(s, step.credits, today)
		if held != step.held {
			t.Fatalf("step %d: held %v, want %v", i, held, step.held)
		}
		if held {
			if diff := cmp.Diff(step.want, charge(b, s, step.credits, step.credits)); diff != "" {
				t.Errorf("step %d (-want +got):\n%s", i, diff)
			}
		}
	}
	want := Balance{
		Included: 10, IncludedUsed: 10, PurchasedUsed: 5, Overage: 3, OverageMicros: 300, OverageCapMicros: 350,
		ResetsAt: time.Date(2026, 5, 31, 0, 0, 0, 0, time.UTC),
	}
	if diff := cmp.Diff(want, b.Balance(s, today)); diff != "" {
		t.Errorf("balance (-want +got):\n%s", diff)
	}
}

// Guarantee: two calls at once never spend the last credit twice.
func TestConcurrentHolds(t *testing.T) {
	t.Parallel()
	b, s := NewBalances(), standing(40, 10, 0, 0)
	var paid atomic.Int64
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if b.Hold(s, 1, today) {
				cost := int64(i % 2) // half of the calls fail and cost nothing
				paid.Add(charge(b, s, 1, cost).Credits)
			}
		})
	}
	wg.Wait()
	for range 200 {
		if b.Hold(s, 1, today) {
			paid.Add(charge(b, s, 1, 1).Credits)
		}
	}
	if n := paid.Load(); n != 50 {
		t.Errorf("%d credits were paid, want 50", n)
	}
	if left := b.Balance(s, today); left.Remaining() != 0 || left.Held != 0 {
		t.Errorf("%d left and %d held, want none", left.Remaining(), left.Held)
	}
}

// Guarantee: a call that costs more than it held takes free credits, and never
// those that another call holds. The account owes the rest, which its next
// purchase pays.
func TestCostBeyondTheHold(t *testing.T) {
	t.Parallel()
	b, s := NewBalances(), standing(10, 0, 0, 0)
	if !b.Hold(s, 2, today) || !b.Hold(s, 5, today) {
		t.Fatal("not held")
	}
	got, owed, _ := b.Charge(s, 2, 9, today)
	if want := (toksta.Charge{Credits: 9, Purchased: 4}); got != want || owed != 4 {
		t.Errorf("charged %+v and owes %d, want %+v: two held, three free and four owed", got, owed, want)
	}
	got, owed, _ = b.Charge(s, 5, 5, today)
	if want := (toksta.Charge{Credits: 5}); got != want || owed != 0 {
		t.Errorf("the other call is charged %+v and owes %d, want its hold", got, owed)
	}
	if left := b.Balance(standing(10, 6, 0, 0), today).Remaining(); left != 2 {
		t.Errorf("%d credits are left of 6 bought, want 2", left)
	}
}

// Guarantee: a cost above the hold is never dropped, whatever the plan sells:
// overage pays the cost up to its cap, and the account owes the rest.
func TestCostBeyondTheBalance(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		s    *toksta.Standing
		want toksta.Charge
		owed int64
	}{
		"no credits":     {standing(0, 0, 0, 0), toksta.Charge{Credits: 500, Purchased: 500}, 500},
		"both parts":     {standing(2, 8, 0, 0), toksta.Charge{Credits: 500, Purchased: 498}, 490},
		"capped overage": {standing(2, 0, 10, 50), toksta.Charge{Credits: 500, Purchased: 493, Overage: 5, OverageMicros: 50}, 493},
		"overage":        {standing(2, 0, 10, 0), toksta.Charge{Credits: 500, Overage: 498, OverageMicros: 4980}, 0},
	} {
		got, owed, _ := NewBalances().Charge(c.s, 0, 500, today)
		if diff := cmp.Diff(c.want, got); diff != "" || owed != c.owed {
			t.Errorf("%s: owed %d, want %d; charged (-want +got):\n%s", name, owed, c.owed, diff)
		}
	}
}

// Guarantee: included credits are granted once per cycle, on the right day in
// short months. Neither a clock set back nor a moved anchor grants them twice.
func TestCycles(t *testing.T) {
	t.Parallel()
	day := func(year int, month time.Month, day, hour int) time.Time {
		return time.Date(year, month, day, hour, 0, 0, 0, time.UTC)
	}
	b, s := NewBalances(), standing(1, 0, 0, 0)
	moved := standing(1, 0, 0, 0)
	moved.Account.CycleAnchor = day(2025, 1, 10, 0)
	for _, step := range []struct {
		name string
		s    *toksta.Standing
		now  time.Time
		want bool
	}{
		{"first of the cycle", s, day(2027, 1, 31, 0), true},
		{"none left", s, day(2027, 2, 27, 23), false},
		{"the short month's last day", s, day(2027, 2, 28, 0), true},
		{"the clock set back", s, day(2027, 2, 27, 23), false},
		{"none left", s, day(2027, 3, 30, 23), false},
		{"an anchor moved to an earlier start", moved, day(2027, 3, 9, 23), false},
		{"the moved anchor's day", moved, day(2027, 3, 10, 0), true},
		{"leap day", s, day(2028, 2, 29, 0), true},
		{"after leap day", s, day(2028, 3, 30, 0), false},
	} {
		got := b.Hold(step.s, 1, step.now)
		if got != step.want {
			t.Errorf("%s: held %v, want %v", step.name, got, step.want)
		}
		if got {
			b.Charge(step.s, 1, 1, step.now)
		}
	}
}

// Guarantee: a call in flight when the cycle ends is paid from the new cycle,
// and its hold is released afterwards.
func TestHoldAcrossTheCycle(t *testing.T) {
	t.Parallel()
	b, s := NewBalances(), standing(3, 0, 0, 0)
	before, after := time.Date(2026, 5, 30, 23, 59, 59, 0, time.UTC), time.Date(2026, 5, 31, 0, 0, 1, 0, time.UTC)
	if !b.Hold(s, 2, before) || !b.Hold(s, 1, after) {
		t.Fatal("not held")
	}
	if b.Hold(s, 1, after) {
		t.Error("the credits that a call of the old cycle holds were given to another call")
	}
	b.Charge(s, 2, 2, before)
	b.Charge(s, 1, 0, after)
	if got := b.Balance(s, after); got.IncludedUsed != 2 || got.Held != 0 {
		t.Errorf("%d used and %d held, want 2 and 0", got.IncludedUsed, got.Held)
	}
}

// Guarantee: a restart neither gives nor takes credits. The use of a cycle that
// ended during the restart does not count in the next one.
func TestLoad(t *testing.T) {
	t.Parallel()
	s := standing(10, 10, 0, 0)
	start, _ := toksta.Cycle(s.Account.CycleAnchor, today)
	for now, remaining := range map[time.Time]int64{today: 9, today.AddDate(0, 1, 0): 16} {
		b := NewBalances()
		b.setOthers(syncState{ID: "acct_1", Cycle: start}, store.Charged{CreditUse: store.CreditUse{Cycle: toksta.Charge{Credits: 8, Purchased: 1}, PurchasedEver: 4}})
		if got := b.Balance(s, now).Remaining(); got != remaining {
			t.Errorf("at %s %d credits remain, want %d", now, got, remaining)
		}
	}
}

// Guarantee: overage without a cap never overflows. If the rate is so high that
// the money would overflow, the call is rejected.
func TestEndlessOverage(t *testing.T) {
	t.Parallel()
	b, s := NewBalances(), standing(1, math.MaxInt64/2, 1, 0)
	if !b.Hold(s, math.MaxInt64-1, today) {
		t.Error("a huge hold is rejected")
	}
	if b.Hold(s, 2, today) {
		t.Error("more than any number is held")
	}
	if NewBalances().Hold(standing(0, 0, math.MaxInt64, 0), 2, today) {
		t.Error("an amount of money beyond any number is held")
	}
}

// Guarantee: after any sequence of steps, no part of a balance is below zero,
// costs are charged in full, and the parts add up to the charges. The plan and
// the purchased credits change on the way.
func TestSumsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type hold struct {
			s       *toksta.Standing
			credits int64
		}
		b, now := NewBalances(), today
		purchased := rapid.Int64Range(0, 20).Draw(t, "purchased")
		s := standing(10, purchased, 0, 0)
		var holds []hold
		var cycle toksta.Charge
		var everPurchased int64
		start, _ := toksta.Cycle(s.Account.CycleAnchor, now)
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				if at, _ := toksta.Cycle(s.Account.CycleAnchor, now); at.After(start) {
					start, cycle = at, toksta.Charge{}
				}
				got := b.Balance(s, now)
				var held int64
				for _, h := range holds {
					held += h.credits
				}
				if got.Held != held || got.Overage != cycle.Overage || got.OverageMicros != cycle.OverageMicros ||
					got.IncludedUsed != cycle.Credits-cycle.Purchased-cycle.Overage || got.PurchasedUsed != everPurchased {
					t.Fatalf("balance %+v; held %d, charged %+v", got, held, cycle)
				}
				if got.Remaining() < 0 || got.Purchased != max(purchased-everPurchased, 0) || got.IncludedUsed < 0 {
					t.Fatalf("a part is below zero: %+v", got)
				}
			},
			"buy": func(t *rapid.T) {
				purchased += 3
				s = standing(s.Plan.IncludedCredits, purchased, s.Plan.OverageMicros, 500)
			},
			"plan": func(t *rapid.T) {
				s = standing(rapid.Int64Range(10, 30).Draw(t, "included"), purchased, rapid.SampledFrom([]int64{0, 7}).Draw(t, "rate"), 500)
			},
			"wait": func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(1, 400).Draw(t, "hours")) * time.Hour) },
			"hold": func(t *rapid.T) {
				n := rapid.Int64Range(1, 8).Draw(t, "credits")
				if b.Hold(s, n, now) {
					holds = append(holds, hold{s, n})
				}
			},
			"charge": func(t *rapid.T) {
				if len(holds) == 0 {
					t.Skip("nothing is held")
				}
				i := rapid.IntRange(0, len(holds)-1).Draw(t, "hold")
				h := holds[i]
				holds = append(holds[:i], holds[i+1:]...)
				if at, _ := toksta.Cycle(s.Account.CycleAnchor, now); at.After(start) {
					start, cycle = at, toksta.Charge{}
				}
				charged := rapid.Int64Range(0, 12).Draw(t, "charged")
				c, owed, _ := b.Charge(h.s, h.credits, charged, now)
				if c.Credits != charged || owed < 0 || owed > c.Purchased || c.Purchased < 0 || c.Overage < 0 || c.Purchased+c.Overage > c.Credits || c.OverageMicros != c.Overage*h.s.Plan.OverageMicros {
					t.Fatalf("charge %+v for %d", c, charged)
				}
				cycle.Credits += c.Credits
				cycle.Purchased += c.Purchased
				cycle.Overage += c.Overage
				cycle.OverageMicros += c.OverageMicros
				everPurchased += c.Purchased
			},
		})
	})
}

// Guarantee: a free call takes no lock, and no call allocates memory.
func TestHoldAllocatesNothing(t *testing.T) {
	b, s := NewBalances(), standing(1<<40, 0, 0, 0)
	for _, credits := range []int64{0, 1} {
		if n := testing.AllocsPerRun(100, func() {
			b.Hold(s, credits, today)
			b.Charge(s, credits, credits, today)
		}); n != 0 {
			t.Errorf("a call of %d credits makes %v allocations", credits, n)
		}
	}
	if b := NewBalances(); !b.Hold(nil, 0, today) {
		t.Error("a free call asked for a standing")
	}
}

func BenchmarkHoldAndCharge(b *testing.B) {
	balances, s := NewBalances(), standing(1<<40, 0, 0, 0)
	b.ReportAllocs()
	for b.Loop() {
		balances.Hold(s, 1, today)
		balances.Charge(s, 1, 1, today)
	}
}
