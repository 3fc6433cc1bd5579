// Package admit is the admission chain: it turns a request in plain values into
// a decision.
//
// An adapter (the gateway, a decision endpoint, a middleware) fills in a [Request],
// calls [Chain.Admit], and either responds with the error or serves the call. The
// contract defines the order of the checks: a malformed target is 400, an unknown
// route 404 or 405, then 401, 403, 429 and 402. The chain passes the Authorization
// value to its parser and sees no other form of the secret. It does not use the store
// or the types of an HTTP library.
package admit

import (
	"context"
	"time"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/route"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// maxAgent is the length to which a User-Agent is cut, in bytes. It is kept for
// "last used" only.
const maxAgent = 256

// MaxCredits is the highest price that a program may state for one call, in credits.
const MaxCredits = 1_000_000

// Verifier decides on a call. It is safe for concurrent use. If it cannot decide, the
// decision is UNAVAILABLE.
type Verifier interface {
	Verify(ctx context.Context, c toksta.Call) toksta.Decision
}

// Engine decides on calls, charges them and ends them.
type Engine interface {
	Verifier
	exchange.Charger
}

// Request holds the parts of a request that a decision needs. A slice has one element
// for each field line.
type Request struct {
	Method        string
	Target        string // the request target, as sent
	HeaderSize    int    // bytes of all header fields
	Authorization []string
	Agent         string // User-Agent
	Client        Client

	// Operation selects the route by its name, instead of Method and Target.
	Operation string
	// Credits replaces the price of the route, from 0 to MaxCredits. nil: that of the route.
	Credits *int64
	// Verifier decides on the call instead of Chain.Engine, which still charges and ends
	// the call. nil: Chain.Engine.
	Verifier Verifier
}

// Chain decides on requests. It is safe for concurrent use; its fields must not change.
type Chain struct {
	Routes    *route.Table
	Engine    Engine
	Proxies   Proxies
	MaxHeader int              // largest size of a request's header, in bytes
	Now       func() time.Time // never nil
	// Unpaid returns the details of the response to a call for which the credits are
	// too few: its price, the balance and where to buy. nil: no details.
	Unpaid func(d *toksta.Decision, now time.Time) map[string]any
}

// Admit decides on r and records the route, the client and the decision in x. It
// returns the matched route, nil if no route matches, and the error to respond with,
// nil if the call is admitted or its route needs no key. With Request.Credits, the route
// is a copy.
//
// The credits of an admitted call are held: x.CloseHold must run before the first
// byte of its response, and x.End after the last one.
func (c *Chain) Admit(ctx context.Context, x *exchange.Exchange, r *Request) (*toksta.Route, error) {
	address, addressErr := c.Proxies.Address(r.Client)
	if x.Address = address; addressErr != nil {
		x.Address = r.Client.Peer
	}
	matched, err := c.match(r)
	if err != nil {
		return nil, err
	}
	x.Operation, x.Family = matched.Operation, matched.Family
	if matched.Public {
		return matched, c.admitPublic(x, r, matched)
	}
	if addressErr != nil {
		return matched, addressErr
	}
	return matched, c.verify(ctx, x, r, matched)
}

// match returns the route of r, with the price that r states.
func (c *Chain) match(r *Request) (*toksta.Route, error) {
	var matched *toksta.Route
	var err error
	if r.Operation != "" {
		matched, err = c.Routes.Operation(r.Operation)
	} else {
		var path string
		if path, err = r.path(c.MaxHeader); err == nil {
			matched, err = c.Routes.Match(r.Method, path)
		}
	}
	if err != nil || r.Credits == nil || matched.Public {
		return matched, err
	}
	priced := *matched
	priced.Credits = *r.Credits
	return &priced, nil
}

// admitPublic records a call of a route that needs no key. Calls to an upstream state the client's
// address there, so it must not be ambiguous.
func (c *Chain) admitPublic(x *exchange.Exchange, r *Request, matched *toksta.Route) (err error) {
	if x.Public = matched.Upstream != ""; x.Public {
		x.Address, err = c.Proxies.Address(r.Client)
	}
	return err
}

// verify builds the call of r and decides on it. The principal of a rejected call is
// for the record only.
func (c *Chain) verify(ctx context.Context, x *exchange.Exchange, r *Request, matched *toksta.Route) error {
	digest, err := httpauth.Credential(r.Authorization)
	if err != nil {
		return err
	}
	x.Call = toksta.Call{
		Digest: digest, Route: matched, Addr: x.Address, Agent: r.Agent[:min(len(r.Agent), maxAgent)],
		// The time of the decision, not of the request: a node that was paused must
		// not decide by a time from before its lease expired.
		Now: c.Now(),
	}
	decider := Verifier(c.Engine)
	if r.Verifier != nil {
		decider = r.Verifier
	}
	x.Decision = decider.Verify(ctx, x.Call)
	x.Principal, x.Rate, x.Rates = x.Decision.Principal, x.Decision.Rate, x.Decision.Rates[:]
	if err := httpauth.Rejection(&x.Decision); err != nil {
		return c.explain(err, x)
	}
	x.Admit(c.Engine)
	return nil
}

// explain adds the details of a rejection for lack of credits to its error.
func (c *Chain) explain(err error, x *exchange.Exchange) error {
	if e, ok := err.(*toksta.Error); ok && c.Unpaid != nil && e.Code == toksta.CodeInsufficientCredits {
		e.Details = c.Unpaid(&x.Decision, x.Call.Now)
	}
	return err
}
