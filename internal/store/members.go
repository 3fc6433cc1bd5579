package store

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Memberships reads the roles of members in accounts.
type Memberships interface {
	// Role returns the role with which a member may act in an account now. The error is
	// ErrNotFound if the person is not a member of the account, was removed from it, or is
	// disabled in it or everywhere.
	Role(ctx context.Context, account toksta.AccountID, member toksta.MemberID) (toksta.MemberRole, error)
	// Membership returns a membership, also a disabled or removed one.
	Membership(ctx context.Context, account toksta.AccountID, member toksta.MemberID) (toksta.Membership, error)
	// ListAccountMembers returns the members of an account that were not removed, the
	// longest-standing first.
	ListAccountMembers(ctx context.Context, account toksta.AccountID) ([]AccountMember, error)
	// ListMemberships returns the memberships of a member that were not removed, the oldest
	// first, also the disabled ones.
	ListMemberships(ctx context.Context, member toksta.MemberID) ([]toksta.Membership, error)
	// ListSoleMembers returns the people with a membership in an account, also a removed one,
	// who belong to no other account.
	ListSoleMembers(ctx context.Context, account toksta.AccountID) ([]toksta.Member, error)
}

// SignUps reads the members whose sign-up is not complete.
type SignUps interface {
	// ListExpiredSignUps returns members, the oldest first, who did not verify their address and
	// whose ExpiresAt is before a time.
	ListExpiredSignUps(ctx context.Context, before time.Time, limit int) ([]toksta.Member, error)
}

// AccountMember is a member with the membership in one account.
type AccountMember struct {
	toksta.Member
	Membership toksta.Membership
}

// CanAct reports whether the member can use the account: neither disabled in it nor
// everywhere.
func (m AccountMember) CanAct() bool {
	return m.Member.DisabledAt.IsZero() && m.Membership.DisabledAt.IsZero() && m.Membership.RemovedAt.IsZero()
}

// Invitations reads invitations.
type Invitations interface {
	// Invitation finds an invitation by the SHA-256 of its code.
	Invitation(ctx context.Context, code toksta.Digest) (Invitation, error)
	// ListInvitations returns the invitations to an account that are neither used nor
	// revoked, also expired ones, in id order.
	ListInvitations(ctx context.Context, account toksta.AccountID) ([]Invitation, error)
}

// Invitation lets one person join an account, or sign up where sign-up is by invitation.
type Invitation struct {
	Code      toksta.Digest       // SHA-256 of the code
	ID        toksta.InvitationID // names the invitation without its code; "": created by an earlier version
	AccountID toksta.AccountID    // the account to join; "": a new one
	Role      toksta.MemberRole   // in the account to join
	Email     string              // "": any
	CreatedAt time.Time
	CreatedBy string // id of the member who invites, "": the operator
	ExpiresAt time.Time
	UsedAt    time.Time // zero: unused
	RevokedAt time.Time // zero: not revoked
}

// Identities reads the sign-ins of members at providers.
type Identities interface {
	// Identity finds an identity by the name of the provider and the provider's id of the
	// person.
	Identity(ctx context.Context, provider, subject string) (Identity, error)
	// ListIdentities returns the identities of a member, the oldest first.
	ListIdentities(ctx context.Context, member toksta.MemberID) ([]Identity, error)
}

// Identity links a person at a sign-in provider to a member. Provider and Subject together are
// unique.
type Identity struct {
	Provider string // its name in the configuration
	Subject  string // the provider's id of the person, which never changes
	MemberID toksta.MemberID
	Email    string // at the provider, when it was linked
	// Granted are the accounts whose membership came from the rules of the provider, by groups
	// or domain, and follows them.
	Granted   []toksta.AccountID
	CreatedAt time.Time
}

// Sessions keeps browser sessions, by the SHA-256 of their cookie. No decision
// about a call depends on them, so they are not in the change log.
type Sessions interface {
	// PutSession inserts a session. The error is ErrNotFound if the member was erased.
	PutSession(ctx context.Context, s Session) error
	// TouchSession sets SeenAt, and AccountID unless it is "". It returns ErrNotFound, and inserts
	// nothing, if the session was ended in the meantime.
	TouchSession(ctx context.Context, s Session) error
	Session(ctx context.Context, id toksta.Digest) (Session, error)
	// ListSessions returns a member's sessions that end after now, newest first.
	ListSessions(ctx context.Context, member toksta.MemberID, now time.Time) ([]Session, error)
	// EndSessions deletes the sessions that set selects.
	EndSessions(ctx context.Context, set SessionSet) error
}

// Session is one signed-in browser.
type Session struct {
	ID       toksta.Digest
	MemberID toksta.MemberID
	// AccountID is the account that the pages show; "": the member belonged to none. A Bound
	// session, which the vendor's back end created, cannot leave it.
	AccountID toksta.AccountID
	Bound     bool
	// Method is how the member signed in: see package signin. Provider and ProviderSession
	// are the sign-in provider and its name for the session, "" for none.
	Method, Provider, ProviderSession string
	CreatedAt                         time.Time // of the sign-in
	ConfirmedAt                       time.Time // when the member last proved to be present
	SeenAt                            time.Time
	ExpiresAt                         time.Time
	Address                           string
	Agent                             string
	FactorAt                          time.Time // when the member last proved a second factor or a passkey; zero: never
}

// SessionSet selects sessions. Exactly one of ID, Member, Provider and Before is set.
type SessionSet struct {
	ID      toksta.Digest    // one session
	Member  toksta.MemberID  // all sessions of a member
	Account toksta.AccountID // with Member: only those that show this account
	Keep    toksta.Digest    // with Member: except this one
	// Provider and ProviderSession select the sessions that a provider's session started. With
	// Member, ProviderSession can be "", which selects all of the provider.
	Provider, ProviderSession string
	Before                    time.Time // all sessions that expired before
}

// Tickets keeps secrets that are used once, by their SHA-256: links in mails, the states of
// sign-ins by a provider, challenges. They are not in the change log.
type Tickets interface {
	// PutTicket inserts a ticket. The error is ErrNotFound if its member was erased.
	PutTicket(ctx context.Context, t Ticket) error
	// KeepLatestTicket inserts a ticket, or replaces the one with the same id if that one expires
	// earlier. The ticket has no member.
	KeepLatestTicket(ctx context.Context, t Ticket) error
	// Ticket returns a ticket without using it. It also finds an expired one.
	Ticket(ctx context.Context, id toksta.Digest) (Ticket, error)
	// UseTicket deletes a ticket and returns it. Of several simultaneous calls, one succeeds,
	// the others return ErrNotFound.
	UseTicket(ctx context.Context, id toksta.Digest) (Ticket, error)
	// DeleteTickets deletes the tickets that set selects.
	DeleteTickets(ctx context.Context, set TicketSet) error
}

// Ticket is the right to do one thing once.
type Ticket struct {
	ID        toksta.Digest
	Purpose   string // the thing that may be done; see package signin
	MemberID  toksta.MemberID
	AccountID toksta.AccountID
	Data      string // of the purpose, never a secret
	ExpiresAt time.Time
}

// TicketSet selects tickets: those of a member with a purpose ("": with any), or all that
// expired before a time.
type TicketSet struct {
	Member  toksta.MemberID
	Purpose string
	Before  time.Time
}
