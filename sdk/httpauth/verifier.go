package httpauth

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Verifier decides on calls. An error means that there is no decision: the caller
// must reject the call with 503, as [Require] does. It is safe for concurrent use.
//
// NewVerifier of package client returns a verifier that asks a server. A node in the
// vendor's own process has one without a network.
type Verifier interface {
	Verify(ctx context.Context, c Call) (Decision, error)
}

// Call is one request in the plain values that a [Verifier] needs. It contains a
// secret: do not log it.
type Call struct {
	Authorization []string // the lines of the field
	Operation     string   // of a configured route; or Method and Target
	Method        string
	Target        string     // the request target as it was sent, with its query
	Address       netip.Addr // of the client; an invalid one is in no network
	Agent         string     // User-Agent, recorded with the last use
	RequestID     string     // X-Request-Id of the client, repeated in the response
	Traceparent   string     // as in W3C Trace Context
	TraceID       string     // X-Trace-Id of the client
	Credits       *int64     // instead of the price of the route
	Hold          *Hold      // reserve the credits instead of charging them; nil: charge
}

// Hold asks for a reservation of the call's credits, for a job with a price that is
// known at its end.
type Hold struct {
	Job     string        // a repeated request for the same job gets the same reservation
	Expires time.Duration // after which the credits are released, in whole seconds; 0: one day
}

// Decision is the result of one call, with everything that a program needs to respond
// to the call or to serve it.
type Decision struct {
	Admitted    bool
	Public      bool          // the route needs no key, and there is no principal
	Code        toksta.Code   // of a rejection
	Reason      toksta.Reason // for the vendor; Reply shows only the reasons that the client may see
	Operation   string        // of the route; "" if no route matches
	Family      toksta.Family
	Principal   toksta.Principal     // also of a rejected call with a known key
	Rate        toksta.RateState     // the tightest window; its Limit is 0 without one
	Charged     int64                // credits
	Reservation toksta.ReservationID // of a hold
	// Reply is the response to a rejected call. For an admitted call it only has the
	// header fields that belong in the response.
	Reply Reply
	// Identity has the header fields for the back end: the principal, the request id
	// and the trace. A client must not be able to send a field of these names.
	Identity map[string]string
	// IdentityPrefix starts the names with which the identity is stated, such as
	// "X-Toksta-". A client must not be able to send any field with this prefix.
	IdentityPrefix string
}

// check returns an error for a result that is not a decision, so that nothing is
// admitted by mistake.
func (d *Decision) check() error {
	switch {
	case d.Admitted && (d.Code != "" || d.Reply.Status >= http.StatusBadRequest):
		return errors.New("the decision both admits and rejects the call")
	case d.Admitted && d.Public != (d.Principal.AccountID == ""):
		return errors.New("the decision must have an account, or the route must be public")
	case !d.Admitted && (d.Reply.Status < http.StatusBadRequest || d.Reply.Status > 599):
		return errors.New("the decision rejects the call without a status of an error")
	}
	return nil
}

type contextKey struct{}

// FromContext returns the account and the key of an admitted call. It returns false on
// a public route and in a request that did not pass [Require].
func FromContext(ctx context.Context) (toksta.Principal, bool) {
	d, ok := DecisionFromContext(ctx)
	if !ok || d.Public {
		return toksta.Principal{}, false
	}
	return d.Principal, true
}

// DecisionFromContext returns the whole decision on an admitted call: its operation,
// rate limit and credits. The decision is shared and must not be changed.
func DecisionFromContext(ctx context.Context) (*Decision, bool) {
	d, ok := ctx.Value(contextKey{}).(*Decision)
	return d, ok
}
