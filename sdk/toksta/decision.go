package toksta

// Principal is who a verified call belongs to. Its slices are shared and
// never written.
type Principal struct {
	AccountID AccountID
	KeyID     KeyID
	Plan      PlanID
	Scopes    []Family // the key's scopes; for an unscoped key the families of its account
}

// RateState is a call's window as the answer's headers show it: the account's,
// or the key's own where fewer calls are left in that.
type RateState struct {
	Limit     int   // calls a minute; 0: no window was consulted
	Remaining int   // calls left in this window
	Reset     int64 // Unix seconds, end of the window
	Key       bool  // the window is the key's own
}

// Decision is the verdict on one call. Principal is set as soon as the key is
// known, also on a refusal, for the log and the owner's page; nothing of it
// may reach a caller who was refused with 401.
type Decision struct {
	Rejection
	Principal Principal
	Standing  *Standing // the account's rights the decision was made on; nil when the key is unknown
	Route     *Route
	Rate      RateState
	// Hold is the number of credits set aside for an admitted call. Whoever
	// answers the call settles it once, before the answer's first byte.
	Hold int64
}

// Admitted reports whether the call goes on.
func (d *Decision) Admitted() bool { return !d.Rejected() }

// Charge is how a number of credits was paid: Credits in all, of which
// Purchased from purchased ones and Overage beyond both, the rest from the
// included ones.
type Charge struct {
	Credits       int64
	Purchased     int64
	Overage       int64
	OverageMicros int64 // micro-dollars for Overage
}

// Included returns the credits that were paid from the included ones.
func (c Charge) Included() int64 { return c.Credits - c.Purchased - c.Overage }

// Plus returns both charges as one.
func (c Charge) Plus(o Charge) Charge {
	return Charge{
		Credits: c.Credits + o.Credits, Purchased: c.Purchased + o.Purchased,
		Overage: c.Overage + o.Overage, OverageMicros: c.OverageMicros + o.OverageMicros,
	}
}

// Minus returns what is left of c without o.
func (c Charge) Minus(o Charge) Charge {
	return c.Plus(Charge{-o.Credits, -o.Purchased, -o.Overage, -o.OverageMicros})
}
