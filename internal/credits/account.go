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
	midnight      int64         // the end of the day whose charges today holds
	advanceAt     int64         // the earlier of end and midnight
	cycle         toksta.Charge // charged in the cycle, by all processes
	purchasedEver int64         // purchased credits charged in all cycles
	held          int64         // for calls in flight
	reserved      toksta.Charge // by open reservations
	entries       int64         // number of the account's entries that reserved includes
	claim         *claim        // of a reservation that is being committed; nil: none
	claimed       toksta.Charge // by claim, in the cycle

	// own is the charge of this process in the cycle from ownFrom on, today its
	// charge of the day. cycle and purchasedEver include both.
	own, today toksta.Charge
	ownFrom    int64

	urgency urgency
	round   uint64   // in which takeDue last returned the account
	next    *account // in the shard's list of due accounts
}

// day is the length of a day in seconds.
const day = 24 * 60 * 60

// advance begins the cycle that contains now if it starts later than the
// account's current cycle, and the charges of a new day if midnight has passed.
// A clock that is set back, or an anchor that gives an earlier start, does not
// begin a cycle, so neither grants included credits twice.
func (a *account) advance(st *toksta.Standing, now time.Time) {
	anchor, at := st.Account.CycleAnchor.Unix(), now.Unix()
	if at < a.advanceAt && anchor == a.anchor {
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
	a.advanceAt = min(a.midnight, a.end)
}

// begin begins the cycle that starts at start. All charges of today belong to
// it, so that an anchor that moves to today does not give them back. If the
// cycle starts before today, the next read adds the charges of the days
// between. It adds those of other processes in any case.
func (a *account) begin(start int64) {
	a.start = start
	a.own, a.ownFrom = a.today, a.midnight-day
	a.cycle, a.round = a.own, 0
	a.reserved, a.claimed = purchasedPart(a.reserved), purchasedPart(a.claimed)
}

// purchasedPart returns the purchased credits of a charge. Only they still
// count when the cycle of the charge has ended.
func purchasedPart(c toksta.Charge) toksta.Charge {
	return toksta.Charge{Credits: c.Purchased, Purchased: c.Purchased}
}

// charge adds a charge of this process.
func (a *account) charge(c toksta.Charge) {
	a.cycle, a.own, a.today = a.cycle.Plus(c), a.own.Plus(c), a.today.Plus(c)
	a.purchasedEver += c.Purchased
}

// setOthers replaces the charges of other processes and the open reservations
// by those in others, which was read for the cycle that begins at start. An
// account without a cycle takes this one. If the account is in another cycle,
// nothing changes.
func (a *account) setOthers(start int64, others store.Charged) {
	if a.start == 0 {
		a.start = start
	}
	if a.start != start {
		return
	}
	a.cycle = a.own.Plus(others.Cycle)
	a.purchasedEver = a.own.Purchased + others.PurchasedEver
	a.reserved = others.Reserved
	if a.claim != nil && a.claim.entries < others.Entries {
		a.unclaim() // others.Reserved includes its reservation
	}
	a.entries = others.Entries
}

func (a *account) unclaim() { a.claim, a.claimed = nil, toksta.Charge{} }

func (a *account) reservedAndClaimed() toksta.Charge { return a.reserved.Plus(a.claimed) }

// funds returns the credits that are neither charged nor reserved. Holds of
// calls are still included, because a call can be paid from any part.
func (a *account) funds(st *toksta.Standing) funds {
	reserved := a.reservedAndClaimed()
	used := a.cycle.Plus(reserved)
	return funds{
		included:  max(st.Plan.IncludedCredits-used.Included(), 0),
		purchased: max(st.Account.Entitlements.PurchasedCredits-a.purchasedEver-reserved.Purchased, 0),
		overage:   overageLeft(st, used.OverageMicros),
	}
}

// syncState is the state of an account from which a read of the other
// processes' charges starts. The read omits the charges of this process from
// Own on, which the node has in memory.
type syncState struct {
	ID         toksta.AccountID
	Cycle, Own time.Time // start of the cycle, start of those charges
	Entries    int64     // number of entries that the node knows
}

func (a *account) syncState() syncState {
	return syncState{a.id, time.Unix(a.start, 0).UTC(), time.Unix(a.ownFrom, 0).UTC(), a.entries}
}

// currentState returns the state of an account in the cycle that contains now.
func (b *Balances) currentState(st *toksta.Standing, now time.Time) syncState {
	s, a := b.lock(st.Account.ID)
	defer s.mu.Unlock()
	a.advance(st, now)
	return a.syncState()
}

// lastState returns the state of an account in its last known cycle, which can
// have ended. If the node knows no cycle, only the ID is set.
func (b *Balances) lastState(id toksta.AccountID) syncState {
	s := b.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[id]; a != nil && a.start > 0 {
		return a.syncState()
	}
	return syncState{ID: id}
}

// setOthers applies the charges of others. old is the state of the account when
// their read began. In two cases nothing changes: the account has moved to
// another cycle since, and its next call makes it urgent; or the read lacks an
// entry that the node has learned since. If the read lacks an entry that old
// includes, the database has lost the entry, and the read is applied.
func (b *Balances) setOthers(old syncState, others store.Charged) {
	s, a := b.lock(old.ID)
	defer s.mu.Unlock()
	if others.Entries < a.entries && old.Entries < a.entries {
		return
	}
	a.setOthers(old.Cycle.Unix(), others)
}
