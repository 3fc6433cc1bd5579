package credits

import (
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// claim is the credits that a reservation takes on its node while it is
// committed.
type claim struct {
	account toksta.AccountID
	split   toksta.Charge // the charge of the reservation
	entries int64         // number of entries that the decision knew
}

// claim sets credits aside for a job, in the order of payment, from those that
// are left once each call in flight has paid its hold. No call can spend them
// until unclaim, or until setOthers replaces the claim by its committed reservation. If too
// few credits are left, made is nil. left is the number before the claim.
//
// The caller holds the lock of the account's credit row. So c includes every
// committed reservation, and the reservation of an earlier claim is either in c
// or was not committed.
func (b *Balances) claim(st *toksta.Standing, c store.CreditState, credits int64) (made *claim, left int64) {
	s, a := b.lock(st.Account.ID)
	defer s.mu.Unlock()
	a.advance(st, c.Now)
	a.unclaim()
	a.setOthers(c.Cycle.Unix(), c.Use)
	f := a.funds(st).after(a.held)
	if left = f.total(); credits < 0 || credits > left {
		return nil, left
	}
	a.claimed = f.split(credits, st.Plan.OverageMicros)
	a.claim = &claim{account: a.id, split: a.claimed, entries: c.Use.Entries}
	return a.claim, left
}

// unclaim ends a claim, so that calls can spend its credits. It does nothing if
// c is nil or if setOthers has replaced the claim by the committed reservation.
func (b *Balances) unclaim(c *claim) {
	if c == nil {
		return
	}
	s, a := b.lock(c.account)
	defer s.mu.Unlock()
	if a.claim == c {
		a.unclaim()
	}
}

// unspent returns the purchased credits in the state c that no call has spent
// or holds and no job has reserved. It changes only a copy of the account.
func (b *Balances) unspent(st *toksta.Standing, c store.CreditState) int64 {
	s, known := b.lock(st.Account.ID)
	defer s.mu.Unlock()
	a := *known
	a.advance(st, c.Now)
	a.setOthers(c.Cycle.Unix(), c.Use)
	return a.funds(st).after(a.held).purchased
}
