package client

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// MaxImport is the largest number of rows in an ImportRequest.
const MaxImport = 10_000

// ImportRow is a key that another system created, identified by the digest of
// its secret.
type ImportRow struct {
	Digest     string            `json:"digest"`         // SHA-256 in hex
	Account    toksta.AccountID  `json:"account"`        // id or external id
	Name       string            `json:"name,omitempty"` // "": "Imported key"
	Scopes     []toksta.Family   `json:"scopes,omitempty"`
	Start      string            `json:"start,omitempty"` // visible characters after the prefix
	End        string            `json:"end,omitempty"`
	CreatedAt  *time.Time        `json:"created_at,omitempty"`  // nil: now
	ExpiresAt  *time.Time        `json:"expires_at,omitempty"`  // nil: never
	ExternalID string            `json:"external_id,omitempty"` // of the key; see toksta.ValidateExternalID
	Metadata   map[string]string `json:"metadata,omitempty"`    // see toksta.ValidateMetadata
}

// ImportRequest imports a batch of keys in one change. It leaves existing keys
// unchanged, so it can be repeated.
type ImportRequest struct {
	Rows   []ImportRow `json:"rows"`
	DryRun bool        `json:"dry_run,omitempty"`
	Token  string      `json:"token,omitempty"`
}

// ImportResponse is the result of a batch. A rejected row does not affect the
// other rows.
type ImportResponse struct {
	Imported int        `json:"imported"`
	Existing int        `json:"existing"` // digests that existed before
	Rejected []Rejected `json:"rejected"`
	Receipt  Receipt    `json:"receipt"`
}

// Rejected is a row that cannot be imported.
type Rejected struct {
	Row    int    `json:"row"` // index in the batch
	Reason string `json:"reason"`
}

// ImportKeys imports a batch of at most MaxImport rows.
func (c *Client) ImportKeys(ctx context.Context, r ImportRequest) (ImportResponse, error) {
	return call[ImportResponse](ctx, c, "keys/import", r)
}
