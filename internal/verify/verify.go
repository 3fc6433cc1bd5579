// Package verify makes the decision of the request path, in the order of the contract: the lease of
// this node, the key, its rights, its rate, its credits. Then it counts the call.
//
// It follows the parsing of the credential and precedes the handler of the route. Verify does no
// network I/O, except to Redis when rate limits are shared, and no disk I/O, except when a journal
// segment is full or the meter is strict. It locks only the window, the balance and the count of
// one account, allocates no memory if the meter already has a slot for the call, and never sees a
// secret.
package verify

import (
	"cmp"
	"context"
	"time"

	"github.com/toksta/toksta/internal/index"
	"github.com/toksta/toksta/internal/meter"
	"github.com/toksta/toksta/internal/ratelimit"
	"github.com/toksta/toksta/sdk/toksta"
)

// Lease reports whether this node holds a valid lease, without which it must not decide.
type Lease interface {
	Valid(now time.Time) bool
}

// Meter counts calls. Once Count has returned nil, the increment is part of the usage.
type Meter interface {
	Count(meter.Increment) error
}

// Limiter counts a call in the rate windows of its account and key. It returns the state of the
// windows and whether the call is admitted.
type Limiter interface {
	Take(w ratelimit.Window, now time.Time) (ratelimit.Result, bool)
}

// Credits holds and charges credits without I/O, as credits.Balances does.
type Credits interface {
	Hold(st *toksta.Standing, credits int64, now time.Time) bool
	Charge(st *toksta.Standing, held, cost int64, now time.Time) (c toksta.Charge, owed int64, at time.Time)
}

// Deps are the dependencies of an Engine. All are required.
type Deps struct {
	Lease   Lease
	Index   *index.Index
	Limiter Limiter
	Credits Credits
	Meter   Meter
}

// Engine decides calls. It implements admit.Engine and is safe for concurrent use.
type Engine struct {
	deps     Deps
	inFlight *ratelimit.Concurrency
}

// New returns an engine with the dependencies d.
func New(d Deps) *Engine { return &Engine{d, ratelimit.NewConcurrency()} }

// Verify decides the call c and counts it if its key is known. An admitted decision holds the
// credits of the route and counts as a concurrent call: the caller must call Charge with the
// decision, and End when the response has ended.
func (e *Engine) Verify(ctx context.Context, c toksta.Call) toksta.Decision {
	return e.decide(ctx, c, nil)
}

// Reserve sets the credits of an otherwise admitted call aside, in the database. It returns the
// rejection if that fails.
type Reserve = func(ctx context.Context, d *toksta.Decision) toksta.Rejection

// VerifyReserved decides as Verify does, but reserve takes the place of the hold, so that the call
// needs its credits once and not twice. The decision has no hold. A rejection that does not concern
// the account, such as UNAVAILABLE, is not counted.
func (e *Engine) VerifyReserved(ctx context.Context, c toksta.Call, reserve Reserve) toksta.Decision {
	return e.decide(ctx, c, reserve)
}

// decide makes the decision of Verify or, if reserve is not nil, of VerifyReserved.
func (e *Engine) decide(ctx context.Context, c toksta.Call, reserve Reserve) toksta.Decision {
	d := toksta.Decision{Route: c.Route}
	if !e.deps.Lease.Valid(c.Now) {
		d.Rejection = toksta.Reject(toksta.ReasonLeaseExpired)
		return d
	}
	grant, standing, known := e.deps.Index.Lookup(c.Digest)
	if !known || standing == nil {
		d.Rejection = toksta.Authorize(nil, nil, &c)
		return d
	}
	d.Standing = standing
	d.Principal = principal(&grant, standing)
	if d.Rejection = toksta.Authorize(&grant, standing, &c); d.Admitted() {
		d.Rejection = e.takeLimits(&d, &grant, &c)
	}
	switch {
	case d.Rejected():
	case reserve != nil:
		reserved := d // the decision of Verify stays off the heap
		d.Rejection = reserve(ctx, &reserved)
	case e.deps.Credits.Hold(standing, c.Route.Credits, c.Now):
		d.Hold = c.Route.Credits
	default:
		d.Rejection = toksta.Reject(toksta.ReasonInsufficientCredits)
	}
	if d.Code != toksta.CodeUnavailable && d.Code != toksta.CodeConflict {
		e.countDecision(&d, &c)
	}
	if d.Rejected() {
		e.End(&d)
	}
	return d
}

// countDecision counts the decision. If an admitted call cannot be counted, it is rejected. A
// rejected call stays rejected, also if it cannot be counted.
func (e *Engine) countDecision(d *toksta.Decision, c *toksta.Call) {
	inc := newIncrement(d, c)
	inc.Calls, inc.Reason = 1, d.Reason
	if err := e.deps.Meter.Count(inc); err == nil || d.Rejected() {
		return
	}
	e.deps.Credits.Charge(d.Standing, d.Hold, 0, c.Now)
	d.Hold = 0
	d.Rejection = toksta.Reject(toksta.ReasonNotCounted)
}

// takeLimits counts the call as a concurrent one and takes it from the rate windows. If the first
// step rejects the call, the second one is not taken.
func (e *Engine) takeLimits(d *toksta.Decision, g *toksta.Grant, c *toksta.Call) toksta.Rejection {
	st := d.Standing
	if st.Concurrent > 0 {
		if d.InFlight = e.inFlight.Begin(st.Account.ID, st.Concurrent); !d.InFlight {
			return toksta.Reject(toksta.ReasonConcurrencyLimited)
		}
	}
	w := ratelimit.Window{
		Account: st.Account.ID, AccountLimit: st.PerMinute, HourLimit: st.PerHour, DayLimit: st.PerDay,
		Key: g.KeyID, Weight: c.Route.Weight,
	}
	if g.Limits != nil {
		w.KeyLimit = g.Limits.PerMinute
	}
	result, ok := e.deps.Limiter.Take(w, c.Now)
	d.Rate, d.Rates = result.RateState, result.States
	if !ok {
		return toksta.Reject(d.Rate.Window.Reason())
	}
	return toksta.Rejection{}
}

// End ends the call of an admitted decision: it no longer counts as a concurrent call of its
// account. Only the first End of a decision has an effect.
func (e *Engine) End(d *toksta.Decision) {
	if d.InFlight {
		d.InFlight = false
		e.inFlight.End(d.Standing.Account.ID)
	}
}

// Charge releases the hold of an admitted call, charges the given credits (0 if the call failed)
// and returns the charge and how many of its credits the account owes. It must be called once for
// each admitted decision, and does nothing for a rejected one.
func (e *Engine) Charge(d *toksta.Decision, c toksta.Call, credits int64) (charge toksta.Charge, owed int64) {
	if d.Rejected() || d.Hold == 0 && credits == 0 {
		return toksta.Charge{}, 0
	}
	charge, owed, at := e.deps.Credits.Charge(d.Standing, d.Hold, credits, c.Now)
	d.Hold = 0
	if charge.Credits > 0 {
		inc := newIncrement(d, &c)
		inc.Charge, inc.Now = charge, at
		// The slot of the call exists, so counting the charge fails only if the hour changed and the disk
		// is full, or if the meter is closed. It is then too late to reject the call, and the usage lacks
		// the charge.
		_ = e.deps.Meter.Count(inc)
	}
	return charge, owed
}

func principal(g *toksta.Grant, s *toksta.Standing) toksta.Principal {
	p := toksta.Principal{AccountID: s.Account.ID, KeyID: g.KeyID, Plan: s.Account.Plan, Scopes: s.Families}
	if g.Limits != nil && len(g.Limits.Scopes) > 0 {
		p.Scopes = g.Limits.Scopes
	}
	return p
}

// newIncrement returns an increment that identifies the slot of the call and has its last use. The
// caller adds the number of calls, or the charge.
func newIncrement(d *toksta.Decision, c *toksta.Call) meter.Increment {
	return meter.Increment{
		AccountID: d.Principal.AccountID,
		KeyID:     d.Principal.KeyID,
		Family:    c.Route.Family,
		CostKey:   cmp.Or(c.Route.CostKey, c.Route.Operation),
		Now:       c.Now,
		Addr:      c.Addr,
		Agent:     c.Agent,
		Operation: c.Route.Operation,
	}
}
