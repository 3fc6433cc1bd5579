package exchange

import "fmt"

// Admit records that the decision in x admits the call. CloseHold charges or releases
// the held credits of the call through c, and End ends the call. If c is nil, they have no
// effect.
func (x *Exchange) Admit(c Charger) {
	x.charger, x.admitted = c, true
}

// Admitted reports whether a call of a key was admitted.
func (x *Exchange) Admitted() bool { return x.admitted }

// CloseHold charges an admitted call whose response has that status, or releases its
// credits if the status is 400 or above. Only the first CloseHold has an effect. It
// must run before the first byte of the response. If the call costs more than the
// account has left, the account owes the rest, and x.Err states it for the log.
func (x *Exchange) CloseHold(status int) {
	if !x.admitted || x.closed {
		return
	}
	x.closed = true
	var credits int64
	if status < 400 {
		credits = x.Decision.Hold
		if x.UpstreamCost != nil {
			credits = *x.UpstreamCost
		}
	}
	x.Billable = x.Decision.Hold > 0 || credits > 0
	if x.charger != nil {
		charge, owed := x.charger.Charge(&x.Decision, x.Call, credits)
		x.Cost = charge.Credits
		if owed > 0 && x.Err == nil {
			x.Err = fmt.Errorf("the call cost %d credits, %d more than the account had left; they are charged as purchased credits, see toksta credits verify", x.Cost, owed)
		}
	}
}

// End ends an admitted call: the response has ended, or the client disconnected. Only the
// first End has an effect. A handler that takes over the connection must not return before
// it has finished.
func (x *Exchange) End() {
	if !x.admitted || x.ended {
		return
	}
	x.ended = true
	if x.charger != nil {
		x.charger.End(&x.Decision)
	}
}

// Abandon charges a call whose client disconnected before the response: the upstream
// could have done the work, so disconnecting early must not make the call free.
func (x *Exchange) Abandon() { x.CloseHold(200) }
