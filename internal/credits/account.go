package credits

import (
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// account is the use of credits by one account. The lock of its shard guards it.
type account struct {
	id            toksta.AccountID
	start, end    int64         // the cycle in Unix seconds, [start, end)
	anchor        int64         // the anchor that end was computed from
	midnight      int64         // the end of the day that today counts
	nextTurn      int64         // the earlier of end and midnight
	cycle         toksta.Charge // charged in the cycle, by all processes
	purchasedEver int64         // purchased credits charged in all cycles
	held          int64         // for calls in flight
	reserved      toksta.Charge // by open reservations, at this number of entries
	entries       int64
	claim         *claim        // nil: none
	claimed       toksta.Charge // by it, in the cycle

	// own is the charge of this process in the cycle from ownFrom on, today its
	// charge of the day. cycle and purchasedEver include both.
	own, today toksta.Charge
	ownFrom    int64

	urgency urgency
	round   uint64   // the shard's round of the last takeDue
	next    *account // in the shard's list of due accounts
}

// day in seconds.
const day = 24 * 60 * 60

// turn begins the cycle of now if it is later than the account's. A clock that
// steps back, or an anchor that moves to an earlier start, does not end the
// cycle, so neither grants included credits twice. If the anchor moves to
// today, the charges of today stay charged.
func (a *account) turn(st *toksta.Standing, now time.Time) {
	anchor, at := st.Account.CycleAnchor.Unix(), now.Unix()
	if at < a.nextTurn && anchor == a.anchor {
		return
	}
	if at >= a.midnight {
		a.today, a.midnight = toksta.Charge{}, at-at%day+day
	}
	start, end := toksta.Cycle(st.Account.CycleAnchor, now)
	if start.Unix() > a.start {
		a.begin(start.Unix())
	}
	a.end, a.anchor = end.Unix(), anchor
	a.nextTurn = min(a.midnight, a.end)
}

// begin begins a cycle. If an anchor was moved, the cycle began before today;
// the earlier charges are unknown until the next read, as are those of others.
func (a *account) begin(start int64) {
	a.start = start
	a.own, a.ownFrom = a.today, a.midnight-day
	a.cycle, a.round = a.own, 0
	a.reserved, a.claimed = purchasedPart(a.reserved), purchasedPart(a.claimed)
}

// purchasedPart returns the part of a charge that outlives the cycle.
func purchasedPart(c toksta.Charge) toksta.Charge {
	return toksta.Charge{Credits: c.Purchased, Purchased: c.Purchased}
}

// charge adds a charge of this process.
func (a *account) charge(c toksta.Charge) {
	a.cycle, a.own, a.today = a.cycle.Plus(c), a.own.Plus(c), a.today.Plus(c)
	a.purchasedEver += c.Purchased
}

// setOthers replaces the charges of others and the reservations with those that
// were read for the cycle that began at start. It ignores any other cycle.
func (a *account) setOthers(start int64, others store.Charged) {
	if a.start == 0 {
		a.start = start
	}
	if a.start != start {
		return
	}
	a.cycle = a.own.Plus(others.Cycle)
	a.purchasedEver = a.own.Purchased + others.PurchasedEver
	a.reserved = others.Held
	if a.claim != nil && a.claim.entries < others.Entries {
		a.unclaim() // others.Held includes its reservation
	}
	a.entries = others.Entries
}

func (a *account) unclaim() { a.claim, a.claimed = nil, toksta.Charge{} }

func (a *account) reservedAndClaimed() toksta.Charge { return a.reserved.Plus(a.claimed) }

// funds returns the credits left to spend. It ignores the holds of calls, which
// may be paid from any part.
func (a *account) funds(st *toksta.Standing) funds {
	reserved := a.reservedAndClaimed()
	used := a.cycle.Plus(reserved)
	return funds{
		included:  max(st.Plan.IncludedCredits-used.Included(), 0),
		purchased: max(st.Account.Entitlements.PurchasedCredits-a.purchasedEver-reserved.Purchased, 0),
		overage:   overageLeft(st, used.OverageMicros),
	}
}

// syncState is the state of an account before a read of the database. The node
// knows the charges of this process in the cycle from Own on, and the given
// number of entries.
type syncState struct {
	ID         toksta.AccountID
	Cycle, Own time.Time // starts
	Entries    int64
}

func (a *account) syncState() syncState {
	return syncState{a.id, time.Unix(a.start, 0).UTC(), time.Unix(a.ownFrom, 0).UTC(), a.entries}
}

// currentState returns the state of an account in the cycle of now.
func (b *Balances) currentState(st *toksta.Standing, now time.Time) syncState {
	s, a := b.lock(st.Account.ID)
	defer s.mu.Unlock()
	a.turn(st, now)
	return a.syncState()
}

// lastState returns the state of an account in the last cycle known here.
func (b *Balances) lastState(id toksta.AccountID) syncState {
	s := b.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[id]; a != nil && a.start > 0 {
		return a.syncState()
	}
	return syncState{ID: id}
}

// setOthers replaces the charges of others, which were read after the account
// was in the given state. It changes nothing if the account has turned to
// another cycle; the next call makes the account urgent then. It also changes
// nothing if the read lacks an entry that was learned since. If a later read
// lacks an entry, the database lost it, and the read is applied.
func (b *Balances) setOthers(before syncState, others store.Charged) {
	s, a := b.lock(before.ID)
	defer s.mu.Unlock()
	if others.Entries < a.entries && before.Entries < a.entries {
		return
	}
	a.setOthers(before.Cycle.Unix(), others)
}
