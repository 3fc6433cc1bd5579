package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// ExportStatus is how far the export of usage is, for all nodes together.
type ExportStatus struct {
	On          bool      `json:"on"`
	Through     time.Time `json:"through"`      // all hours before it are delivered as they are now
	Waiting     int64     `json:"waiting"`      // events and rows yet to be delivered
	Delivered   int64     `json:"delivered"`    // events ever
	DeliveredAt time.Time `json:"delivered_at"` // zero: never
	FailedAt    time.Time `json:"failed_at"`    // zero: never
	Failure     string    `json:"failure"`      // why the last events were not delivered; "" when they were
}

// UsageTableRequest asks for the usage of whole hours, From to before To.
type UsageTableRequest struct {
	Account toksta.AccountID `json:"account,omitempty"` // "": all
	From    time.Time        `json:"from"`
	To      time.Time        `json:"to"`
	Daily   bool             `json:"daily,omitempty"` // by day; else by hour
}

// ExportStatus returns how far the export of usage is.
func (c *Client) ExportStatus(ctx context.Context) (ExportStatus, error) {
	return call[ExportStatus](ctx, c, "export/status", struct{}{})
}

// UsageTable writes usage to w as CSV with a header, as it comes. After an error
// what was written is a part.
func (c *Client) UsageTable(ctx context.Context, r UsageTableRequest, w io.Writer) error {
	resp, err := c.post(ctx, "usage/table", r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return fmt.Errorf("read the answer of usage/table: %w", err)
		}
		return decode(data, resp.StatusCode, nil)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("read the table: %w", err)
	}
	return nil
}
