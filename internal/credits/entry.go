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

// decideFunc decides on a transition. A zero transition changes nothing.
type decideFunc func(store.CreditState) (transition, error)

// repeatedError ends a transaction whose idempotency key was used before.
type repeatedError struct{ entry store.CreditEntry }

// Error implements error. The text is never shown.
func (e *repeatedError) Error() string { return "credits: the request was carried out before" }

// decide reads the account's state in a transaction, expires overdue reservations, adds
// the transition that next returns, commits, and returns the written entries. next claims
// the credits of a new reservation in the balances, so that calls cannot spend them during
// the commit. After the commit the balances get the new state, which replaces the claim.
// In any case the account is read again soon, because the commit can have succeeded
// although it returned an error.
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

// withoutOwn returns q so that its result excludes the charges of this process,
// which the balances of the node include exactly.
func (s *Service) withoutOwn(q store.CreditQuery) store.CreditQuery {
	last := s.Balances.lastState(q.Account)
	q.Except, q.Cycle, q.Own = s.Meter.Owner(), last.Cycle, last.Own
	return q
}

// write adds the transition to a mutation: an entry with the difference of the
// taken credits, and usage with the difference of the charged credits. So the
// entries of a reservation add up to what it took, and its usage adds up to
// what it charged.
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

// apply returns the account's use in c as it is after the transition, with the
// new number of entries.
func (t transition) apply(c store.CreditState, entries int64) store.Charged {
	u, hour := c.Use, t.after.Slot.Hour
	u.Reserved = u.Reserved.Plus(c.InCycle(hour, reservedNow(t.after).Minus(reservedNow(t.before))))
	charged := t.after.Charged.Minus(t.before.Charged)
	u.PurchasedEver += charged.Purchased
	if charged == c.InCycle(hour, charged) {
		u.Cycle = u.Cycle.Plus(charged)
	}
	u.Entries = entries
	return u
}

// reservedNow returns the credits that r sets aside, none if it is not open.
func reservedNow(r store.Reservation) toksta.Charge {
	if r.State == store.ReservationOpen {
		return r.Split
	}
	return toksta.Charge{}
}

// takenBy returns the credits that a reservation has taken from the account: it
// holds them while it is open, and has charged them afterwards.
func takenBy(r store.Reservation) toksta.Charge {
	if r.State == store.ReservationOpen {
		return r.Split
	}
	return r.Charged
}

// expireOverdue returns a mutation that ends the overdue reservations. Every
// decision begins with it, in its own transaction. So no reservation can be
// settled after its credits were given to another, even if the clock is set
// back.
func expireOverdue(c store.CreditState) (m store.CreditMutation) {
	for _, r := range c.Overdue {
		after := r
		after.State = store.ReservationExpired
		transition{before: r, after: after, entry: store.CreditEntry{Kind: store.CreditExpire, Actor: string(toksta.ActorSystem)}}.write(&m)
	}
	return m
}

// replay returns the reservation with the state and the charge that follow from
// its entries, newest first.
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

// stateAfter returns the state of a reservation after an entry of a kind. sum
// is the credits that the reservation has then taken.
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
