package client

import (
	"context"
	"net/netip"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Key is an API key as an operator sees it. Its secret is nowhere.
type Key struct {
	ID          toksta.KeyID     `json:"id"`
	AccountID   toksta.AccountID `json:"account_id"`
	Name        string           `json:"name"`
	State       toksta.KeyState  `json:"state"`
	Preview     string           `json:"preview"` // "tk_live_a1b2…9f0e"
	Scopes      []toksta.Family  `json:"scopes"`  // empty: all of the plan
	Networks    []netip.Prefix   `json:"networks"`
	PerMinute   int              `json:"per_minute"`
	CreatedAt   time.Time        `json:"created_at"`
	CreatedBy   string           `json:"created_by"`
	CreatedByID toksta.MemberID  `json:"created_by_id,omitempty"` // "": no member did
	ExpiresAt   time.Time        `json:"expires_at,omitzero"`
	RevokedAt   time.Time        `json:"revoked_at,omitzero"`
	Generations []Generation     `json:"generations"`
}

// Generation is one secret of a key, oldest first.
type Generation struct {
	Number    int       `json:"number"`
	Preview   string    `json:"preview"`
	CreatedAt time.Time `json:"created_at"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

// CreateKeyRequest asks for a new key. Token, when set, makes a repeat of the
// request harmless.
type CreateKeyRequest struct {
	Account   toksta.AccountID `json:"account"`
	Name      string           `json:"name"`
	Scopes    []toksta.Family  `json:"scopes,omitempty"`     // empty: every family of the plan
	Networks  []netip.Prefix   `json:"networks,omitempty"`   // empty: from anywhere
	PerMinute int              `json:"per_minute,omitempty"` // 0: the account's limit alone
	ExpiresAt *time.Time       `json:"expires_at,omitempty"` // nil: never
	Token     string           `json:"token,omitempty"`
}

// SecretAnswer holds a new secret, shown this once.
type SecretAnswer struct {
	Key     Key     `json:"key"`
	Secret  string  `json:"secret"`
	Receipt Receipt `json:"receipt"`
}

// KeyAnswer is a changed key.
type KeyAnswer struct {
	Key     Key     `json:"key"`
	Receipt Receipt `json:"receipt"`
}

// KeyRef names a key. Account, when set, must own it.
type KeyRef struct {
	Account toksta.AccountID `json:"account,omitempty"`
	Key     toksta.KeyID     `json:"key"`
}

// ListKeysRequest asks for a page in id order.
type ListKeysRequest struct {
	Account toksta.AccountID `json:"account,omitempty"` // "": of all accounts
	Revoked bool             `json:"revoked,omitempty"` // revoked ones too
	After   toksta.KeyID     `json:"after,omitempty"`
	Limit   int              `json:"limit,omitempty"`
}

// KeyPage is a page of keys; Next is empty on the last one.
type KeyPage struct {
	Keys []Key        `json:"keys"`
	Next toksta.KeyID `json:"next,omitempty"`
}

// RenameKeyRequest gives a key another name.
type RenameKeyRequest struct {
	KeyRef
	Name string `json:"name"`
}

// SetLimitsRequest changes what narrows a key. A field left out (nil) stays as
// it is, an empty list or 0 lifts that limit.
type SetLimitsRequest struct {
	KeyRef
	Scopes    *[]toksta.Family `json:"scopes,omitempty"`
	Networks  *[]netip.Prefix  `json:"networks,omitempty"`
	PerMinute *int             `json:"per_minute,omitempty"`
}

// RotateKeyRequest asks for a new secret; the old one dies at that moment.
// Generation, when set, is the number of the secret to replace: if another one
// is current, nothing is rotated. Token makes a repeat of the request harmless.
type RotateKeyRequest struct {
	KeyRef
	Generation int    `json:"generation,omitempty"`
	Token      string `json:"token,omitempty"`
}

// RevokeManyRequest revokes the live keys that meet every condition stated;
// one at least must be. An account, member, key or digest that does not exist
// is an error, and so are conditions that no key meets: nothing is revoked
// then. SkipUnknown passes over keys and digests that do not exist.
type RevokeManyRequest struct {
	Account       toksta.AccountID `json:"account,omitempty"`
	CreatedBy     string           `json:"created_by,omitempty"` // a member's id, or "operator"
	CreatedBefore *time.Time       `json:"created_before,omitempty"`
	Keys          []toksta.KeyID   `json:"keys,omitempty"`
	Digests       []string         `json:"digests,omitempty"` // SHA-256 in hex of secrets in force
	SkipUnknown   bool             `json:"skip_unknown,omitempty"`
	DryRun        bool             `json:"dry_run,omitempty"`
}

// KeysAnswer is what was changed together. Unknown counts the keys and digests
// that do not exist and were passed over.
type KeysAnswer struct {
	Keys    []Key   `json:"keys"`
	Unknown int     `json:"unknown,omitempty"`
	Receipt Receipt `json:"receipt"`
}

// CreateKey makes a key.
func (c *Client) CreateKey(ctx context.Context, r CreateKeyRequest) (SecretAnswer, error) {
	return call[SecretAnswer](ctx, c, "keys/create", r)
}

// ListKeys returns a page of keys.
func (c *Client) ListKeys(ctx context.Context, r ListKeysRequest) (KeyPage, error) {
	return call[KeyPage](ctx, c, "keys/list", r)
}

// Key returns one key with its generations.
func (c *Client) Key(ctx context.Context, r KeyRef) (Key, error) {
	return call[Key](ctx, c, "keys/show", r)
}

// RenameKey changes a key's name.
func (c *Client) RenameKey(ctx context.Context, r RenameKeyRequest) (KeyAnswer, error) {
	return call[KeyAnswer](ctx, c, "keys/rename", r)
}

// SetKeyLimits changes a key's scopes, networks or rate limit.
func (c *Client) SetKeyLimits(ctx context.Context, r SetLimitsRequest) (KeyAnswer, error) {
	return call[KeyAnswer](ctx, c, "keys/set-limits", r)
}

// RotateKey replaces a key's secret.
func (c *Client) RotateKey(ctx context.Context, r RotateKeyRequest) (SecretAnswer, error) {
	return call[SecretAnswer](ctx, c, "keys/rotate", r)
}

// RevokeKey ends a key for good. Revoking a revoked key changes nothing.
func (c *Client) RevokeKey(ctx context.Context, r KeyRef) (KeyAnswer, error) {
	return call[KeyAnswer](ctx, c, "keys/revoke", r)
}

// RevokeKeys ends all selected keys as one change.
func (c *Client) RevokeKeys(ctx context.Context, r RevokeManyRequest) (KeysAnswer, error) {
	return call[KeysAnswer](ctx, c, "keys/revoke-many", r)
}
