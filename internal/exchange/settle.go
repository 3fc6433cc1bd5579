package exchange

import "fmt"

// Admit records that the decision in x admits the call. Settle charges or releases its
// credits through s, unless s is nil.
func (x *Exchange) Admit(s Settler) {
	x.settler, x.admitted = s, true
}

// Admitted reports whether a call of a key was admitted.
func (x *Exchange) Admitted() bool { return x.admitted }

// Settle charges an admitted call whose response has that status, or releases
// its credits for a status of 400 and above. Only the first call has an effect.
// It must run before the response's first byte. A cost that the upstream stated
// takes no more than the account has left, and Err then names the rest.
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
		x.Cost = x.settler.Settle(&x.Decision, x.Call, credits).Credits
		if x.Cost < credits && x.Err == nil {
			x.Err = fmt.Errorf("the call cost %d credits, and the account had %d left", credits, x.Cost)
		}
	}
}

// Abandon charges a call whose client disconnected before the response: the
// upstream may have done the work, so leaving early must not make it free.
func (x *Exchange) Abandon() { x.Settle(200) }
