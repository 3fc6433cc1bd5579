package toksta

import (
	"slices"
	"time"
)

// Member is a person who can sign in. The accounts of a member are memberships.
type Member struct {
	ID           MemberID
	Email        string // as typed; unique without regard to case
	Name         string
	PasswordHash string `json:"-"` // argon2id in PHC format; "": cannot sign in with a password
	CreatedAt    time.Time
	VerifiedAt   time.Time // when the person proved to receive mail at Email; zero: not yet
	// ExpiresAt is when the sign-up ends, and the address is free again, unless the address
	// is verified before. Zero: never.
	ExpiresAt  time.Time
	DisabledAt time.Time // zero: can sign in
	Consent    string    // the terms that the person accepted when they signed up; "": none were asked
	ConsentAt  time.Time // zero without Consent
}

// IsProvisional reports whether the sign-up of the member ends unless the address is verified.
func (m Member) IsProvisional() bool { return m.VerifiedAt.IsZero() && !m.ExpiresAt.IsZero() }

// Membership gives a member a role in an account.
type Membership struct {
	AccountID  AccountID
	MemberID   MemberID
	Role       MemberRole
	CreatedAt  time.Time
	DisabledAt time.Time // zero: can use the account
	RemovedAt  time.Time // zero: belongs to the account
}

// MemberRole is the role of a member in an account.
type MemberRole string

// The roles of members.
const (
	MemberOwner     MemberRole = "owner"     // everything, also owners and closing the account
	MemberAdmin     MemberRole = "admin"     // everything except owners and closing the account
	MemberDeveloper MemberRole = "developer" // keys
	MemberBilling   MemberRole = "billing"   // the billing state and its notices
	MemberViewer    MemberRole = "viewer"    // reads only
)

// MemberRoles returns all roles of members, from the most rights to the fewest.
func MemberRoles() []MemberRole {
	return []MemberRole{MemberOwner, MemberAdmin, MemberDeveloper, MemberBilling, MemberViewer}
}

// Permission is a group of changes that a role allows in an account. Every role allows
// reading the account.
type Permission string

// The permissions.
const (
	PermitKeys    Permission = "keys"    // create, change, rotate and revoke keys
	PermitAccount Permission = "account" // rename the account, and its settings
	PermitMembers Permission = "members" // invite, change and remove members other than owners
	PermitOwners  Permission = "owners"  // give the role owner and take it away; close the account
	PermitBilling Permission = "billing" // change what concerns payment
)

// Allows reports whether the role has a permission. An unknown role allows nothing.
func (r MemberRole) Allows(p Permission) bool {
	switch r {
	case MemberOwner:
		return true
	case MemberAdmin:
		return p != PermitOwners
	case MemberDeveloper:
		return p == PermitKeys
	case MemberBilling:
		return p == PermitBilling
	default:
		return false
	}
}

// IsValid reports whether r is one of MemberRoles.
func (r MemberRole) IsValid() bool { return slices.Contains(MemberRoles(), r) }
