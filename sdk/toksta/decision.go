package toksta

// Principal is the account and the key of a decided call. Its slices are shared
// and never written.
type Principal struct {
	AccountID AccountID
	KeyID     KeyID
	Plan      PlanID
	Scopes    []Family // scopes of the key; the account's families if the key has none
}

// Decision is the result of one call. If the key is known, Principal is set
// even if the call is rejected: the log and the owner's page use it. A caller
// that is rejected with 401 must not learn the principal.
type Decision struct {
	Rejection
	Principal Principal
	Standing  *Standing // rights on which the decision is based; nil if the key is unknown
	Route     *Route
	// Rate is the tightest rate window, as the X-RateLimit fields show it: the
	// window with the fewest calls left or, if the call is rejected with 429, the
	// window for which the caller must wait.
	Rate  RateState
	Rates RateStates
	// Hold is the number of credits that are held for an admitted call. The
	// code that responds to the call charges or releases them exactly once,
	// before the first byte of the response.
	Hold int64
	// InFlight reports that the call counts as one of its account's concurrent
	// calls, until its response has ended.
	InFlight bool
}

// Admitted reports whether the call is admitted.
func (d *Decision) Admitted() bool { return !d.Rejected() }

// Charge divides a number of credits by source: Purchased is the number of
// bought credits. Overage is the number of credits beyond the included and the
// purchased credits. The other credits are included in the plan.
type Charge struct {
	Credits       int64
	Purchased     int64
	Overage       int64
	OverageMicros int64 // price of Overage, in millionths of the currency's unit
}

// Included returns the number of included credits.
func (c Charge) Included() int64 { return c.Credits - c.Purchased - c.Overage }

// Plus returns the sum of c and o.
func (c Charge) Plus(o Charge) Charge {
	return Charge{
		Credits: c.Credits + o.Credits, Purchased: c.Purchased + o.Purchased,
		Overage: c.Overage + o.Overage, OverageMicros: c.OverageMicros + o.OverageMicros,
	}
}

// Minus returns the difference of c and o.
func (c Charge) Minus(o Charge) Charge {
	return c.Plus(Charge{-o.Credits, -o.Purchased, -o.Overage, -o.OverageMicros})
}
