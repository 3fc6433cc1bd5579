// Package verifyapi implements the verify API in plain values. It decides on calls that other
// programs received, such as the vendor's own back end, and returns the decision, the response
// for the client and the identity for the back end.
//
// The package is a part of the request path beside the gateway: both use the same admission chain
// and the same rendering of package httpauth, so that a client sees the same statuses,
// header fields and bodies. As the response of the back end is not seen here, a call is
// charged and ends with its decision. The package knows no HTTP library's types but
// http.Header, and never sees a database: a reservation goes through an interface.
package verifyapi

import (
	"context"
	"net/http"

	"github.com/toksta/toksta/internal/admit"
	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// Config configures a Verifier. Sampling and RateFields can be zero.
type Config struct {
	Chain      *admit.Chain
	Engine     Engine          // the one of Chain
	Credits    Reserver        // of the same node
	Names      *httpauth.Names // of the fields with the vendor's prefix
	Realm      string          // of the bearer challenge
	Sampling   float64         // fraction of the started traces that are sampled, from 0 to 1
	RateFields bool            // replies have RateLimit and RateLimit-Policy beside X-RateLimit-*
}

// Verifier decides on calls. It is safe for concurrent use.
type Verifier struct{ config Config }

// New returns a verifier.
func New(c Config) *Verifier { return &Verifier{c} }

// Question is a call on which a program asks for a decision.
type Question struct {
	Call *client.VerifyRequest
	// Asked is the exchange in which the program asks. The call takes over its ids unless
	// the call has its own. nil: the call gets new ids.
	Asked *exchange.Exchange
	By    toksta.Actor // the author of a reservation
	// Malformed is the reason for which Call could not be read, nil if it was read.
	Malformed error
}

// Verify decides on the call of q, counts it, and charges or reserves its credits. The
// decision is valid for this one call. The exchange is that of the call, for its record.
// Verify returns an error, and decides nothing, only if the call is malformed in a way
// that is a mistake of the asking program. The response then describes the error.
func (v *Verifier) Verify(ctx context.Context, q Question) (client.VerifyResponse, *exchange.Exchange, error) {
	x := v.newExchange(&q)
	err := q.Malformed
	if err == nil {
		err = check(q.Call)
	}
	if err != nil {
		x.Fail(err)
		return v.rejected(x, err), x, err
	}
	r := admitRequest(q.Call)
	var hold *reserving
	if q.Call.Hold != nil {
		hold = &reserving{config: &v.config, by: q.By, hold: *q.Call.Hold}
		r.Verifier = hold
	}
	if _, err := v.config.Chain.Admit(ctx, x, &r); err != nil {
		x.Fail(err)
		if hold != nil && x.Code == toksta.CodeUnavailable && x.Err == nil {
			x.Err = hold.err
		}
		return v.rejected(x, err), x, nil
	}
	x.CloseHold(http.StatusOK)
	x.End()
	response := v.admitted(x)
	if hold != nil && hold.reserved != nil {
		response.Credits = &client.VerifyCredits{Reservation: hold.reserved}
	}
	return response, x, nil
}

// newExchange returns the exchange of the call of q.
func (v *Verifier) newExchange(q *Question) *exchange.Exchange {
	ids := exchange.IDs{Request: values(q.Call.RequestID), Traceparent: values(q.Call.Traceparent), Trace: values(q.Call.TraceID)}
	if a := q.Asked; a != nil {
		if ids.Request == nil {
			ids.Request = values(a.RequestID)
		}
		if ids.Traceparent == nil && ids.Trace == nil {
			ids.Traceparent, ids.Trace = values(a.Traceparent), values(a.TraceID)
		}
	}
	x := exchange.New(ids, v.config.Realm, v.config.Sampling, v.config.Chain.Now())
	x.Names, x.Structured = v.config.Names, v.config.RateFields
	return x
}

// values returns the values of a field that has the value s, none if s is empty.
func values(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// admitRequest returns the values of r that the admission chain needs. From there on, only the
// parser of the Authorization field sees the key.
func admitRequest(r *client.VerifyRequest) admit.Request {
	out := admit.Request{
		Method: r.Method, Target: r.Target, Operation: r.Operation, Authorization: values(r.Authorization),
		Agent: r.Agent, Credits: r.Credits, Client: admit.Client{Peer: admit.Plain(r.Address)},
	}
	if r.Key != "" {
		out.Authorization = []string{"Bearer " + r.Key}
	}
	return out
}
