package client

import (
	"context"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// MaxImport is the most rows of one ImportRequest.
const MaxImport = 10_000

// ImportRow is a key that another system made, by the digest of its secret.
type ImportRow struct {
	Digest    string           `json:"digest"` // SHA-256 in hex
	Account   toksta.AccountID `json:"account"`
	Name      string           `json:"name,omitempty"` // "": Imported key
	Scopes    []toksta.Family  `json:"scopes,omitempty"`
	Start     string           `json:"start,omitempty"` // visible characters behind the prefix
	End       string           `json:"end,omitempty"`
	CreatedAt *time.Time       `json:"created_at,omitempty"` // nil: now
	ExpiresAt *time.Time       `json:"expires_at,omitempty"` // nil: never
}

// ImportRequest imports a batch in one change. Repeating it is harmless: keys
// that exist are left as they are.
type ImportRequest struct {
	Rows   []ImportRow `json:"rows"`
	DryRun bool        `json:"dry_run,omitempty"`
	Token  string      `json:"token,omitempty"`
}

// ImportAnswer says what became of a batch. Rejected rows do not keep the
// others out.
type ImportAnswer struct {
	Imported int        `json:"imported"`
	Existing int        `json:"existing"` // digests that were there before, left as they are
	Rejected []Rejected `json:"rejected"`
	Receipt  Receipt    `json:"receipt"`
}

// Rejected is a row that cannot be imported.
type Rejected struct {
	Row    int    `json:"row"` // index in the batch
	Reason string `json:"reason"`
}

// ImportKeys imports a batch of at most MaxImport rows.
func (c *Client) ImportKeys(ctx context.Context, r ImportRequest) (ImportAnswer, error) {
	return call[ImportAnswer](ctx, c, "keys/import", r)
}
