package credits

import (
	"cmp"
	"context"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// transition is one change of a reservation. before is zero for a new
// reservation, which claims its credits.
type transition struct {
	before, after store.Reservation
	claim         *claim
	entry         store.CreditEntry // without the fields that follow from the rest
}

// decideFunc decides on a transition. A zero one changes nothing.
type decideFunc func(store.CreditState) (transition, error)

// repeatedError ends a transaction whose idempotency key was used before.
type repeatedError struct{ entry store.CreditEntry }

// Error implements error. The text is never shown.
func (e *repeatedError) Error() string { return "credits: the request was carried out before" }

// decide commits the transition that next decides on, after it has expired the
// overdue reservations, and returns their entries. Calls cannot spend the
// claimed credits from the decision on, and can spend the returned ones after
// the commit. If the outcome of the commit is unknown, the account is read soon.
func (s *Service) decide(ctx context.Context, q store.CreditQuery, next decideFunc) ([]store.CreditEntry, error) {
	q = s.withoutOwn(q)
	var state store.CreditState
	var made transition
	written, err := s.Store.CommitCredits(ctx, q, func(c store.CreditState) (m store.CreditMutation, err error) {
		state = c
		if c.Earlier != nil {
			return m, &repeatedError{*c.Earlier}
		}
		m = expireOverdue(c)
		t, err := next(c)
		if err != nil {
			return m, err
		}
		made = t
		t.write(&m)
		return m, nil
	})
	if n := len(written); err == nil && n > 0 {
		s.Balances.setOthers(syncState{ID: q.Account, Cycle: state.Cycle}, made.apply(state, written[n-1].Number))
	}
	s.Balances.unclaim(made.claim)
	if state.Account.ID != "" {
		s.Balances.requeue(q.Account)
	}
	return written, err
}

// withoutOwn leaves the charges of this process out of q: the balances of the
// node include them exactly.
func (s *Service) withoutOwn(q store.CreditQuery) store.CreditQuery {
	last := s.Balances.lastState(q.Account)
	q.Except, q.Cycle, q.Own = s.Meter.Owner(), last.Cycle, last.Own
	return q
}

// write adds the transition to a mutation. The entry is the difference of the
// credits taken, the usage that of the credits charged. So the entries of a
// reservation always add up to what it took, and its usage to what it charged.
func (t transition) write(m *store.CreditMutation) {
	if t.after.ID == "" {
		return
	}
	e := t.entry
	e.AccountID, e.ReservationID = t.after.Slot.AccountID, t.after.ID
	e.Delta = takenBy(t.before).Minus(takenBy(t.after))
	m.Entries = append(m.Entries, e)
	m.Reservations = append(m.Reservations, t.after)
	if charged := t.after.Charged.Minus(t.before.Charged); charged != (toksta.Charge{}) {
		m.Usage = append(m.Usage, store.UsageTotal{UsageSlot: t.after.Slot, Charge: charged})
	}
}

// apply returns the use of the account after the transition, at the given
// number of entries.
func (t transition) apply(c store.CreditState, entries int64) store.Charged {
	u, hour := c.Use, t.after.Slot.Hour
	u.Held = u.Held.Plus(c.InCycle(hour, heldBy(t.after).Minus(heldBy(t.before))))
	charged := t.after.Charged.Minus(t.before.Charged)
	u.PurchasedEver += charged.Purchased
	if charged == c.InCycle(hour, charged) {
		u.Cycle = u.Cycle.Plus(charged)
	}
	u.Entries = entries
	return u
}

// heldBy returns the credits that a reservation holds, takenBy those that it
// holds or has charged.
func heldBy(r store.Reservation) toksta.Charge {
	if r.State == store.ReservationOpen {
		return r.Split
	}
	return toksta.Charge{}
}

func takenBy(r store.Reservation) toksta.Charge {
	if r.State == store.ReservationOpen {
		return r.Split
	}
	return r.Charged
}

// expireOverdue ends the overdue reservations. Every decision does so first, in
// its own transaction. So no reservation can be settled after its credits were
// given to another, even if the clock is set back.
func expireOverdue(c store.CreditState) (m store.CreditMutation) {
	for _, r := range c.Overdue {
		after := r
		after.State = store.ReservationExpired
		transition{before: r, after: after, entry: store.CreditEntry{Kind: store.CreditExpire, Actor: string(toksta.ActorSystem)}}.write(&m)
	}
	return m
}

// replay computes the state of a reservation from its entries, newest first.
func replay(r store.Reservation, entries []store.CreditEntry) store.Reservation {
	var sum toksta.Charge
	for _, e := range entries {
		sum = sum.Minus(e.Delta)
	}
	r.State, r.Charged = stateAfter(entries[0].Kind, sum), sum
	if r.State == store.ReservationOpen {
		r.Charged = toksta.Charge{}
	}
	return r
}

// stateAfter returns the state of a reservation after an entry, with the sum of
// the credits then taken.
func stateAfter(kind store.CreditKind, sum toksta.Charge) store.ReservationState {
	switch {
	case kind == store.CreditReserve:
		return store.ReservationOpen
	case kind == store.CreditExpire:
		return store.ReservationExpired
	case kind == store.CreditRefund && sum.Credits == 0:
		return store.ReservationRefunded
	default:
		return store.ReservationSettled
	}
}

// actorName returns the name of an actor for an entry.
func actorName(by toksta.Actor) string { return cmp.Or(by.Name, by.ID, string(by.Kind)) }
