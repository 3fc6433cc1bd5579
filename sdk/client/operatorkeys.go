package client

import (
	"context"
	"net/netip"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// OperatorKey is a key of the operator API, without its secret.
type OperatorKey struct {
	ID              toksta.OperatorKeyID `json:"id"`
	Name            string               `json:"name"`
	State           toksta.KeyState      `json:"state"`
	Preview         string               `json:"preview"` // "tk_op_a1b2…9f0e"
	Roles           []toksta.Role        `json:"roles"`
	Networks        []netip.Prefix       `json:"networks"` // empty: any address
	CreatedAt       time.Time            `json:"created_at"`
	CreatedBy       string               `json:"created_by"`
	ExpiresAt       time.Time            `json:"expires_at,omitzero"`
	RevokedAt       time.Time            `json:"revoked_at,omitzero"`
	LastUsedAt      time.Time            `json:"last_used_at,omitzero"` // recorded once a minute
	LastUsedAddress string               `json:"last_used_address,omitempty"`
	Generations     []Generation         `json:"generations"`
}

// CreateOperatorKeyRequest describes a new operator key. If Token is set, a repeated
// request with the same token does not create another key. With an operator key, the new
// key cannot have more rights than the key of the request.
type CreateOperatorKeyRequest struct {
	Name      string         `json:"name"`
	Roles     []toksta.Role  `json:"roles"`
	Networks  []netip.Prefix `json:"networks,omitempty"`   // empty: any address
	ExpiresAt *time.Time     `json:"expires_at,omitempty"` // nil: never
	Token     string         `json:"token,omitempty"`
}

// OperatorSecretResponse has a new secret, which is shown only once.
type OperatorSecretResponse struct {
	Key     OperatorKey `json:"key"`
	Secret  string      `json:"secret"`
	Receipt Receipt     `json:"receipt"`
}

// OperatorKeyResponse is an operator key after a change.
type OperatorKeyResponse struct {
	Key     OperatorKey `json:"key"`
	Receipt Receipt     `json:"receipt"`
}

// OperatorKeyRef identifies an operator key.
type OperatorKeyRef struct {
	Key toksta.OperatorKeyID `json:"key"`
}

// ListOperatorKeysRequest selects operator keys, in the order of their creation.
type ListOperatorKeysRequest struct {
	Revoked bool                 `json:"revoked,omitempty"` // include revoked keys
	After   toksta.OperatorKeyID `json:"after,omitempty"`
	Limit   int                  `json:"limit,omitempty"`
}

// OperatorKeyPage is a page of operator keys. Next is the next page's After, "" on the
// last page.
type OperatorKeyPage struct {
	Keys []OperatorKey        `json:"keys"`
	Next toksta.OperatorKeyID `json:"next,omitempty"`
}

// RotateOperatorKeyRequest replaces the secret of an operator key; the old secret is
// revoked. Generation and Token are those of [RotateKeyRequest].
type RotateOperatorKeyRequest struct {
	OperatorKeyRef
	Generation int    `json:"generation,omitempty"`
	Token      string `json:"token,omitempty"`
}

// CreateOperatorKey creates an operator key. Only this response has its secret.
func (c *Client) CreateOperatorKey(ctx context.Context, r CreateOperatorKeyRequest) (OperatorSecretResponse, error) {
	return call[OperatorSecretResponse](ctx, c, "operator-keys/create", r)
}

// ListOperatorKeys returns a page of operator keys.
func (c *Client) ListOperatorKeys(ctx context.Context, r ListOperatorKeysRequest) (OperatorKeyPage, error) {
	return call[OperatorKeyPage](ctx, c, "operator-keys/list", r)
}

// OperatorKey returns one operator key with its generations and its last use.
func (c *Client) OperatorKey(ctx context.Context, r OperatorKeyRef) (OperatorKey, error) {
	return call[OperatorKey](ctx, c, "operator-keys/show", r)
}

// RotateOperatorKey replaces the secret of an operator key. Only this response has the
// new secret. When it returns, no node accepts the old one.
func (c *Client) RotateOperatorKey(ctx context.Context, r RotateOperatorKeyRequest) (OperatorSecretResponse, error) {
	return call[OperatorSecretResponse](ctx, c, "operator-keys/rotate", r)
}

// RevokeOperatorKey revokes an operator key permanently. Revoking a revoked key changes
// nothing.
func (c *Client) RevokeOperatorKey(ctx context.Context, r OperatorKeyRef) (OperatorKeyResponse, error) {
	return call[OperatorKeyResponse](ctx, c, "operator-keys/revoke", r)
}
