package httpauth

import (
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Option configures [Require].
type Option func(*guard)

// WithOperation names the operation of each request, as the server's configuration
// lists it. If name returns "", the operation follows from the method and the target,
// as without this option.
func WithOperation(name func(*http.Request) string) Option {
	return func(g *guard) {
		g.adjust = append(g.adjust, func(r *http.Request, call *Call) error {
			call.Operation = name(r)
			return nil
		})
	}
}

// WithAddress determines the address of the client, to which the networks of a key
// apply. [TrustedProxies] returns such a function. An error that is an *toksta.Error
// becomes the response. Without this option it is the peer of the connection.
func WithAddress(address func(*http.Request) (netip.Addr, error)) Option {
	return func(g *guard) { g.address = address }
}

// WithCall changes each call before the decision, for example to state its credits or
// to hold them. An error that is an *toksta.Error becomes the response; for any other
// error the response is 500.
func WithCall(change func(r *http.Request, call *Call) error) Option {
	return func(g *guard) { g.adjust = append(g.adjust, change) }
}

// WithAuthorization leaves the Authorization field in the request that the handler
// gets. By default it is removed, so that no log or back end behind the handler
// receives a key.
func WithAuthorization() Option {
	return func(g *guard) { g.keepAuthorization = true }
}

// WithPreflight passes CORS preflight requests to the handler without a decision, for
// a handler that responds to them. All other requests with the method OPTIONS are
// decided. It is not needed if the code for CORS is in front of Require.
func WithPreflight() Option {
	return func(g *guard) { g.passPreflight = true }
}

// WithErrorHandler calls report for each request that gets a 503 because the verifier
// returned an error. By default such errors are logged with [slog.Default], at most one a
// second.
func WithErrorHandler(report func(r *http.Request, err error)) Option {
	return func(g *guard) { g.report = report }
}

// Require returns middleware that admits a request to the handler if v does, and
// otherwise sends the response that the gateway of the server would send, with the
// same status, header fields and body. If v returns an error, the response is 503.
//
// The handler gets the principal with [FromContext]. Its request has the verified
// identity in the fields X-Toksta-Account-Id, -Key-Id, -Plan and -Scopes, and no field
// that a client could have sent in their place, in any spelling, and none that states
// another method or target (X-HTTP-Method-Override, X-Original-…). The response has the
// rate limit and the request id before the handler runs. Require does not wrap the
// http.ResponseWriter: flushing, WebSocket and http.ResponseController work as without
// it. An upgrade to any other protocol is ignored, because the protocol could carry
// further requests without a decision.
//
// The decision is made on the request target as it was sent, also under
// http.StripPrefix and in mounted routers.
func Require(v Verifier, options ...Option) func(http.Handler) http.Handler {
	failures := &errorLog{write: slog.Error}
	g := &guard{verifier: v, address: peerAddress, report: func(_ *http.Request, err error) { failures.add(err, time.Now()) }}
	for _, set := range options {
		set(g)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, next) })
	}
}

// guard holds the configuration of Require.
type guard struct {
	verifier          Verifier
	address           func(*http.Request) (netip.Addr, error)
	adjust            []func(*http.Request, *Call) error // in order
	keepAuthorization bool
	passPreflight     bool
	report            func(*http.Request, error)
}

// serve decides on one request.
func (g *guard) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if g.passPreflight && isPreflight(r) {
		next.ServeHTTP(w, g.handled(r, nil))
		return
	}
	call, err := g.call(r)
	if err != nil {
		WriteError(w, localMeta(r), err)
		return
	}
	decision, err := g.verifier.Verify(r.Context(), call)
	if err == nil {
		err = decision.check()
	}
	if err != nil {
		g.report(r, err)
		WriteError(w, localMeta(r), toksta.Reject(toksta.ReasonLeaseExpired).Err())
		return
	}
	decision.Reply.setHeader(w.Header())
	if !decision.Admitted {
		w.Header().Set("Content-Length", strconv.Itoa(len(decision.Reply.Body)))
		w.WriteHeader(decision.Reply.Status)
		_, _ = w.Write(decision.Reply.Body)
		return
	}
	next.ServeHTTP(w, g.handled(r, &decision))
}

// call returns the values of r that decide.
func (g *guard) call(r *http.Request) (Call, error) {
	call := Call{
		Authorization: r.Header["Authorization"],
		Method:        r.Method, Target: r.RequestURI, Agent: r.UserAgent(),
		RequestID: single(r.Header[HeaderRequestID]), Traceparent: single(r.Header[HeaderTraceparent]), TraceID: single(r.Header[HeaderTraceID]),
	}
	if call.Target == "" { // a request that no server has read
		call.Target = r.URL.RequestURI()
	}
	var err error
	if call.Address, err = g.address(r); err != nil {
		return call, err
	}
	for _, change := range g.adjust {
		if err := change(r, &call); err != nil {
			return call, err
		}
	}
	if call.Operation != "" {
		call.Method, call.Target = "", ""
	}
	return call, nil
}

// isPreflight reports whether r is a CORS preflight request.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && len(r.Header["Origin"]) == 1 && len(r.Header["Access-Control-Request-Method"]) == 1
}
