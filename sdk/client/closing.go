package client

import (
	"context"
)

// CloseAccountResponse is a closed account, with the numbers of keys and invitations that
// the change revoked.
type CloseAccountResponse struct {
	Account            Account `json:"account"`
	RevokedKeys        int     `json:"revoked_keys"`
	RevokedInvitations int     `json:"revoked_invitations"`
	Receipt            Receipt `json:"receipt"`
}

// EraseAccountRequest names an account whose personal data is erased. Confirm repeats its id,
// because nothing can undo an erasure.
type EraseAccountRequest struct {
	AccountRef
	Confirm string `json:"confirm"`
}

// EraseAccountResponse is an account without its personal data.
type EraseAccountResponse struct {
	Account Account          `json:"account"`
	Members int              `json:"members"` // people whose data was erased: they belonged to no other account
	Rows    map[string]int64 `json:"rows"`    // numbers of changed and deleted rows, by table of the database
	Receipt Receipt          `json:"receipt"`
}

// CloseAccount closes an account: it revokes all its keys and open invitations in one change.
// No key can be created in a closed account. Its members can still read it, and its usage and
// its audit trail are kept. Closing a closed account changes nothing.
func (c *Client) CloseAccount(ctx context.Context, r AccountRef) (CloseAccountResponse, error) {
	return call[CloseAccountResponse](ctx, c, "accounts/close", r)
}

// ReopenAccount opens a closed account again. Its keys and invitations stay revoked. The
// personal data of the account must not have been erased.
func (c *Client) ReopenAccount(ctx context.Context, r AccountRef) (AccountResponse, error) {
	return call[AccountResponse](ctx, c, "accounts/reopen", r)
}

// EraseAccount removes the personal data of a closed account, and of its people who belong to no
// other account. Numbers, times and ids stay in usage, credits and the audit trail. If a call
// fails, repeat it: it removes the rest.
func (c *Client) EraseAccount(ctx context.Context, r EraseAccountRequest) (EraseAccountResponse, error) {
	return call[EraseAccountResponse](ctx, c, "accounts/erase", r)
}
