package client

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Invitation is an invitation to an account, without its code.
type Invitation struct {
	ID        toksta.InvitationID `json:"id"`
	AccountID toksta.AccountID    `json:"account_id,omitempty"` // "": a new account
	Email     string              `json:"email,omitempty"`      // the only address that can use it; "": any
	Role      toksta.MemberRole   `json:"role"`
	CreatedAt time.Time           `json:"created_at,omitzero"`
	CreatedBy toksta.MemberID     `json:"created_by,omitempty"` // the member who invited; "": the operator
	ExpiresAt time.Time           `json:"expires_at"`
}

// InvitationList has open invitations.
type InvitationList struct {
	Invitations []Invitation `json:"invitations"`
}

// InvitationsRequest selects the invitations to an account. An empty account selects those that
// make a new account.
type InvitationsRequest struct {
	Account toksta.AccountID `json:"account,omitempty"`
}

// InvitationRef names an invitation to an account, or to a new account if Account is empty.
type InvitationRef struct {
	Account    toksta.AccountID    `json:"account,omitempty"`
	Invitation toksta.InvitationID `json:"invitation"`
}

// RevokedInvitation has the receipt of the change.
type RevokedInvitation struct {
	Receipt Receipt `json:"receipt"`
}

// Invitations returns the open invitations that have not expired, the oldest first.
func (c *Client) Invitations(ctx context.Context, r InvitationsRequest) (InvitationList, error) {
	return call[InvitationList](ctx, c, "invitations/list", r)
}

// RevokeInvitation revokes an open invitation: its link no longer works.
func (c *Client) RevokeInvitation(ctx context.Context, r InvitationRef) (RevokedInvitation, error) {
	return call[RevokedInvitation](ctx, c, "invitations/revoke", r)
}
