package operator

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/exchange"
	"github.com/toksta/toksta/internal/operatorauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// Access configures the authentication of requests over the network. All fields are
// required.
type Access struct {
	Keys *operatorauth.Authenticator
	// ClientAddress returns the address of the client behind trusted proxies. For a peer
	// that may not call, it returns the peer's address and an error.
	ClientAddress func(*http.Request) (netip.Addr, error)
	// Used notes a use of a key, for its last use. It does not wait.
	Used func(id toksta.OperatorKeyID, at time.Time, address string)
}

// Network returns the handler for a listener that other machines can open. Each request
// needs an operator key with a role of its operation. The audit trail has the key as the
// author of changes.
func Network(c Config, a Access) http.Handler {
	return server{Config: c, identify: a.identify}.handler()
}

// identify returns the operator key of a request as its author. The exchange gets the
// address, the id of the key and, of an unknown key, the digest for its fingerprint.
func (a Access) identify(r *http.Request, o *Operation) (identity, error) {
	x := exchange.FromContext(r.Context())
	from, err := a.ClientAddress(r)
	x.Address = from
	if err != nil {
		return identity{}, err
	}
	attempt, err := a.Keys.Authenticate(r.Header["Authorization"], from)
	x.Operator = attempt.Key.ID
	if attempt.Key.ID == "" {
		x.Call.Digest = attempt.Digest
	}
	if !attempt.Until.IsZero() {
		x.Rate.Reset = attempt.Until.Unix() + 1 // rounded up, for Retry-After
	}
	if err != nil {
		return identity{}, err
	}
	a.Used(attempt.Key.ID, time.Now(), from.String())
	if o != nil && !attempt.Key.Allows(o.Roles...) {
		return identity{}, roleInsufficient(o.Roles)
	}
	return identity{
		Actor: toksta.Actor{
			Kind: toksta.ActorOperator, ID: string(attempt.Key.ID), Name: attempt.Key.Name, Address: from.String(), Agent: agent,
		},
		key: attempt.Key,
	}, nil
}

// roleInsufficient returns the error for a key without any of the roles.
func roleInsufficient(required []toksta.Role) error {
	names := make([]string, len(required))
	for i, role := range required {
		names[i] = string(role)
	}
	return &toksta.Error{
		Code: toksta.CodeForbidden, Reason: toksta.ReasonRoleInsufficient, Message: "The operator key has no role that may call this operation.",
		Details: map[string]any{"required_roles": required},
		Hint:    "use an operator key with one of these roles: " + strings.Join(names, ", "),
	}
}
