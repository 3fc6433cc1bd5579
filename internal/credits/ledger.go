package credits

import (
	"math"
	"time"

	"github.com/toksta/toksta"
)

// ledger is what one account used. Its shard's lock guards it.
type ledger struct {
	start, end    int64 // the cycle, Unix seconds; [start, end)
	anchor        int64 // that end was computed from
	cycle         toksta.Charge
	purchasedEver int64
	held          int64
}

// turn begins a new cycle when now is in one. A clock that steps back, and an
// anchor that is moved to an earlier start, leave the cycle as it is: neither
// gives included credits twice.
func (l *ledger) turn(st *toksta.Standing, now time.Time) {
	anchor := st.Account.CycleAnchor.Unix()
	if now.Unix() < l.end && anchor == l.anchor {
		return
	}
	start, end := toksta.Cycle(st.Account.CycleAnchor, now)
	if start.Unix() > l.start {
		l.start, l.cycle = start.Unix(), toksta.Charge{}
	}
	l.end, l.anchor = end.Unix(), anchor
}

func (l *ledger) includedUsed() int64 {
	return l.cycle.Credits - l.cycle.Purchased - l.cycle.Overage
}

// funds is what an account can still spend, in the order it is spent. No part
// is below zero.
type funds struct{ included, purchased, overage int64 }

// funds ignores what is held.
func (l *ledger) funds(st *toksta.Standing) funds {
	f := funds{
		included:  max(st.Plan.IncludedCredits-l.includedUsed(), 0),
		purchased: max(st.Account.Entitlements.PurchasedCredits-l.purchasedEver, 0),
	}
	if rate := st.Plan.OverageMicros; rate > 0 {
		limit := st.Account.Entitlements.OverageCapMicros
		if limit <= 0 {
			limit = math.MaxInt64
		}
		f.overage = max(limit-l.cycle.OverageMicros, 0) / rate
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
