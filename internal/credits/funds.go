package credits

import (
	"math"

	"github.com/toksta/toksta/sdk/toksta"
)

// funds are the credits that an account can still spend, in the order of
// payment. No part is below zero.
type funds struct{ included, purchased, overage int64 }

// overageLeft returns the credits that the cap still pays for.
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

// split returns the charge of credits, of which there are at most the total.
func (f funds) split(credits, rate int64) toksta.Charge {
	c := toksta.Charge{Credits: credits}
	rest := credits - min(credits, f.included)
	c.Purchased = min(rest, f.purchased)
	c.Overage = rest - c.Purchased
	c.OverageMicros = c.Overage * rate
	return c
}

// after returns the funds that are left after a payment, or none if it is
// larger than the total.
func (f funds) after(credits int64) funds {
	paid := f.split(min(credits, f.total()), 0)
	return funds{f.included - paid.Included(), f.purchased - paid.Purchased, f.overage - paid.Overage}
}

// untilLimit returns the credits left in the part that is spent now.
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

// firstOf returns the first credits of a charge in the order of payment.
// credits is from 0 to the charge's.
func firstOf(c toksta.Charge, credits int64) toksta.Charge {
	f := funds{included: c.Included(), purchased: c.Purchased, overage: c.Overage}
	return f.split(min(max(credits, 0), c.Credits), c.OverageMicros/max(c.Overage, 1))
}
