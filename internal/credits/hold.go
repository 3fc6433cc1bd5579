package credits

import (
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Hold sets credits aside for a call and reports whether the account can pay
// them. No other call can spend them until Charge.
func (b *Balances) Hold(st *toksta.Standing, credits int64, now time.Time) bool {
	if credits == 0 {
		return true
	}
	s, a := b.lock(st.Account.ID)
	defer s.mu.Unlock()
	a.advance(st, now)
	f := a.funds(st)
	b.markDue(s, a, spending{st, f, credits})
	if credits < 0 || credits > f.total()-a.held {
		return false
	}
	a.held += credits
	return true
}

// Charge releases the hold of a call and charges its cost in full. A cost of 0
// only releases. Up to the hold, the cost takes the credits that are left.
// Beyond the hold, it takes credits that no other call holds.
//
// The credits can be too few when the call ends, because the cost is above the
// hold, or because another node spent the held credits. Charge then charges the
// rest as purchased credits that the account owes: its next purchase pays them.
//
// Charge returns the charge, how many of its credits the account owes, and the
// time at which to count the charge: now, or the start of the cycle or of this
// process's charges in it if the clock was set back to before either.
func (b *Balances) Charge(st *toksta.Standing, held, cost int64, now time.Time) (c toksta.Charge, owed int64, at time.Time) {
	if held == 0 && cost == 0 {
		return toksta.Charge{}, 0, now
	}
	s, a := b.lock(st.Account.ID)
	defer s.mu.Unlock()
	a.advance(st, now)
	a.held = max(a.held-held, 0)
	f := a.funds(st)
	cost = max(cost, 0)
	c = f.split(min(cost, max(f.total()-a.held, held), f.total()), st.Plan.OverageMicros)
	owed = cost - c.Credits
	c = c.Plus(toksta.Charge{Credits: owed, Purchased: owed})
	if c.Credits > 0 {
		a.charge(c)
		b.markDue(s, a, spending{st, f, c.Credits})
	}
	if from := max(a.start, a.ownFrom); now.Unix() < from {
		now = time.Unix(from, 0)
	}
	return c, owed, now
}
