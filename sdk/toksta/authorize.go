package toksta

import (
	"net/netip"
	"slices"
	"time"
)

// Call is one request as the decision sees it: plain values, no HTTP types.
type Call struct {
	Digest Digest
	Route  *Route
	Addr   netip.Addr // the client's, unmapped; the zero value is in no network
	Agent  string     // User-Agent, for "last used" only
	Now    time.Time
}

// Rejection is why a call is not admitted. The zero value admits.
type Rejection struct {
	Code   Code
	Reason Reason
}

// Refused reports whether the call is not admitted.
func (r Rejection) Rejected() bool { return r.Code != "" }

// Authorize decides 401 and 403 for a call: nil grant means that no such key
// exists. The order is the contract: the key's own state first, since a dead
// key learns nothing about plans or routes; then plan, billing and API access
// (resolved in s); then the plan's families; then the key's scopes; then its
// networks. It is pure, allocates nothing and is the only place that makes
// such a refusal. A nil standing is refused like an unknown key.
func Authorize(g *Grant, s *Standing, c *Call) Rejection {
	switch {
	case g == nil || s == nil:
		return Rejection{CodeUnauthorized, ReasonKeyUnknown}
	case g.Revoked:
		return Rejection{CodeUnauthorized, ReasonKeyRevoked}
	case g.ExpiresAt != 0 && c.Now.UnixMilli() >= g.ExpiresAt:
		return Rejection{CodeUnauthorized, ReasonKeyExpired}
	case s.Blocked != "":
		return Rejection{CodeForbidden, s.Blocked}
	case !slices.Contains(s.Families, c.Route.Family):
		return Rejection{CodeForbidden, notEntitled(c.Route.Family)}
	case g.Limits == nil:
		return Rejection{}
	case len(g.Limits.Scopes) > 0 && !slices.Contains(g.Limits.Scopes, c.Route.Family):
		return Rejection{CodeForbidden, ReasonScopeInsufficient}
	case len(g.Limits.Networks) > 0 && !within(g.Limits.Networks, c.Addr):
		return Rejection{CodeForbidden, ReasonAddressNotAllowed}
	default:
		return Rejection{}
	}
}

// notEntitled spares the shipped family the allocation of a concatenation.
func notEntitled(f Family) Reason {
	if f == "workspace" {
		return "workspace_not_entitled"
	}
	return NotEntitled(f)
}

func within(networks []netip.Prefix, a netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}
