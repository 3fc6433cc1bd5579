package toksta

import (
	"crypto/rand"
	"time"
)

// AccountID identifies an account: "acct_" and a ULID. Identifiers are compared
// byte by byte.
type AccountID string

// KeyID identifies a key in all its generations: "key_" and a ULID.
type KeyID string

// MemberID identifies a member: "mem_" and a ULID.
type MemberID string

// InvitationID identifies an invitation: "inv_" and a ULID.
type InvitationID string

// ReservationID identifies a reservation of credits: "res_" and a ULID.
type ReservationID string

// The prefixes of identifiers.
const (
	PrefixAccount     = "acct_"
	PrefixKey         = "key_"
	PrefixMember      = "mem_"
	PrefixRequest     = "req_"
	PrefixNode        = "node_"
	PrefixReservation = "res_"
	PrefixCreditEntry = "cre_"
	PrefixEvent       = "evt_"
	PrefixOperatorKey = "op_"
	PrefixInvitation  = "inv_"
	PrefixNotice      = "ntc_"
)

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewID returns the prefix and a new ULID: 48 bits of Unix milliseconds and 80
// random bits, in upper-case Crockford base 32. Identifiers sort by time of
// creation. A time before 1970 counts as 1970, the first that a ULID can
// represent. NewID panics if the system has no randomness.
func NewID(prefix string, now time.Time) string {
	var b [16]byte
	ms := uint64(max(0, now.UnixMilli()))
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	rand.Read(b[6:])

	out := make([]byte, 0, len(prefix)+26)
	out = append(out, prefix...)
	// 26 digits of 5 bits hold 130 bits: the first digit carries only three.
	var acc uint32
	bits := 2
	for _, c := range b {
		acc = acc<<8 | uint32(c)
		for bits += 8; bits >= 5; {
			bits -= 5
			out = append(out, crockford[acc>>bits&31])
		}
	}
	return string(out)
}
