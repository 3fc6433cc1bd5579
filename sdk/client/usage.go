package client

import (
	"cmp"
	"context"
	"encoding/json"
	"time"
)

// UsageRequest selects a month of an account, such as "2026-01". An empty month
// stands for the current one.
type UsageRequest struct {
	AccountRef
	Month string `json:"month,omitempty"`
}

// UsageByRequest selects usage grouped by "key", "family", "operation", "hour",
// "day" or "reason". The period is Month, such as "2026-01", or, if From is
// set, the whole hours from From, inclusive, to To, exclusive. A nil To stands
// for now. An empty Month without From stands for the current month.
type UsageByRequest struct {
	AccountRef
	By    string     `json:"by"`
	Month string     `json:"month,omitempty"`
	From  *time.Time `json:"from,omitempty"`
	To    *time.Time `json:"to,omitempty"`
}

// UsageTable is grouped usage. Total is the sum of the rows.
type UsageTable struct {
	By string `json:"by"`
	// Currency is the code of the currency, empty for the default one.
	Currency string     `json:"currency,omitempty"`
	From     time.Time  `json:"from"`
	To       time.Time  `json:"to"`
	Rows     []UsageRow `json:"rows"`
	Total    UsageSum   `json:"total"`
}

// UsageRow is the usage of one group.
type UsageRow struct {
	Of   string `json:"of"`             // the group: id of a key, a name, a day, or the start of an hour
	Name string `json:"name,omitempty"` // name of the key, if By is "key"
	UsageSum
}

// UsageSum has the totals of the calls in a group.
type UsageSum struct {
	Calls   int64       `json:"calls"` // admitted calls
	Refused int64       `json:"refused"`
	Credits int64       `json:"credits_charged"`
	Overage json.Number `json:"overage_usd,omitempty"`    // in the default currency
	Amount  json.Number `json:"overage_amount,omitempty"` // in another currency, instead of Overage
}

// Price returns the price of the overage in the vendor's currency.
func (s UsageSum) Price() json.Number { return cmp.Or(s.Overage, s.Amount) }

// Usage returns the usage report of an account, the document that its keys read
// at GET /v1/account/usage.
func (c *Client) Usage(ctx context.Context, r UsageRequest) (json.RawMessage, error) {
	return call[json.RawMessage](ctx, c, "usage", r)
}

// UsageBy returns the usage of an account in groups. For the same month, its
// total equals the total of Usage.
func (c *Client) UsageBy(ctx context.Context, r UsageByRequest) (UsageTable, error) {
	return call[UsageTable](ctx, c, "usage/by", r)
}
