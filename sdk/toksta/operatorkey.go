package toksta

import (
	"net/netip"
	"slices"
	"time"
)

// OperatorKeyID identifies an operator key in all its generations: "op_" and a
// ULID.
type OperatorKeyID string

// OperatorSecretPrefix is the start of every secret of an operator key.
const OperatorSecretPrefix = "tk_op_"

// OperatorKey is a credential for the operator API over the network. It belongs to
// no account. Rotating it adds a generation; its id, name, roles and history stay.
// Its slices are shared and never written.
type OperatorKey struct {
	ID        OperatorKeyID
	Name      string         // 1–100 characters, see ValidateName; the audit trail shows it
	Roles     []Role         // in the order of Roles, at least one
	Networks  []netip.Prefix // addresses that can use the key; empty: any
	CreatedAt time.Time
	CreatedBy string    // for people: name of the operator
	ExpiresAt time.Time // zero: never
	RevokedAt time.Time // zero: not revoked
	LastUse   OperatorUse

	// Generations are the secrets of the key, oldest first. Only the last one
	// can be live.
	Generations []Generation

	// Seq is the number of the last change of the key.
	Seq int64
}

// OperatorUse is the last use of an operator key. It is recorded at intervals, and the
// record of the last minute can be lost with a node.
type OperatorUse struct {
	At      time.Time // zero: never used
	Address string    // of the client
}

// Current returns the newest generation, or the zero value if there is none.
func (k OperatorKey) Current() Generation {
	return Key{Generations: k.Generations}.Current()
}

// State returns the state at now. A key that is revoked and expired is revoked.
func (k OperatorKey) State(now time.Time) KeyState {
	return Key{ExpiresAt: k.ExpiresAt, RevokedAt: k.RevokedAt}.State(now)
}

// Preview returns the visible part of a secret of an operator key.
func (k OperatorKey) Preview(g Generation) string {
	return KeyShape{Prefix: OperatorSecretPrefix}.Preview(g)
}

// OperatorGrant has the part of the state of one secret of an operator key that a
// decision needs. Its slices are shared and never written.
type OperatorGrant struct {
	ID         OperatorKeyID
	Name       string
	Roles      []Role
	Networks   []netip.Prefix // empty: any
	ExpiresAt  int64          // see UnixMillis; 0: never
	Generation int32
	Revoked    bool // the generation or the whole key is revoked
}

// Grants returns the grants of all generations, in their order.
func (k OperatorKey) Grants() []OperatorGrant {
	out := make([]OperatorGrant, len(k.Generations))
	for i, g := range k.Generations {
		out[i] = OperatorGrant{
			ID: k.ID, Name: k.Name, Roles: k.Roles, Networks: k.Networks, ExpiresAt: UnixMillis(k.ExpiresAt), Generation: int32(g.Number),
			Revoked: !k.RevokedAt.IsZero() || !g.RevokedAt.IsZero(),
		}
	}
	return out
}

// Expired reports whether the key has expired at now.
func (g OperatorGrant) Expired(now time.Time) bool {
	return g.ExpiresAt != 0 && UnixMillis(now) >= g.ExpiresAt
}

// AdmitsAddress reports whether the key can be used from the address. An
// IPv4-mapped address counts as IPv4.
func (g OperatorGrant) AdmitsAddress(from netip.Addr) bool {
	from = from.Unmap().WithZone("")
	return len(g.Networks) == 0 || slices.ContainsFunc(g.Networks, func(n netip.Prefix) bool { return n.Contains(from) })
}

// Allows reports whether the key can call an operation for which one of the roles is
// required. RoleManage allows every operation.
func (g OperatorGrant) Allows(required ...Role) bool {
	return slices.ContainsFunc(g.Roles, func(r Role) bool { return r == RoleManage || slices.Contains(required, r) })
}
