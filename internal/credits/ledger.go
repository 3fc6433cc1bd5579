package credits

import (
	"math"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// ledger is what one account used. Its shard's lock guards it.
type ledger struct {
	id            toksta.AccountID
	start, end    int64 // the cycle, Unix seconds; [start, end)
	anchor        int64 // that end was computed from
	midnight      int64 // when the day ends that today is the charge of
	due           int64 // when either of the two is over
	cycle         toksta.Charge
	purchasedEver int64
	held          int64         // for calls
	reserved      toksta.Charge // for jobs, by the first entries of the account's ledger
	entries       int64
	claim         *Claim        // for a job whose reservation is being committed; nil: none
	claimed       toksta.Charge // by it

	// What this process charged in the cycle from ownFrom on, and today: part of
	// the above.
	own, today toksta.Charge
	ownFrom    int64

	watch watch
	round uint64  // of the shard, when it was last asked what others charged
	next  *ledger // in the shard's list of those that are watched
}

// day in seconds.
const day = 24 * 60 * 60

// turn begins a new cycle when now is in one. A clock that steps back, and an
// anchor that is moved to an earlier start, leave the cycle as it is: neither
// gives included credits twice. Nor does one that is moved to today: what was
// charged today stays charged.
func (l *ledger) turn(st *toksta.Standing, now time.Time) {
	anchor, at := st.Account.CycleAnchor.Unix(), now.Unix()
	if at < l.due && anchor == l.anchor {
		return
	}
	if at >= l.midnight {
		l.today, l.midnight = toksta.Charge{}, at-at%day+day
	}
	start, end := toksta.Cycle(st.Account.CycleAnchor, now)
	if start.Unix() > l.start {
		l.begin(start.Unix())
	}
	l.end, l.anchor = end.Unix(), anchor
	l.due = min(l.midnight, l.end)
}

// begin turns to a cycle of which the charges before today and those of others are
// not known yet: it may have begun earlier, where an anchor was moved.
func (l *ledger) begin(start int64) {
	l.start = start
	l.own, l.ownFrom = l.today, l.midnight-day
	l.cycle, l.round = l.own, 0
	l.reserved, l.claimed = purchasedOf(l.reserved), purchasedOf(l.claimed)
}

// purchasedOf returns the part of a charge that is still taken in the next cycle.
func purchasedOf(c toksta.Charge) toksta.Charge {
	return toksta.Charge{Credits: c.Purchased, Purchased: c.Purchased}
}

// charge adds what this process charged.
func (l *ledger) charge(c toksta.Charge) {
	l.cycle, l.own, l.today = l.cycle.Plus(c), l.own.Plus(c), l.today.Plus(c)
	l.purchasedEver += c.Purchased
}

// learn puts what others charged in the cycle that began at start beside what
// this process did. It says nothing about any other cycle.
func (l *ledger) learn(start int64, u Use) {
	if l.start == 0 {
		l.start = start
	}
	if l.start != start {
		return
	}
	l.cycle = l.own.Plus(u.Cycle)
	l.purchasedEver = l.own.Purchased + u.PurchasedEver
	l.reserved = u.Held
	if l.claim != nil && l.claim.entries < u.Entries {
		l.unclaim() // u has it
	}
	l.entries = u.Entries
}

func (l *ledger) unclaim() { l.claim, l.claimed = nil, toksta.Charge{} }

// aside returns what is set aside for jobs.
func (l *ledger) aside() toksta.Charge { return l.reserved.Plus(l.claimed) }

// funds is what an account can still spend, in the order it is spent. No part
// is below zero.
type funds struct{ included, purchased, overage int64 }

// funds ignores what is held for calls, which may be paid from any part.
func (l *ledger) funds(st *toksta.Standing) funds {
	aside := l.aside()
	used := l.cycle.Plus(aside)
	f := funds{
		included:  max(st.Plan.IncludedCredits-used.Included(), 0),
		purchased: max(st.Account.Entitlements.PurchasedCredits-l.purchasedEver-aside.Purchased, 0),
	}
	if rate := st.Plan.OverageMicros; rate > 0 {
		limit := st.Account.Entitlements.OverageCapMicros
		if limit <= 0 {
			limit = math.MaxInt64
		}
		f.overage = max(limit-used.OverageMicros, 0) / rate
	}
	return f
}

// total adds up without overflow: overage alone may be as good as endless.
func (f funds) total() int64 {
	prepaid := f.included + f.purchased
	return prepaid + min(f.overage, math.MaxInt64-prepaid)
}

// split pays credits, of which there are at most the total.
func (f funds) split(credits, rate int64) toksta.Charge {
	c := toksta.Charge{Credits: credits}
	rest := credits - min(credits, f.included)
	c.Purchased = min(rest, f.purchased)
	c.Overage = rest - c.Purchased
	c.OverageMicros = c.Overage * rate
	return c
}

// after returns what is left when so many credits are paid, or all of f are.
func (f funds) after(credits int64) funds {
	paid := f.split(min(credits, f.total()), 0)
	return funds{f.included - paid.Included(), f.purchased - paid.Purchased, f.overage - paid.Overage}
}

// next is what is left in the part that is spent now: up to the next edge.
func (f funds) next() int64 {
	switch {
	case f.included > 0:
		return f.included
	case f.purchased > 0:
		return f.purchased
	default:
		return f.overage
	}
}
