package client

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Account is an account and what its plan and billing state give it now.
type Account struct {
	ID           toksta.AccountID    `json:"id"`
	Name         string              `json:"name"`
	Plan         toksta.PlanID       `json:"plan"`
	Status       toksta.Status       `json:"status"`
	StatusSince  time.Time           `json:"status_since,omitzero"`
	Cadence      string              `json:"cadence,omitempty"`
	CycleAnchor  time.Time           `json:"cycle_anchor,omitzero"`
	Entitlements toksta.Entitlements `json:"entitlements"`
	CreatedAt    time.Time           `json:"created_at"`

	Blocked   toksta.Reason   `json:"blocked,omitempty"` // why no key of the account is admitted
	Families  []toksta.Family `json:"families"`
	PerMinute int             `json:"per_minute"`
}

// AccountDetail is an account with its people and the number of its live keys.
type AccountDetail struct {
	Account
	Members  []Member `json:"members"`
	LiveKeys int      `json:"live_keys"`
}

// Member is a person who can sign in.
type Member struct {
	ID         toksta.MemberID `json:"id"`
	Email      string          `json:"email"`
	Name       string          `json:"name"`
	CreatedAt  time.Time       `json:"created_at"`
	DisabledAt time.Time       `json:"disabled_at,omitzero"`
}

// CreateAccountRequest makes an account. Empty fields take the plan of new
// accounts and the status active.
type CreateAccountRequest struct {
	Name    string        `json:"name"`
	Plan    toksta.PlanID `json:"plan,omitempty"`
	Status  toksta.Status `json:"status,omitempty"`
	Cadence string        `json:"cadence,omitempty"`
	// CycleAnchor is any day that a billing cycle began on; nil: today, or none on
	// the free plan.
	CycleAnchor *time.Time `json:"cycle_anchor,omitempty"`
	Token       string     `json:"token,omitempty"`
}

// AccountAnswer is a changed account.
type AccountAnswer struct {
	Account Account `json:"account"`
	Receipt Receipt `json:"receipt"`
}

// AccountRef names an account.
type AccountRef struct {
	Account toksta.AccountID `json:"account"`
}

// PageRequest asks for a page in id order.
type PageRequest struct {
	After string `json:"after,omitempty"`
	Limit int    `json:"limit,omitempty"`
}

// AccountPage is a page of accounts; Next is empty on the last one.
type AccountPage struct {
	Accounts []Account        `json:"accounts"`
	Next     toksta.AccountID `json:"next,omitempty"`
}

// RenameAccountRequest gives an account another name.
type RenameAccountRequest struct {
	AccountRef
	Name string `json:"name"`
}

// SetPlanRequest moves an account to another plan.
type SetPlanRequest struct {
	AccountRef
	Plan    toksta.PlanID `json:"plan"`
	Cadence string        `json:"cadence,omitempty"` // "": as it is
	// CycleAnchor is any day that a billing cycle began on; nil: as it is, or today
	// for a new subscription.
	CycleAnchor *time.Time `json:"cycle_anchor,omitempty"`
}

// SetStatusRequest states the subscription's billing state.
type SetStatusRequest struct {
	AccountRef
	Status toksta.Status `json:"status"`
}

// SetEntitlementRequest sets one exception of an account from its plan, by the
// entitlement's name on the wire: "api_access_enabled".
type SetEntitlementRequest struct {
	AccountRef
	Name string `json:"name"`
	// Value is true or false, a number, dollars such as 12.50, or "default".
	// purchased_credits takes the total ever bought, or "+500" to add.
	Value string `json:"value"`
	Token string `json:"token,omitempty"` // makes a repeat of "+500" harmless
}

// InviteRequest invites a person; an empty account means a new one.
type InviteRequest struct {
	Account toksta.AccountID `json:"account,omitempty"`
	Email   string           `json:"email,omitempty"`
}

// InviteAnswer holds the code of an invitation, shown this once.
type InviteAnswer struct {
	Code      string    `json:"code"`
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
	Receipt   Receipt   `json:"receipt"`
}

// AddMemberRequest lets a person sign in with a password.
type AddMemberRequest struct {
	AccountRef
	Email    string `json:"email"`
	Name     string `json:"name"`
	Password string `json:"password"`
}

// SetPasswordRequest gives a member a new password.
type SetPasswordRequest struct {
	Member   toksta.MemberID `json:"member"`
	Password string          `json:"password"`
}

// MemberAnswer is a new member.
type MemberAnswer struct {
	Member Member `json:"member"`
}

// CreateAccount makes an account.
func (c *Client) CreateAccount(ctx context.Context, r CreateAccountRequest) (AccountAnswer, error) {
	return call[AccountAnswer](ctx, c, "accounts/create", r)
}

// ListAccounts returns a page of accounts.
func (c *Client) ListAccounts(ctx context.Context, r PageRequest) (AccountPage, error) {
	return call[AccountPage](ctx, c, "accounts/list", r)
}

// Account returns one account in detail.
func (c *Client) Account(ctx context.Context, r AccountRef) (AccountDetail, error) {
	return call[AccountDetail](ctx, c, "accounts/show", r)
}

// RenameAccount changes an account's name.
func (c *Client) RenameAccount(ctx context.Context, r RenameAccountRequest) (AccountAnswer, error) {
	return call[AccountAnswer](ctx, c, "accounts/rename", r)
}

// SetPlan moves an account to another plan.
func (c *Client) SetPlan(ctx context.Context, r SetPlanRequest) (AccountAnswer, error) {
	return call[AccountAnswer](ctx, c, "accounts/set-plan", r)
}

// SetStatus states an account's billing state.
func (c *Client) SetStatus(ctx context.Context, r SetStatusRequest) (AccountAnswer, error) {
	return call[AccountAnswer](ctx, c, "accounts/set-status", r)
}

// SetEntitlement sets one exception of an account from its plan.
func (c *Client) SetEntitlement(ctx context.Context, r SetEntitlementRequest) (AccountAnswer, error) {
	return call[AccountAnswer](ctx, c, "accounts/set-entitlement", r)
}

// Invite makes an invitation.
func (c *Client) Invite(ctx context.Context, r InviteRequest) (InviteAnswer, error) {
	return call[InviteAnswer](ctx, c, "accounts/invite", r)
}

// AddMember lets a person sign in for an account.
func (c *Client) AddMember(ctx context.Context, r AddMemberRequest) (MemberAnswer, error) {
	return call[MemberAnswer](ctx, c, "accounts/add-member", r)
}

// SetPassword gives a member a new password and ends all their sessions.
func (c *Client) SetPassword(ctx context.Context, r SetPasswordRequest) error {
	_, err := call[struct{}](ctx, c, "accounts/set-password", r)
	return err
}
