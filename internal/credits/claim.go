package credits

import (
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Decision is what the database says of an account while one decision about its
// credits is being made, which no other can overtake.
type Decision struct {
	Standing *toksta.Standing
	Start    time.Time // of the cycle that Use is of
	Use      Use
	Now      time.Time // by the database's clock
}

// Claim is credits that a reservation takes while it is being committed.
type Claim struct {
	Split toksta.Charge // where they come from

	id      toksta.AccountID
	entries int64 // of the ledger that it was decided on
}

// Claim sets credits aside for a job, in the order of payment, from those that
// are left once each call in flight has paid what it holds. No call can spend
// them until Release, or until Learn brings the committed reservation. If they
// are too few, the claim is nil and left says what there is.
//
// d is the whole truth about reservations, so a claim that was made before has
// become one of them, or nothing.
func (b *Book) Claim(d Decision, credits int64) (c *Claim, left int64) {
	s := b.shard(d.Standing.Account.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.ledger(d.Standing.Account.ID)
	l.turn(d.Standing, d.Now)
	l.unclaim()
	l.learn(d.Start.Unix(), d.Use)
	f := l.funds(d.Standing).after(l.held)
	if left = f.total(); credits < 0 || credits > left {
		return nil, left
	}
	l.claimed = f.split(credits, d.Standing.Plan.OverageMicros)
	l.claim = &Claim{Split: l.claimed, id: l.id, entries: d.Use.Entries}
	return l.claim, left
}

// Release gives back a claim whose reservation was not committed, or is known to
// the book by now. A nil claim is nothing to give back.
func (b *Book) Release(c *Claim) {
	if c == nil {
		return
	}
	s := b.shard(c.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.ledger(c.id); l.claim == c {
		l.unclaim()
	}
}

// Unspent returns the purchased credits that no call has spent or may be about
// to spend, and no job has been promised. It changes nothing.
func (b *Book) Unspent(d Decision) int64 {
	s := b.shard(d.Standing.Account.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := *s.ledger(d.Standing.Account.ID)
	l.turn(d.Standing, d.Now)
	l.learn(d.Start.Unix(), d.Use)
	return l.funds(d.Standing).after(l.held).purchased
}

// Known returns the account as the book has it.
func (b *Book) Known(id toksta.AccountID) Spender {
	s := b.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.accounts[id]; l != nil && l.start > 0 {
		return l.spender()
	}
	return Spender{ID: id}
}

// First returns the part of a charge that its first credits are, in the order
// of payment: included, purchased, overage. credits is from 0 to the charge's.
func First(of toksta.Charge, credits int64) toksta.Charge {
	f := funds{included: of.Included(), purchased: of.Purchased, overage: of.Overage}
	rate := of.OverageMicros / max(of.Overage, 1)
	return f.split(min(max(credits, 0), of.Credits), rate)
}
