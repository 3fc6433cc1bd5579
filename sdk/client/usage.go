package client

import (
	"context"
	"encoding/json"
	"time"
)

// UsageRequest asks for an account's month, "2026-01"; "" is the current one.
type UsageRequest struct {
	AccountRef
	Month string `json:"month,omitempty"`
}

// UsageByRequest asks for usage from one side: "key", "family", "operation",
// "hour", "day" or "reason". It is about a month, as in UsageRequest, or about
// the whole hours [From, To); without To up to now.
type UsageByRequest struct {
	AccountRef
	By    string     `json:"by"`
	Month string     `json:"month,omitempty"`
	From  *time.Time `json:"from,omitempty"`
	To    *time.Time `json:"to,omitempty"`
}

// UsageTable is usage from one side. The rows add up to Total.
type UsageTable struct {
	By    string     `json:"by"`
	From  time.Time  `json:"from"`
	To    time.Time  `json:"to"`
	Rows  []UsageRow `json:"rows"`
	Total UsageSum   `json:"total"`
}

// UsageRow is what one key, family and so on came to.
type UsageRow struct {
	Of   string `json:"of"`             // a key's id, a word, a day, or when an hour begins
	Name string `json:"name,omitempty"` // of a key
	UsageSum
}

// UsageSum is what some calls came to.
type UsageSum struct {
	Calls   int64       `json:"calls"` // admitted ones
	Refused int64       `json:"refused"`
	Credits int64       `json:"credits_charged"`
	Overage json.Number `json:"overage_usd"`
}

// Usage returns the document that the account's own GET /v1/account/usage
// answers with.
func (c *Client) Usage(ctx context.Context, r UsageRequest) (json.RawMessage, error) {
	return call[json.RawMessage](ctx, c, "usage", r)
}

// UsageBy breaks an account's usage down. Its numbers are those of Usage.
func (c *Client) UsageBy(ctx context.Context, r UsageByRequest) (UsageTable, error) {
	return call[UsageTable](ctx, c, "usage/by", r)
}
