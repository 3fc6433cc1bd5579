package toksta

import (
	"net/netip"
	"time"
)

// Key is an API key of an account. Rotating it adds a generation; its id, name,
// limits and history stay.
type Key struct {
	ID        KeyID
	AccountID AccountID
	Name      string // 1–100 characters, see ValidateName
	Limits    Limits
	CreatedAt time.Time
	CreatedBy string    // for people: name of a member, or kind of actor such as "operator"
	ExpiresAt time.Time // zero: never
	RevokedAt time.Time // zero: not revoked
	// CreatedByID is the member who created the key, "" if no member did.
	CreatedByID MemberID

	// ExternalID is the key's id in the vendor's own systems, unique among keys,
	// revoked ones included; "": none. See ValidateExternalID.
	ExternalID string
	// Metadata are pairs that the vendor keeps with the key; see ValidateMetadata.
	// The map is never modified.
	Metadata map[string]string

	// Generations are the secrets of the key, oldest first. Only the last one
	// can be live.
	Generations []Generation

	// Seq is the number of the last change of the key.
	Seq int64
}

// Generation is one secret of a key: its digest and its visible characters. The
// secret itself is not stored.
type Generation struct {
	Digest    Digest
	Number    int    // from 1
	Start     string // first characters after the prefix; "" if the key was imported by its digest alone
	End       string // last characters
	CreatedAt time.Time
	RevokedAt time.Time // zero: live unless the key is revoked or expired
}

// Limits narrow a key below the rights of its account. The zero value narrows
// nothing.
type Limits struct {
	// Scopes are the endpoint families that the key can call. Empty stands for
	// all families of the plan, including families that are added later.
	Scopes []Family
	// Networks are the client addresses from which the key is admitted. Empty
	// stands for any address.
	Networks []netip.Prefix
	// PerMinute is a rate limit of the key, in addition to the account's. 0
	// stands for none.
	PerMinute int
}

// Current returns the newest generation, or the zero value if there is none.
func (k Key) Current() Generation {
	if len(k.Generations) == 0 {
		return Generation{}
	}
	return k.Generations[len(k.Generations)-1]
}

// KeyState is the state of a key, regardless of its account.
type KeyState string

// The states of a key.
const (
	KeyLive    KeyState = "live"
	KeyExpired KeyState = "expired"
	KeyRevoked KeyState = "revoked"
)

// State returns the state at now. A key that is revoked and expired is revoked.
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

// Grant has the part of a generation's state that a decision needs. The store
// sends grants to the index of each node, which holds one for every secret that
// ever existed, so the type is small.
type Grant struct {
	KeyID      KeyID
	Limits     *Limits // nil: narrows nothing; shared between equal keys and never written
	ExpiresAt  int64   // see UnixMillis; 0: never
	Generation int32
	Revoked    bool // the generation or the whole key is revoked
}

// Grants returns the grants of all generations, in their order.
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
