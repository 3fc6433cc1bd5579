package credits

import (
	"github.com/toksta/toksta"
)

// Used is what an account has spent and promised, for whoever decides outside
// of a book.
type Used struct {
	Cycle         toksta.Charge // in the current cycle
	PurchasedEver int64
}

// Pay splits credits over what an account has left, in the order of payment.
// ok is false when that is not enough: then left is all that there is.
func Pay(st *toksta.Standing, by Used, credits int64) (c toksta.Charge, left int64, ok bool) {
	l := ledger{cycle: by.Cycle, purchasedEver: by.PurchasedEver}
	f := l.funds(st)
	left = f.total()
	if credits < 0 || credits > left {
		return toksta.Charge{}, left, false
	}
	return f.split(credits, st.Plan.OverageMicros), left, true
}

// First returns the part of a charge that its first credits are, in the order
// of payment: included, purchased, overage. credits is from 0 to the charge's.
func First(of toksta.Charge, credits int64) toksta.Charge {
	f := funds{included: of.Included(), purchased: of.Purchased, overage: of.Overage}
	rate := of.OverageMicros / max(of.Overage, 1)
	return f.split(min(max(credits, 0), of.Credits), rate)
}
