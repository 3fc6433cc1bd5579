package credits

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/sdk/toksta"
)

// decision is one about an account of which the database says u.
func decision(s *toksta.Standing, u Use) Decision {
	start, _ := toksta.Cycle(s.Account.CycleAnchor, today)
	return Decision{Standing: s, Start: start, Use: u, Now: today}
}

// Guarantee: a job is promised no credit that a call in flight holds, pays
// overage only for what the calls leave it, and a call in flight pays what it
// held at the price that it was admitted at.
func TestClaimBesideHolds(t *testing.T) {
	t.Parallel()
	b, s := New(), standing(100, 10, 100, 5000)
	for range 9 {
		if !b.Hold(s, 10, today) {
			t.Fatal("not held")
		}
	}
	if c, left := b.Claim(decision(s, Use{}), 71); c != nil || left != 10+10+50 {
		t.Errorf("claimed %v, %d left, want none and 70", c, left)
	}
	c, _ := b.Claim(decision(s, Use{}), 69)
	want := toksta.Charge{Credits: 69, Purchased: 10, Overage: 49, OverageMicros: 4900}
	if c == nil || c.Split != want {
		t.Fatalf("claimed %+v, want %+v", c, want)
	}
	if b.Hold(s, 2, today) || !b.Hold(s, 1, today) {
		t.Error("a call is promised what the job was")
	}
	settle(b, s, 1, 0)
	for range 9 {
		if got := settle(b, s, 10, 10); got != (toksta.Charge{Credits: 10}) {
			t.Errorf("a call is charged %+v, want 10 included credits", got)
		}
	}
	b.Release(c)
	if got := b.Balance(s, today); got.Overage != 0 || got.Remaining() != 20 || got.Held != 0 {
		t.Errorf("after the job: %+v", got)
	}
}

// Guarantee: of calls and jobs at once, nobody is promised the last credit twice.
func TestConcurrentClaims(t *testing.T) {
	t.Parallel()
	b, s := New(), standing(40, 10, 0, 0)
	var jobs, calls atomic.Int64
	var row sync.Mutex // as the database has it
	var use Use
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			if i%4 > 0 {
				if b.Hold(s, 1, today) {
					calls.Add(settle(b, s, 1, 1).Credits)
				}
				return
			}
			row.Lock()
			defer row.Unlock()
			by := b.Known(s.Account.ID)
			c, _ := b.Claim(decision(s, use), 1)
			if c == nil {
				return
			}
			if i%8 > 0 { // committed
				jobs.Add(1)
				use.Held, use.Entries = use.Held.Plus(c.Split), use.Entries+1
				b.Learn(by, use)
			}
			b.Release(c)
		})
	}
	all.Wait()
	for b.Hold(s, 1, today) {
		calls.Add(settle(b, s, 1, 1).Credits)
	}
	if got := jobs.Load() + calls.Load(); got != 50 {
		t.Errorf("%d credits were spent, %d of them on jobs, want 50", got, jobs.Load())
	}
}

// Guarantee: what was read before a reservation was committed does not hide it
// from calls, whenever it arrives; a state that the database lost is given up.
func TestLearnIsInOrder(t *testing.T) {
	t.Parallel()
	b, s := New(), standing(0, 100, 0, 0)
	left := func(want int64) {
		t.Helper()
		if got := b.Balance(s, today).Remaining(); got != want {
			t.Errorf("%d left, want %d", got, want)
		}
	}
	held := func(n, entries int64) Use {
		return Use{Held: toksta.Charge{Credits: n, Purchased: n}, Entries: entries}
	}
	early := b.Spender(s, today)
	c, _ := b.Claim(decision(s, held(5, 1)), 40)
	left(55)
	b.Learn(early, held(0, 0)) // read before any of it
	left(55)
	b.Learn(early, held(5, 1)) // read before the commit
	left(55)
	b.Learn(early, held(45, 2)) // read after it
	left(55)
	b.Release(c)
	left(55)
	b.Learn(early, held(5, 1))
	left(55)
	late := b.Spender(s, today)
	b.Learn(late, held(5, 1)) // the database has gone back
	left(95)

	first, _ := b.Claim(decision(s, held(5, 1)), 10)
	second, _ := b.Claim(decision(s, held(15, 2)), 20)
	b.Release(first)
	left(65)
	b.Release(second)
	left(85)
	b.Release(nil)
}

// Guarantee: an admitted call is charged what it held, even if other nodes have
// spent it meanwhile or it was taken away; the account owes it.
func TestShortfallIsCharged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		s    *toksta.Standing
		u    Use
		want toksta.Charge
	}{
		{"purchased", standing(0, 10, 0, 0), Use{PurchasedEver: 7, Cycle: toksta.Charge{Credits: 7, Purchased: 7}}, toksta.Charge{Credits: 10, Purchased: 10}},
		{"included", standing(10, 0, 0, 0), Use{Cycle: toksta.Charge{Credits: 7}}, toksta.Charge{Credits: 10, Purchased: 7}},
		{"up to the cap", standing(0, 0, 100, 1000), Use{Cycle: toksta.Charge{Credits: 7, Overage: 7, OverageMicros: 700}}, toksta.Charge{Credits: 10, Purchased: 7, Overage: 3, OverageMicros: 300}},
	} {
		b := New()
		by := b.Spender(c.s, today)
		if !b.Hold(c.s, 10, today) {
			t.Fatal("not held")
		}
		b.Learn(by, c.u)
		if diff := cmp.Diff(c.want, settle(b, c.s, 10, 12)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if b.Hold(c.s, 1, today) || b.Balance(c.s, today).Remaining() != 0 {
			t.Errorf("%s: there are credits left", c.name)
		}
		c.s.Account.Entitlements.PurchasedCredits += 20
		if got := b.Balance(c.s, today).Remaining(); got != 20-7 {
			t.Errorf("%s: %d left of a purchase of 20, want 13", c.name, got)
		}
	}
}

// Guarantee: a correction takes away no credit that a call in flight holds.
func TestUnspent(t *testing.T) {
	t.Parallel()
	b, s := New(), standing(10, 50, 0, 0)
	b.Hold(s, 25, today)
	if got := b.Unspent(decision(s, Use{})); got != 35 {
		t.Errorf("%d unspent, want 35", got)
	}
	held := Use{Held: toksta.Charge{Credits: 20, Purchased: 20}, Entries: 1}
	if got := b.Unspent(decision(s, held)); got != 15 || b.Balance(s, today).Held != 25 {
		t.Errorf("%d unspent beside a job, want 15", got)
	}
}
