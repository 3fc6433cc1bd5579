package toksta

import (
	"net/netip"
	"time"
)

// Key is one API key of an account through its whole life. Rotating it adds a
// generation; id, name, limits and history stay.
type Key struct {
	ID        KeyID
	AccountID AccountID
	Name      string // 1–100 characters, see ValidateName
	Limits    Limits
	CreatedAt time.Time
	CreatedBy string    // for people: a member's name, or a kind of actor such as "operator"
	ExpiresAt time.Time // zero: never
	RevokedAt time.Time // zero: not revoked
	// CreatedByID is the member who created the key, "" if none did.
	CreatedByID MemberID

	// Generations are the key's secrets, oldest first. The last one is the
	// only one that can be live.
	Generations []Generation

	// Seq is the number of the last change that touched the key.
	Seq int64
}

// Generation is one secret of a key: its digest and the characters of it that
// people may see. The secret itself is kept nowhere.
type Generation struct {
	Digest    Digest
	Number    int    // 1 for the first
	Start     string // first characters behind the prefix; "" when imported by digest alone
	End       string // last characters
	CreatedAt time.Time
	RevokedAt time.Time // zero: live unless the key is revoked or expired
}

// Limits is what narrows a key below its account. The zero value narrows
// nothing.
type Limits struct {
	// Scopes are the endpoint families the key may reach; empty means every
	// family of the plan, also those that it gains later.
	Scopes []Family
	// Networks are the client addresses the key may be sent from; empty
	// means any.
	Networks []netip.Prefix
	// PerMinute is a rate limit of the key's own, below the account's; 0
	// means none.
	PerMinute int
}

// Current returns the newest generation, or the zero value for a key without
// one.
func (k Key) Current() Generation {
	if len(k.Generations) == 0 {
		return Generation{}
	}
	return k.Generations[len(k.Generations)-1]
}

// KeyState is a key's own state, apart from its account's.
type KeyState string

// The states of a key.
const (
	KeyLive    KeyState = "live"
	KeyExpired KeyState = "expired"
	KeyRevoked KeyState = "revoked"
)

// State returns the key's state at now. Revoked wins over expired.
func (k Key) State(now time.Time) KeyState {
	switch {
	case !k.RevokedAt.IsZero():
		return KeyRevoked
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		return KeyExpired
	default:
		return KeyLive
	}
}

// Grant is what verification must know of one generation of a key: the form
// in which keys travel from the store into a node's index. It is small on
// purpose; a node holds one for every secret that ever lived.
type Grant struct {
	KeyID      KeyID
	Limits     *Limits // nil: narrows nothing; shared between equal keys, never written
	ExpiresAt  int64   // see UnixMillis; 0: never
	Generation int32
	Revoked    bool // this generation or the whole key
}

// Grants returns the key's generations as they go into an index, in order.
func (k Key) Grants() []Grant {
	var limits *Limits
	if len(k.Limits.Scopes) > 0 || len(k.Limits.Networks) > 0 || k.Limits.PerMinute > 0 {
		l := k.Limits
		limits = &l
	}
	out := make([]Grant, len(k.Generations))
	for i, g := range k.Generations {
		out[i] = Grant{
			KeyID: k.ID, Limits: limits, ExpiresAt: UnixMillis(k.ExpiresAt), Generation: int32(g.Number),
			Revoked: !k.RevokedAt.IsZero() || !g.RevokedAt.IsZero(),
		}
	}
	return out
}
