package exchange

import "fmt"

// Admit records that the decision in x admits the call. Settle charges or releases the
// credits of the call through s. If s is nil, Settle moves no credits.
func (x *Exchange) Admit(s Settler) {
	x.settler, x.admitted = s, true
}

// Admitted reports whether a call of a key was admitted.
func (x *Exchange) Admitted() bool { return x.admitted }

// Settle charges an admitted call whose response has that status, or releases
// its credits for a status of 400 and above. Only the first call has an effect.
// It must run before the response's first byte. If the account then owes credits
// for the call, Err states their number for the log.
func (x *Exchange) Settle(status int) {
	if !x.admitted || x.settled {
		return
	}
	x.settled = true
	var credits int64
	if status < 400 {
		credits = x.Decision.Hold
		if x.UpstreamCost != nil {
			credits = *x.UpstreamCost
		}
	}
	x.Billable = x.Decision.Hold > 0 || credits > 0
	if x.settler != nil {
		charge, owed := x.settler.Settle(&x.Decision, x.Call, credits)
		x.Cost = charge.Credits
		if owed > 0 && x.Err == nil {
			x.Err = fmt.Errorf("the call cost %d credits, %d more than the account had left; they are charged as purchased credits, see toksta credits verify", x.Cost, owed)
		}
	}
}

// Abandon charges a call whose client disconnected before the response: the upstream
// could have done the work, so disconnecting early must not make the call free.
func (x *Exchange) Abandon() { x.Settle(200) }
