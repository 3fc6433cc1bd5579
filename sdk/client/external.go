package client

import "context"

// SetAccountExternalIDRequest sets the id that an account has in the vendor's
// systems. "" removes it.
type SetAccountExternalIDRequest struct {
	AccountRef
	ExternalID string `json:"external_id"`
}

// SetKeyExternalIDRequest sets the id that a key has in the vendor's systems. ""
// removes it.
type SetKeyExternalIDRequest struct {
	KeyRef
	ExternalID string `json:"external_id"`
}

// MetadataChange sets and unsets pairs of metadata, and leaves all other pairs
// unchanged. If Replace is true, it removes all other pairs.
type MetadataChange struct {
	Set     map[string]string `json:"set,omitempty"`
	Unset   []string          `json:"unset,omitempty"`
	Replace bool              `json:"replace,omitempty"`
}

// SetAccountMetadataRequest changes the metadata of an account.
type SetAccountMetadataRequest struct {
	AccountRef
	MetadataChange
}

// SetKeyMetadataRequest changes the metadata of a key.
type SetKeyMetadataRequest struct {
	KeyRef
	MetadataChange
}

// SetAccountExternalID sets or removes the external id of an account. If another
// account has it, the error is CONFLICT.
func (c *Client) SetAccountExternalID(ctx context.Context, r SetAccountExternalIDRequest) (AccountResponse, error) {
	return call[AccountResponse](ctx, c, "accounts/set-external-id", r)
}

// SetAccountMetadata changes the metadata of an account.
func (c *Client) SetAccountMetadata(ctx context.Context, r SetAccountMetadataRequest) (AccountResponse, error) {
	return call[AccountResponse](ctx, c, "accounts/set-metadata", r)
}

// SetKeyExternalID sets or removes the external id of a key. If another key has
// it, the error is CONFLICT.
func (c *Client) SetKeyExternalID(ctx context.Context, r SetKeyExternalIDRequest) (KeyResponse, error) {
	return call[KeyResponse](ctx, c, "keys/set-external-id", r)
}

// SetKeyMetadata changes the metadata of a key.
func (c *Client) SetKeyMetadata(ctx context.Context, r SetKeyMetadataRequest) (KeyResponse, error) {
	return call[KeyResponse](ctx, c, "keys/set-metadata", r)
}
