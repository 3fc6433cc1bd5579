package httpauth

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/toksta/toksta"
)

// Verifier decides on one call. It is safe for concurrent use and never
// returns an error: what it cannot vouch for it refuses as UNAVAILABLE.
type Verifier interface {
	Verify(ctx context.Context, c toksta.Call) toksta.Decision
}

// Settler settles the credits that a decision holds. It is called exactly
// once for each admitted call, with what the call costs after all, before the
// answer's first byte.
type Settler interface {
	Settle(d *toksta.Decision, c toksta.Call, credits int64) toksta.Charge
}

// Resolver says which route a request is on. Its error is answered instead of
// a decision.
type Resolver func(*http.Request) (*toksta.Route, error)

// FromContext returns who the request belongs to, false when nobody was
// admitted.
func FromContext(ctx context.Context) (toksta.Principal, bool) {
	p := PassageFrom(ctx)
	if p == nil {
		return toksta.Principal{}, false
	}
	return p.Decision.Principal, true
}

// Require admits to next the requests that v admits on the route that resolve
// finds, and answers the others itself. The client's address is the peer's. A
// v that is also a [Settler] settles as next starts its answer: the held
// credits below status 400, nothing otherwise.
func Require(v Verifier, resolve Resolver) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			x, r := Begin(r, "", time.Now())
			route, err := resolve(r)
			if err != nil {
				WriteError(w, r, err)
				return
			}
			digest, err := Credential(r.Header["Authorization"])
			if err != nil {
				WriteError(w, r, err)
				return
			}
			call := toksta.Call{Digest: digest, Route: route, Addr: peer(r), Agent: r.UserAgent(), Now: time.Now()}
			d := v.Verify(r.Context(), call)
			x.Rate = d.Rate
			if err := Refusal(&d); err != nil {
				WriteError(w, r, err)
				return
			}
			s, _ := v.(Settler)
			p := &Passage{Decision: &d, Call: call, Exchange: x, Settler: s}
			p.Serve(next, w, r)
		})
	}
}

// peer is the address of the connection's other end, unmapped.
func peer(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}
