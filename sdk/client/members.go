package client

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// MemberRef names a member of an account. Member is the id or the e-mail address.
type MemberRef struct {
	AccountRef
	Member toksta.MemberID `json:"member"`
}

// MemberList has the members of an account.
type MemberList struct {
	Members []Member `json:"members"`
}

// ChangedMember is a member after a change.
type ChangedMember struct {
	Member  Member  `json:"member"`
	Receipt Receipt `json:"receipt"`
}

// InviteMemberRequest invites a person to an account. With ByMail, the link is sent to the
// address, which counts as verified when the person uses it. Otherwise the response has the link.
type InviteMemberRequest struct {
	AccountRef
	Email  string            `json:"email,omitempty"` // the only address that can use the link; "": any, without ByMail
	Role   toksta.MemberRole `json:"role"`
	ByMail bool              `json:"by_mail,omitempty"`
}

// InvitedMember is a new invitation. Code and URL are empty if the link was sent by mail.
type InvitedMember struct {
	Invitation Invitation `json:"invitation"`
	Code       string     `json:"code,omitempty"`
	URL        string     `json:"url,omitempty"`
	Receipt    Receipt    `json:"receipt"`
}

// SetRoleRequest gives a member another role in an account. WithoutOwner permits to leave the
// account without an owner who can sign in.
type SetRoleRequest struct {
	MemberRef
	Role         toksta.MemberRole `json:"role"`
	WithoutOwner bool              `json:"without_owner,omitempty"`
}

// DisableMemberRequest takes the use of an account from a member, or of all accounts if Account
// is empty. WithoutOwner permits to leave an account without an owner who can sign in.
type DisableMemberRequest struct {
	Account      toksta.AccountID `json:"account,omitempty"`
	Member       toksta.MemberID  `json:"member"`
	WithoutOwner bool             `json:"without_owner,omitempty"`
}

// EnableMemberRequest gives a disabled member the use of an account back. An empty Account
// enables a person who was disabled everywhere.
type EnableMemberRequest struct {
	Account toksta.AccountID `json:"account,omitempty"`
	Member  toksta.MemberID  `json:"member"`
}

// RemoveMemberRequest removes a member from an account. Keys states what happens to the live keys
// that the member made: keep or revoke. WithoutOwner permits to leave the account without an owner
// who can sign in.
type RemoveMemberRequest struct {
	MemberRef
	Keys         string `json:"keys"`
	WithoutOwner bool   `json:"without_owner,omitempty"`
}

// RemovedMember is a removed member, with the keys that the member made: those that still work,
// and those that the removal revoked.
type RemovedMember struct {
	Member      Member  `json:"member"`
	KeptKeys    []Key   `json:"kept_keys"`
	RevokedKeys []Key   `json:"revoked_keys"`
	Receipt     Receipt `json:"receipt"`
}

// PersonRef names a person, in all accounts, by the id or the e-mail address.
type PersonRef struct {
	Member toksta.MemberID `json:"member"`
}

// EraseMemberRequest names a person whose personal data is erased. Confirm repeats the id of the
// person, because nothing can undo an erasure.
type EraseMemberRequest struct {
	PersonRef
	Confirm string `json:"confirm"`
}

// ErasedMember has the numbers of changed and deleted rows, by table of the database.
type ErasedMember struct {
	Rows    map[string]int64 `json:"rows"`
	Receipt Receipt          `json:"receipt"`
}

// Session is a signed-in browser of a person.
type Session struct {
	AccountID toksta.AccountID `json:"account_id,omitempty"` // that its pages show
	Method    string           `json:"method"`               // of the sign-in: password, link, passkey, provider or vendor
	CreatedAt time.Time        `json:"created_at"`           // of the sign-in
	SeenAt    time.Time        `json:"seen_at"`              // of the last request, accurate to minutes
	ExpiresAt time.Time        `json:"expires_at"`           // at the latest
	Address   string           `json:"address,omitempty"`
	Agent     string           `json:"agent,omitempty"`
}

// SessionList has the sessions of a person, the newest first.
type SessionList struct {
	Sessions []Session `json:"sessions"`
}

// EndedSessions has the number of ended sessions.
type EndedSessions struct {
	Ended int `json:"ended"`
}

// Members returns the members of an account, also the disabled ones, the longest-standing first.
func (c *Client) Members(ctx context.Context, r AccountRef) (MemberList, error) {
	return call[MemberList](ctx, c, "members/list", r)
}

// InviteMember invites a person to an account, by mail or by a link.
func (c *Client) InviteMember(ctx context.Context, r InviteMemberRequest) (InvitedMember, error) {
	return call[InvitedMember](ctx, c, "members/invite", r)
}

// SetRole changes the role of a member in an account. The last owner who can sign in keeps the
// role, unless the request permits it.
func (c *Client) SetRole(ctx context.Context, r SetRoleRequest) (ChangedMember, error) {
	return call[ChangedMember](ctx, c, "members/set-role", r)
}

// DisableMember takes the use of an account, or of all accounts, from a member until
// EnableMember, and ends the sessions that show it. Keys that the member made keep working.
func (c *Client) DisableMember(ctx context.Context, r DisableMemberRequest) (ChangedMember, error) {
	return call[ChangedMember](ctx, c, "members/disable", r)
}

// EnableMember gives a disabled member the use of an account back, with the previous role.
func (c *Client) EnableMember(ctx context.Context, r EnableMemberRequest) (ChangedMember, error) {
	return call[ChangedMember](ctx, c, "members/enable", r)
}

// RemoveMember removes a member from an account, ends the sessions that show it, and keeps or
// revokes the keys that the member made, in the same change.
func (c *Client) RemoveMember(ctx context.Context, r RemoveMemberRequest) (RemovedMember, error) {
	return call[RemovedMember](ctx, c, "members/remove", r)
}

// ResetFactors removes the passkeys, the authenticator app and the recovery codes of a person, for
// example after the loss of a phone, and ends all sessions of the person.
func (c *Client) ResetFactors(ctx context.Context, r PersonRef) error {
	_, err := call[struct{}](ctx, c, "members/reset-factors", r)
	return err
}

// Sessions returns the sessions of a person in all accounts.
func (c *Client) Sessions(ctx context.Context, r PersonRef) (SessionList, error) {
	return call[SessionList](ctx, c, "members/sessions", r)
}

// EndSessions ends all sessions of a person, and the links in mails that were not used. The
// person can sign in again.
func (c *Client) EndSessions(ctx context.Context, r PersonRef) (EndedSessions, error) {
	return call[EndedSessions](ctx, c, "members/end-sessions", r)
}

// EraseMember removes the personal data of a person who belongs to no account. The ids stay, and so
// do the keys that the person made. If a call fails, repeat it: it removes the rest.
func (c *Client) EraseMember(ctx context.Context, r EraseMemberRequest) (ErasedMember, error) {
	return call[ErasedMember](ctx, c, "members/erase", r)
}
