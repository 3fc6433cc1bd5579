package ledger

import (
	"cmp"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// taken is what a reservation keeps from the account: while it is open all that
// was set aside, afterwards what it charged.
func taken(r store.Reservation) toksta.Charge {
	if r.State == store.ReservationOpen {
		return r.Split
	}
	return r.Charged
}

// move is one step of a reservation. Before is zero for a new one, which claims
// its credits.
type move struct {
	before, after store.Reservation
	claim         *credits.Claim
	entry         store.CreditEntry // what the step itself does not say
}

// write adds the step to a mutation. The entry is the difference of what the
// reservation takes, the usage that of what it charges, so whatever the steps
// are, the entries of a reservation add up to what it has taken, and usage to
// what it has charged.
func (v move) write(m *store.CreditMutation) {
	if v.after.ID == "" {
		return
	}
	e := v.entry
	e.AccountID, e.ReservationID = v.after.Slot.AccountID, v.after.ID
	e.Delta = taken(v.before).Minus(taken(v.after))
	m.Entries = append(m.Entries, e)
	m.Reservations = append(m.Reservations, v.after)
	if charged := v.after.Charged.Minus(v.before.Charged); charged != (toksta.Charge{}) {
		m.Usage = append(m.Usage, store.UsageTotal{UsageSlot: v.after.Slot, Charge: charged})
	}
}

// applied returns the account's use with the step, in a ledger of so many
// entries.
func (v move) applied(c store.CreditState, entries int64) credits.Use {
	u := use(c)
	hour := v.after.Slot.Hour
	u.Held = u.Held.Plus(c.InCycle(hour, held(v.after).Minus(held(v.before))))
	charged := v.after.Charged.Minus(v.before.Charged)
	u.PurchasedEver += charged.Purchased
	if charged == c.InCycle(hour, charged) {
		u.Cycle = u.Cycle.Plus(charged)
	}
	u.Entries = entries
	return u
}

// use is what others than this node's book have charged, and set aside.
func use(c store.CreditState) credits.Use {
	return credits.Use{Cycle: c.Use.Cycle, PurchasedEver: c.Use.PurchasedEver, Held: c.Use.Held, Entries: c.Use.Entries}
}

// held is what a reservation sets aside.
func held(r store.Reservation) toksta.Charge {
	if r.State == store.ReservationOpen {
		return r.Split
	}
	return toksta.Charge{}
}

// expireOverdue is the decision that gives back what overdue reservations hold.
// It precedes every other, in the same transaction: nothing that is given away
// again can be settled, even if the clock is set back.
func expireOverdue(c store.CreditState) (m store.CreditMutation) {
	for _, r := range c.Overdue {
		after := r
		after.State = store.ReservationExpired
		move{before: r, after: after, entry: store.CreditEntry{Kind: store.CreditExpire, Actor: string(toksta.ActorSystem)}}.write(&m)
	}
	return m
}

// replay returns a reservation as its entries leave it, given newest first.
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

// stateAfter is the state that an entry leaves, with what is then taken.
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

// byName is who is written into an entry.
func byName(by toksta.Actor) string { return cmp.Or(by.Name, by.ID, string(by.Kind)) }
