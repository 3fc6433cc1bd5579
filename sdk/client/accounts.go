package client

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Account is an account, with the rights that its plan and its billing state
// give it now.
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
	ExternalID   string              `json:"external_id,omitempty"` // id in the vendor's systems; "": none
	Metadata     map[string]string   `json:"metadata,omitempty"`
	ClosedAt     time.Time           `json:"closed_at,omitzero"` // when the account was closed, and its keys revoked
	ErasedAt     time.Time           `json:"erased_at,omitzero"` // when the personal data of the closed account was erased

	Blocked   toksta.Reason   `json:"blocked,omitempty"` // reason why no key of the account is admitted
	Families  []toksta.Family `json:"families"`
	PerMinute int             `json:"per_minute"`

	// The further limits on the calls of the account. 0: no limit.
	PerHour    int `json:"per_hour,omitempty"`
	PerDay     int `json:"per_day,omitempty"`
	Concurrent int `json:"concurrent,omitempty"` // calls at the same time, on each node
}

// AccountDetail is an account with its members and the number of its live keys.
type AccountDetail struct {
	Account
	Members  []Member `json:"members"`
	LiveKeys int      `json:"live_keys"`
}

// Member is a person who can sign in to an account.
type Member struct {
	ID    toksta.MemberID `json:"id"`
	Email string          `json:"email"`
	Name  string          `json:"name"`
	// Role is the member's role in the account of the response.
	Role       toksta.MemberRole `json:"role,omitempty"`
	CreatedAt  time.Time         `json:"created_at"`
	VerifiedAt time.Time         `json:"verified_at,omitzero"` // when the address was verified
	ExpiresAt  time.Time         `json:"expires_at,omitzero"`  // when the sign-up ends, unless the address is verified before
	DisabledAt time.Time         `json:"disabled_at,omitzero"` // in the account of the response, or everywhere
	// DisabledEverywhere is set if the person is disabled in all accounts.
	DisabledEverywhere bool      `json:"disabled_everywhere,omitempty"`
	JoinedAt           time.Time `json:"joined_at,omitzero"`  // the account of the response
	RemovedAt          time.Time `json:"removed_at,omitzero"` // from the account of the response
	// Consent has the terms that the person accepted at ConsentAt, empty if they were
	// asked for no consent.
	Consent   string    `json:"consent,omitempty"`
	ConsentAt time.Time `json:"consent_at,omitzero"`
}

// CreateAccountRequest describes a new account. An empty plan stands for the
// plan of new accounts, an empty status for active.
type CreateAccountRequest struct {
	Name    string        `json:"name"`
	Plan    toksta.PlanID `json:"plan,omitempty"`
	Status  toksta.Status `json:"status,omitempty"`
	Cadence string        `json:"cadence,omitempty"`
	// CycleAnchor is any day on which a billing cycle began. Nil stands for today;
	// on the free plan, it stands for no anchor.
	CycleAnchor *time.Time        `json:"cycle_anchor,omitempty"`
	ExternalID  string            `json:"external_id,omitempty"` // see toksta.ValidateExternalID; "": none
	Metadata    map[string]string `json:"metadata,omitempty"`    // see toksta.ValidateMetadata
	Token       string            `json:"token,omitempty"`
}

// AccountResponse is an account after a change.
type AccountResponse struct {
	Account Account `json:"account"`
	Receipt Receipt `json:"receipt"`
}

// AccountRef identifies an account, by its id or its external id.
type AccountRef struct {
	Account toksta.AccountID `json:"account"`
}

// PageRequest selects a page of a list in the order of ids.
type PageRequest struct {
	After string `json:"after,omitempty"` // only ids after this one
	Limit int    `json:"limit,omitempty"` // largest number of rows; 0: a default
}

// ListAccountsRequest selects the accounts that meet all conditions; an empty
// field is no condition. Accounts are in the order of their ids, and with Name in
// the order of names.
type ListAccountsRequest struct {
	Email      string        `json:"email,omitempty"` // address of a member
	Name       string        `json:"name,omitempty"`  // start of the name; A to Z in any case
	ExternalID string        `json:"external_id,omitempty"`
	Plan       toksta.PlanID `json:"plan,omitempty"`
	Status     toksta.Status `json:"status,omitempty"`
	After      string        `json:"after,omitempty"` // Next of the page before
	Limit      int           `json:"limit,omitempty"`
}

// AccountPage is a page of accounts. Next is the next page's After, "" on the
// last page. With conditions, a page can have fewer accounts than its limit, or
// none, though others follow.
type AccountPage struct {
	Accounts []Account        `json:"accounts"`
	Next     toksta.AccountID `json:"next,omitempty"`
}

// RenameAccountRequest sets the name of an account.
type RenameAccountRequest struct {
	AccountRef
	Name string `json:"name"`
}

// SetPlanRequest sets the plan of an account.
type SetPlanRequest struct {
	AccountRef
	Plan    toksta.PlanID `json:"plan"`
	Cadence string        `json:"cadence,omitempty"` // "": unchanged
	// CycleAnchor is any day on which a billing cycle began. Nil leaves it
	// unchanged, and stands for today if the subscription is new.
	CycleAnchor *time.Time `json:"cycle_anchor,omitempty"`
}

// SetStatusRequest sets the billing state of a subscription.
type SetStatusRequest struct {
	AccountRef
	Status toksta.Status `json:"status"`
}

// SetEntitlementRequest sets one exception of an account from its plan. Name is
// the entitlement's name in responses, for example "api_access_enabled".
type SetEntitlementRequest struct {
	AccountRef
	Name string `json:"name"`
	// Value is true or false, a number, an amount of money such as 12.50, or
	// "default". For purchased_credits it is the total ever bought, or a
	// difference such as "+500".
	Value string `json:"value"`
	Token string `json:"token,omitempty"` // idempotency token: a repeated request changes nothing
}

// InviteRequest describes an invitation. An empty account stands for a new
// account.
type InviteRequest struct {
	Account toksta.AccountID  `json:"account,omitempty"`
	Email   string            `json:"email,omitempty"`
	Role    toksta.MemberRole `json:"role,omitempty"` // in the account; "": owner
}

// InviteResponse has the code of an invitation, which is shown only once.
type InviteResponse struct {
	Code      string    `json:"code"`
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
	Receipt   Receipt   `json:"receipt"`
}

// AddMemberRequest describes a new member who signs in with a password.
type AddMemberRequest struct {
	AccountRef
	Email    string            `json:"email"`
	Name     string            `json:"name"`
	Password string            `json:"password"`
	Role     toksta.MemberRole `json:"role,omitempty"` // "": owner
}

// SetPasswordRequest sets the password of a member, named by id or e-mail address.
type SetPasswordRequest struct {
	Member   toksta.MemberID `json:"member"`
	Password string          `json:"password"`
}

// MemberResponse is a new member.
type MemberResponse struct {
	Member Member `json:"member"`
}

// CreateAccount creates an account without members.
func (c *Client) CreateAccount(ctx context.Context, r CreateAccountRequest) (AccountResponse, error) {
	return call[AccountResponse](ctx, c, "accounts/create", r)
}

// ListAccounts returns a page of accounts.
func (c *Client) ListAccounts(ctx context.Context, r ListAccountsRequest) (AccountPage, error) {
	return call[AccountPage](ctx, c, "accounts/list", r)
}

// Account returns one account with its members.
func (c *Client) Account(ctx context.Context, r AccountRef) (AccountDetail, error) {
	return call[AccountDetail](ctx, c, "accounts/show", r)
}

// RenameAccount sets the name of an account.
func (c *Client) RenameAccount(ctx context.Context, r RenameAccountRequest) (AccountResponse, error) {
	return call[AccountResponse](ctx, c, "accounts/rename", r)
}

// SetPlan moves an account to another plan.
func (c *Client) SetPlan(ctx context.Context, r SetPlanRequest) (AccountResponse, error) {
	return call[AccountResponse](ctx, c, "accounts/set-plan", r)
}

// SetStatus sets the billing state of an account.
func (c *Client) SetStatus(ctx context.Context, r SetStatusRequest) (AccountResponse, error) {
	return call[AccountResponse](ctx, c, "accounts/set-status", r)
}

// SetEntitlement sets one exception of an account from its plan.
func (c *Client) SetEntitlement(ctx context.Context, r SetEntitlementRequest) (AccountResponse, error) {
	return call[AccountResponse](ctx, c, "accounts/set-entitlement", r)
}

// Invite creates an invitation.
func (c *Client) Invite(ctx context.Context, r InviteRequest) (InviteResponse, error) {
	return call[InviteResponse](ctx, c, "accounts/invite", r)
}

// AddMember adds a member to an account.
func (c *Client) AddMember(ctx context.Context, r AddMemberRequest) (MemberResponse, error) {
	return call[MemberResponse](ctx, c, "accounts/add-member", r)
}

// SetPassword sets the password of a member and ends all sessions of the
// member.
func (c *Client) SetPassword(ctx context.Context, r SetPasswordRequest) error {
	_, err := call[struct{}](ctx, c, "accounts/set-password", r)
	return err
}
