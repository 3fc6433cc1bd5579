package client

import (
	"context"
	"net/netip"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Key is an API key as an operator sees it, without its secret.
type Key struct {
	ID          toksta.KeyID      `json:"id"`
	AccountID   toksta.AccountID  `json:"account_id"`
	Name        string            `json:"name"`
	State       toksta.KeyState   `json:"state"`
	Preview     string            `json:"preview"` // "tk_live_a1b2…9f0e"
	Scopes      []toksta.Family   `json:"scopes"`  // empty: all families of the plan
	Networks    []netip.Prefix    `json:"networks"`
	PerMinute   int               `json:"per_minute"`
	CreatedAt   time.Time         `json:"created_at"`
	CreatedBy   string            `json:"created_by"`
	CreatedByID toksta.MemberID   `json:"created_by_id,omitempty"` // "": no member
	ExpiresAt   time.Time         `json:"expires_at,omitzero"`
	RevokedAt   time.Time         `json:"revoked_at,omitzero"`
	ExternalID  string            `json:"external_id,omitempty"` // id in the vendor's systems; "": none
	Metadata    map[string]string `json:"metadata,omitempty"`
	Generations []Generation      `json:"generations"`
}

// KeyDetail is a key with all data that its account's page shows.
type KeyDetail struct {
	Key
	AccountName string `json:"account_name"`
	// Blocked is the reason why no key of the account is admitted, "" if keys are
	// admitted. It does not regard credits.
	Blocked toksta.Reason `json:"blocked,omitempty"`
	// Rejection states since when and why calls with the key are rejected; nil: they are
	// admitted. It does not regard rate limits and networks.
	Rejection *KeyRejection `json:"rejection,omitempty"`
	// Families are the endpoint families that the key can call now.
	Families []toksta.Family `json:"families"`
	LastUse  *KeyUse         `json:"last_use,omitempty"` // nil: never used, or not known
	Calls    *KeyCalls       `json:"calls,omitempty"`    // of this month; nil: usage cannot be read now
}

// KeyRejection states since when and why calls with a key are rejected.
type KeyRejection struct {
	Status int           `json:"status"` // of the responses
	Reason toksta.Reason `json:"reason"`
	Since  time.Time     `json:"since,omitzero"` // zero: not known
	Free   bool          `json:"free,omitempty"` // calls that cost no credits are still admitted
}

// KeyUse is the newest call of a key.
type KeyUse struct {
	At        time.Time `json:"at"`
	Operation string    `json:"operation"`
	Address   string    `json:"address"`
	Agent     string    `json:"agent,omitempty"`
}

// KeyCalls are the calls of a key in a month.
type KeyCalls struct {
	Month    string                  `json:"month"` // "2026-05"
	Admitted int64                   `json:"admitted"`
	Refused  int64                   `json:"refused"`
	Credits  int64                   `json:"credits"`
	Reasons  map[toksta.Reason]int64 `json:"reasons,omitempty"` // refused calls by reason
}

// Generation is one secret of a key. Generations are in order, the oldest
// first.
type Generation struct {
	Number    int       `json:"number"`
	Preview   string    `json:"preview"`
	CreatedAt time.Time `json:"created_at"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

// CreateKeyRequest describes a new key. If Token is set, a repeated request
// with the same token does not create another key.
type CreateKeyRequest struct {
	Account    toksta.AccountID  `json:"account"`
	Name       string            `json:"name"`
	Scopes     []toksta.Family   `json:"scopes,omitempty"`      // empty: all families of the plan
	Networks   []netip.Prefix    `json:"networks,omitempty"`    // empty: any address
	PerMinute  int               `json:"per_minute,omitempty"`  // 0: only the limit of the account
	ExpiresAt  *time.Time        `json:"expires_at,omitempty"`  // nil: never
	ExternalID string            `json:"external_id,omitempty"` // see toksta.ValidateExternalID; "": none
	Metadata   map[string]string `json:"metadata,omitempty"`    // see toksta.ValidateMetadata
	Token      string            `json:"token,omitempty"`
}

// SecretResponse has a new secret, which is shown only once.
type SecretResponse struct {
	Key     Key     `json:"key"`
	Secret  string  `json:"secret"`
	Receipt Receipt `json:"receipt"`
}

// KeyResponse is a key after a change.
type KeyResponse struct {
	Key     Key     `json:"key"`
	Receipt Receipt `json:"receipt"`
}

// KeyRef identifies a key, by its id or its external id. If Account is set, the key must belong to it.
type KeyRef struct {
	Account toksta.AccountID `json:"account,omitempty"`
	Key     toksta.KeyID     `json:"key"`
}

// ListKeysRequest selects the keys that meet all conditions; an empty field is no
// condition. Keys are in the order of their ids, and with Name in the order of
// names.
type ListKeysRequest struct {
	Account    toksta.AccountID `json:"account,omitempty"` // "": all accounts
	Name       string           `json:"name,omitempty"`    // start of the name; A to Z in any case
	ExternalID string           `json:"external_id,omitempty"`
	Start      string           `json:"start,omitempty"` // the visible characters after the prefix, of any generation
	End        string           `json:"end,omitempty"`   // the visible last characters, of any generation
	State      toksta.KeyState  `json:"state,omitempty"`
	Revoked    bool             `json:"revoked,omitempty"` // without State: include revoked keys
	After      toksta.KeyID     `json:"after,omitempty"`
	Limit      int              `json:"limit,omitempty"`
}

// KeyPage is a page of keys. Next is the next page's After, "" on the last page.
// With conditions, a page can have fewer keys than its limit, or none, though
// others follow.
type KeyPage struct {
	Keys []Key        `json:"keys"`
	Next toksta.KeyID `json:"next,omitempty"`
}

// RenameKeyRequest sets the name of a key.
type RenameKeyRequest struct {
	KeyRef
	Name string `json:"name"`
}

// SetLimitsRequest changes the limits of a key. A nil field leaves its limit
// unchanged; an empty list or 0 removes the limit.
type SetLimitsRequest struct {
	KeyRef
	Scopes    *[]toksta.Family `json:"scopes,omitempty"`
	Networks  *[]netip.Prefix  `json:"networks,omitempty"`
	PerMinute *int             `json:"per_minute,omitempty"`
}

// RotateKeyRequest replaces the secret of a key; the old secret is revoked. If
// Generation is set, it must be the number of the current secret, otherwise
// nothing is rotated. If Token is set, a repeated request with the same token
// does not rotate again.
type RotateKeyRequest struct {
	KeyRef
	Generation int    `json:"generation,omitempty"`
	Token      string `json:"token,omitempty"`
}

// RevokeManyRequest selects live keys that meet all conditions; at least one
// condition must be set. If an account, member, key or digest does not exist,
// or if no key meets the conditions, the call returns an error and revokes
// nothing. With SkipUnknown, it ignores keys and digests that do not exist.
type RevokeManyRequest struct {
	Account       toksta.AccountID `json:"account,omitempty"`
	CreatedBy     string           `json:"created_by,omitempty"` // id or e-mail address of a member, or "operator"
	CreatedBefore *time.Time       `json:"created_before,omitempty"`
	Keys          []toksta.KeyID   `json:"keys,omitempty"`
	Digests       []string         `json:"digests,omitempty"` // SHA-256 in hex of current secrets
	SkipUnknown   bool             `json:"skip_unknown,omitempty"`
	DryRun        bool             `json:"dry_run,omitempty"`
}

// KeysResponse has the keys that were changed together. Unknown is the number
// of keys and digests that do not exist and were ignored.
type KeysResponse struct {
	Keys    []Key   `json:"keys"`
	Unknown int     `json:"unknown,omitempty"`
	Receipt Receipt `json:"receipt"`
}

// CreateKey creates a key. Only this response has its secret.
func (c *Client) CreateKey(ctx context.Context, r CreateKeyRequest) (SecretResponse, error) {
	return call[SecretResponse](ctx, c, "keys/create", r)
}

// ListKeys returns a page of keys.
func (c *Client) ListKeys(ctx context.Context, r ListKeysRequest) (KeyPage, error) {
	return call[KeyPage](ctx, c, "keys/list", r)
}

// Key returns one key with its generations, its last use and its calls of this
// month.
func (c *Client) Key(ctx context.Context, r KeyRef) (KeyDetail, error) {
	return call[KeyDetail](ctx, c, "keys/show", r)
}

// RenameKey sets the name of a key.
func (c *Client) RenameKey(ctx context.Context, r RenameKeyRequest) (KeyResponse, error) {
	return call[KeyResponse](ctx, c, "keys/rename", r)
}

// SetKeyLimits changes the scopes, the networks or the rate limit of a key.
func (c *Client) SetKeyLimits(ctx context.Context, r SetLimitsRequest) (KeyResponse, error) {
	return call[KeyResponse](ctx, c, "keys/set-limits", r)
}

// RotateKey replaces the secret of a key. Only this response has the new
// secret.
func (c *Client) RotateKey(ctx context.Context, r RotateKeyRequest) (SecretResponse, error) {
	return call[SecretResponse](ctx, c, "keys/rotate", r)
}

// RevokeKey revokes a key permanently. Revoking a revoked key changes nothing.
func (c *Client) RevokeKey(ctx context.Context, r KeyRef) (KeyResponse, error) {
	return call[KeyResponse](ctx, c, "keys/revoke", r)
}

// RevokeKeys revokes all selected keys in one change.
func (c *Client) RevokeKeys(ctx context.Context, r RevokeManyRequest) (KeysResponse, error) {
	return call[KeysResponse](ctx, c, "keys/revoke-many", r)
}
