package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// ExportStatus is the progress of the usage export, for all nodes together.
type ExportStatus struct {
	On          bool      `json:"on"`
	Through     time.Time `json:"through"`      // all usage before this time is delivered
	Waiting     int64     `json:"waiting"`      // events and rows that are not delivered yet
	Delivered   int64     `json:"delivered"`    // events delivered so far
	DeliveredAt time.Time `json:"delivered_at"` // zero: never
	FailedAt    time.Time `json:"failed_at"`    // zero: never
	Failure     string    `json:"failure"`      // cause of the last failed delivery; "" if the last delivery succeeded
}

// UsageTableRequest selects the usage of whole hours, from From, inclusive, to
// To, exclusive.
type UsageTableRequest struct {
	Account toksta.AccountID `json:"account,omitempty"` // "": all accounts
	From    time.Time        `json:"from"`
	To      time.Time        `json:"to"`
	Daily   bool             `json:"daily,omitempty"` // one row for each day, not for each hour
}

// ExportStatus returns the progress of the usage export.
func (c *Client) ExportStatus(ctx context.Context) (ExportStatus, error) {
	return call[ExportStatus](ctx, c, "export/status", struct{}{})
}

// UsageTable writes usage to w as CSV with a header, while it arrives. If
// UsageTable returns an error, w could have received a part of the table.
func (c *Client) UsageTable(ctx context.Context, r UsageTableRequest, w io.Writer) error {
	resp, err := c.post(ctx, "usage/table", r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		data, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
		if err != nil {
			return fmt.Errorf("read the response of usage/table: %w", err)
		}
		return decode(data, resp.StatusCode, nil)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("read the table: %w", err)
	}
	return nil
}
