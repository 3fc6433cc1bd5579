package credits

import (
	"math"

	"github.com/toksta/toksta/sdk/toksta"
)

// funds are the credits that an account can still spend, in the order of
// payment. No part is below zero.
type funds struct{ included, purchased, overage int64 }

// overageLeft returns the overage credits that the account's cap still allows
// after an overage of usedMicros: 0 if the plan sells none, practically
// unlimited without a cap.
func overageLeft(st *toksta.Standing, usedMicros int64) int64 {
	rate, limit := st.Plan.OverageMicros, st.Account.Entitlements.OverageCapMicros
	if rate <= 0 {
		return 0
	}
	if limit <= 0 {
		limit = math.MaxInt64
	}
	return max(limit-usedMicros, 0) / rate
}

// total returns the sum. It does not overflow if overage is without a cap.
func (f funds) total() int64 {
	prepaid := f.included + f.purchased
	return prepaid + min(f.overage, math.MaxInt64-prepaid)
}

// split returns the charge of a number of credits, which is at most the total.
// rate is the price of an overage credit in millionths of the currency's unit.
func (f funds) split(credits, rate int64) toksta.Charge {
	c := toksta.Charge{Credits: credits}
	rest := credits - min(credits, f.included)
	c.Purchased = min(rest, f.purchased)
	c.Overage = rest - c.Purchased
	c.OverageMicros = c.Overage * rate
	return c
}

// after returns the funds that are left after a payment of credits. If the
// payment is larger than the total, every part is 0.
func (f funds) after(credits int64) funds {
	paid := f.split(min(credits, f.total()), 0)
	return funds{f.included - paid.Included(), f.purchased - paid.Purchased, f.overage - paid.Overage}
}

// untilLimit returns the credits left in the part that pays next.
func (f funds) untilLimit() int64 {
	switch {
	case f.included > 0:
		return f.included
	case f.purchased > 0:
		return f.purchased
	default:
		return f.overage
	}
}

// firstOf returns the charge for the first credits of c, in the order of
// payment. A number outside the range from 0 to c.Credits becomes the nearest
// one in it.
func firstOf(c toksta.Charge, credits int64) toksta.Charge {
	f := funds{included: c.Included(), purchased: c.Purchased, overage: c.Overage}
	return f.split(min(max(credits, 0), c.Credits), c.OverageMicros/max(c.Overage, 1))
}
