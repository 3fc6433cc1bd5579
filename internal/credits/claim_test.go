package credits

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// state returns the state of an account of which others used u.
func state(s *toksta.Standing, u store.Charged) store.CreditState {
	start, _ := toksta.Cycle(s.Account.CycleAnchor, today)
	return store.CreditState{Cycle: start, Use: u, Now: today}
}

// reservedBy returns the use of an account with purchased credits reserved.
func reservedBy(n, entries int64) store.Charged {
	return store.Charged{CreditUse: store.CreditUse{Reserved: toksta.Charge{Credits: n, Purchased: n}}, Entries: entries}
}

// Guarantee: a job gets no credit that a call in flight holds, and pays overage
// only if the calls leave no others. A call in flight pays its hold from the
// part that it was admitted on.
func TestClaimBesideHolds(t *testing.T) {
	t.Parallel()
	b, s := NewBalances(), standing(100, 10, 100, 5000)
	for range 9 {
		if !b.Hold(s, 10, today) {
			t.Fatal("not held")
		}
	}
	if c, left := b.claim(s, state(s, store.Charged{}), 71); c != nil || left != 10+10+50 {
		t.Errorf("claimed %v, %d left, want none and 70", c, left)
	}
	c, _ := b.claim(s, state(s, store.Charged{}), 69)
	want := toksta.Charge{Credits: 69, Purchased: 10, Overage: 49, OverageMicros: 4900}
	if c == nil || c.split != want {
		t.Fatalf("claimed %+v, want %+v", c, want)
	}
	if b.Hold(s, 2, today) || !b.Hold(s, 1, today) {
		t.Error("a call holds credits that the job claimed")
	}
	charge(b, s, 1, 0)
	for range 9 {
		if got := charge(b, s, 10, 10); got != (toksta.Charge{Credits: 10}) {
			t.Errorf("a call is charged %+v, want 10 included credits", got)
		}
	}
	b.unclaim(c)
	if got := b.Balance(s, today); got.Overage != 0 || got.Remaining() != 20 || got.Held != 0 {
		t.Errorf("after the job: %+v", got)
	}
}

// Guarantee: concurrent calls and jobs never get the last credit twice.
func TestConcurrentClaims(t *testing.T) {
	t.Parallel()
	b, s := NewBalances(), standing(40, 10, 0, 0)
	var jobs, calls atomic.Int64
	var row sync.Mutex // of the database
	var use store.Charged
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			if i%4 > 0 {
				if b.Hold(s, 1, today) {
					calls.Add(charge(b, s, 1, 1).Credits)
				}
				return
			}
			row.Lock()
			defer row.Unlock()
			by := b.lastState(s.Account.ID)
			c, _ := b.claim(s, state(s, use), 1)
			if c == nil {
				return
			}
			if i%8 > 0 { // committed
				jobs.Add(1)
				use.Reserved, use.Entries = use.Reserved.Plus(c.split), use.Entries+1
				b.setOthers(by, use)
			}
			b.unclaim(c)
		})
	}
	all.Wait()
	for b.Hold(s, 1, today) {
		calls.Add(charge(b, s, 1, 1).Credits)
	}
	if got := jobs.Load() + calls.Load(); got != 50 {
		t.Errorf("%d credits were spent, %d of them on jobs, want 50", got, jobs.Load())
	}
}

// Guarantee: a read from before the commit of a reservation does not give its
// credits to calls, however late it is applied. A state that the database lost
// is dropped.
func TestReadsApplyInOrder(t *testing.T) {
	t.Parallel()
	b, s := NewBalances(), standing(0, 100, 0, 0)
	left := func(want int64) {
		t.Helper()
		if got := b.Balance(s, today).Remaining(); got != want {
			t.Errorf("%d left, want %d", got, want)
		}
	}
	early := b.currentState(s, today)
	c, _ := b.claim(s, state(s, reservedBy(5, 1)), 40)
	left(55)
	b.setOthers(early, reservedBy(0, 0)) // read before any of it
	left(55)
	b.setOthers(early, reservedBy(5, 1)) // read before the commit
	left(55)
	b.setOthers(early, reservedBy(45, 2)) // read after it
	left(55)
	b.unclaim(c)
	left(55)
	b.setOthers(early, reservedBy(5, 1))
	left(55)
	late := b.currentState(s, today)
	b.setOthers(late, reservedBy(5, 1)) // the database lost an entry
	left(95)

	first, _ := b.claim(s, state(s, reservedBy(5, 1)), 10)
	second, _ := b.claim(s, state(s, reservedBy(15, 2)), 20)
	b.unclaim(first)
	left(65)
	b.unclaim(second)
	left(85)
	b.unclaim(nil)
}

// Guarantee: a claim that is pending when the cycle turns takes none of the
// included credits of the new cycle.
func TestClaimAcrossTheCycle(t *testing.T) {
	t.Parallel()
	b, s := NewBalances(), standing(10, 5, 0, 0)
	if c, _ := b.claim(s, state(s, store.Charged{}), 12); c == nil {
		t.Fatal("not claimed")
	}
	if got := b.Balance(s, today.AddDate(0, 0, 16)); got.Held != 2 || got.Remaining() != 10+3 {
		t.Errorf("%d held and %d left, want 2 and 13", got.Held, got.Remaining())
	}
}

// Guarantee: an admitted call is charged its hold even if other nodes spent the
// credits meanwhile. The account owes them.
func TestShortfallIsCharged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		s    *toksta.Standing
		u    store.CreditUse
		want toksta.Charge
	}{
		{"purchased", standing(0, 10, 0, 0), store.CreditUse{PurchasedEver: 7, Cycle: toksta.Charge{Credits: 7, Purchased: 7}}, toksta.Charge{Credits: 10, Purchased: 10}},
		{"included", standing(10, 0, 0, 0), store.CreditUse{Cycle: toksta.Charge{Credits: 7}}, toksta.Charge{Credits: 10, Purchased: 7}},
		{"up to the cap", standing(0, 0, 100, 1000), store.CreditUse{Cycle: toksta.Charge{Credits: 7, Overage: 7, OverageMicros: 700}}, toksta.Charge{Credits: 10, Purchased: 7, Overage: 3, OverageMicros: 300}},
	} {
		b := NewBalances()
		by := b.currentState(c.s, today)
		if !b.Hold(c.s, 10, today) {
			t.Fatal("not held")
		}
		b.setOthers(by, store.Charged{CreditUse: c.u})
		if diff := cmp.Diff(c.want, charge(b, c.s, 10, 10)); diff != "" {
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

// Guarantee: a correction takes away no credit that a call in flight holds or a
// job reserved.
func TestUnspent(t *testing.T) {
	t.Parallel()
	b, s := NewBalances(), standing(10, 50, 0, 0)
	b.Hold(s, 25, today)
	if got := b.unspent(s, state(s, store.Charged{})); got != 35 {
		t.Errorf("%d unspent, want 35", got)
	}
	if got := b.unspent(s, state(s, reservedBy(20, 1))); got != 15 || b.Balance(s, today).Held != 25 {
		t.Errorf("%d unspent beside a job, want 15", got)
	}
}
