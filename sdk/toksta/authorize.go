package toksta

import (
	"net/netip"
	"slices"
	"time"
)

// Call is one request in the plain values that a decision needs.
type Call struct {
	Digest Digest
	Route  *Route
	Addr   netip.Addr // address of the client, never IPv4-mapped IPv6; the zero value is in no network
	Agent  string     // User-Agent, only recorded with the last use
	Now    time.Time
}

// Authorize decides whether a call is admitted or rejected with 401 or 403. No
// other function makes these decisions. A nil grant means that the key does not
// exist; a nil standing has the same result.
//
// The order of the checks is part of the contract: the state of the key, so that
// a caller with a revoked key learns nothing about plans or routes; then the
// standing of the account (plan, billing, API access); then the families of the
// plan; then the scopes and the networks of the key. Authorize is a pure
// function. It allocates nothing, except if a route lacks its field NotEntitled.
func Authorize(g *Grant, s *Standing, c *Call) Rejection {
	switch {
	case g == nil || s == nil:
		return Reject(ReasonKeyUnknown)
	case g.Revoked:
		return Reject(ReasonKeyRevoked)
	case g.ExpiresAt != 0 && c.Now.UnixMilli() >= g.ExpiresAt:
		return Reject(ReasonKeyExpired)
	case s.Blocked != "":
		return Rejection{CodeForbidden, s.Blocked}
	case !slices.Contains(s.Families, c.Route.Family):
		return Reject(c.Route.notEntitled())
	case g.Limits == nil:
		return Rejection{}
	case len(g.Limits.Scopes) > 0 && !slices.Contains(g.Limits.Scopes, c.Route.Family):
		return Reject(ReasonScopeInsufficient)
	case len(g.Limits.Networks) > 0 && !anyContains(g.Limits.Networks, c.Addr):
		return Reject(ReasonAddressNotAllowed)
	default:
		return Rejection{}
	}
}

func anyContains(networks []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(a) })
}
