// Package verify is the request path's one decision, in the contract's order:
// this node's right to speak, the key, its rights, its rate, its credits; then
// the count.
//
// It stands between httpauth, which knows headers, and the station that
// answers. It waits for no network unless the limiter is a shared one and, unless
// the meter is strict, for no disk but when a journal is full; it takes no lock
// but those of one account's window, balance and count, allocates nothing for a
// slot that exists, and never sees a secret.
package verify

import (
	"cmp"
	"context"
	"time"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/index"
	"github.com/toksta/toksta/internal/meter"
	"github.com/toksta/toksta/internal/ratelimit"
	"github.com/toksta/toksta/sdk/toksta"
)

// Lease says whether this node may still vouch for keys.
type Lease interface {
	Valid(now time.Time) bool
}

// Meter makes an event part of the usage for good before it returns nil.
type Meter interface {
	Count(meter.Increment) error
}

// Limiter takes a call from its windows and returns what is left, or refuses it.
type Limiter interface {
	Take(w ratelimit.Window, now time.Time) (toksta.RateState, bool)
}

// Deps are the stations of the path. All are required.
type Deps struct {
	Lease   Lease
	Index   *index.Index
	Limiter Limiter
	Book    *credits.Book
	Meter   Meter
}

// Engine decides calls, from any number of goroutines. It is the
// admit.Engine of a node.
type Engine struct{ deps Deps }

// New returns an engine over d.
func New(d Deps) *Engine { return &Engine{d} }

// Verify decides c now and counts it when its key is known. An admitted
// decision holds the route's credits: whoever answers the call settles it.
func (e *Engine) Verify(_ context.Context, c toksta.Call) toksta.Decision {
	d := toksta.Decision{Route: c.Route}
	if !e.deps.Lease.Valid(c.Now) {
		d.Rejection = toksta.Rejection{Code: toksta.CodeUnavailable, Reason: toksta.ReasonLeaseExpired}
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
		e.take(&d, &grant, &c)
	}
	e.count(&d, &c)
	return d
}

// count counts the decision. A call that cannot be counted is not admitted; a
// refusal stands even so.
func (e *Engine) count(d *toksta.Decision, c *toksta.Call) {
	event := newEvent(d, c)
	event.Calls, event.Reason = 1, d.Reason
	if err := e.deps.Meter.Count(event); err == nil || d.Rejected() {
		return
	}
	e.deps.Book.Settle(d.Standing, d.Hold, 0, c.Now)
	d.Hold = 0
	d.Rejection = toksta.Rejection{Code: toksta.CodeUnavailable, Reason: toksta.ReasonNotCounted}
}

// take spends what an authorized call costs: one call of the windows, then
// the credits of its route.
func (e *Engine) take(d *toksta.Decision, g *toksta.Grant, c *toksta.Call) {
	w := ratelimit.Window{Account: d.Standing.Account.ID, AccountLimit: d.Standing.PerMinute, Key: g.KeyID}
	if g.Limits != nil {
		w.KeyLimit = g.Limits.PerMinute
	}
	var ok bool
	if d.Rate, ok = e.deps.Limiter.Take(w, c.Now); !ok {
		d.Rejection = toksta.Rejection{Code: toksta.CodeRateLimited, Reason: toksta.ReasonRateLimited}
		return
	}
	if !e.deps.Book.Hold(d.Standing, c.Route.Credits, c.Now) {
		d.Rejection = toksta.Rejection{Code: toksta.CodeInsufficientCredits, Reason: toksta.ReasonInsufficientCredits}
		return
	}
	d.Hold = c.Route.Credits
}

// Settle charges an admitted call what it came to, 0 when it failed, releases
// its hold and returns how it was paid. For a refused decision it does
// nothing. It must be called once for each admitted one.
func (e *Engine) Settle(d *toksta.Decision, c toksta.Call, credits int64) toksta.Charge {
	if d.Rejected() || d.Hold == 0 && credits == 0 {
		return toksta.Charge{}
	}
	charge, at := e.deps.Book.Settle(d.Standing, d.Hold, credits, c.Now)
	d.Hold = 0
	if charge.Credits > 0 {
		event := newEvent(d, &c)
		event.Charge, event.Now = charge, at
		// The call went into the same slot, so this fails only when the hour
		// turned and the disk filled up meanwhile, or the meter closed. The
		// answer is on its way by then: its credits are missing from the usage.
		_ = e.deps.Meter.Count(event)
	}
	return charge
}

func principal(g *toksta.Grant, s *toksta.Standing) toksta.Principal {
	p := toksta.Principal{AccountID: s.Account.ID, KeyID: g.KeyID, Plan: s.Account.Plan, Scopes: s.Families}
	if g.Limits != nil && len(g.Limits.Scopes) > 0 {
		p.Scopes = g.Limits.Scopes
	}
	return p
}

// newEvent is a call's slot and last use, with nothing to add to it yet.
func newEvent(d *toksta.Decision, c *toksta.Call) meter.Increment {
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
