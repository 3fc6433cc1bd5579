package usage

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// TableQuery selects the usage of whole hours, or of whole days, from From to
// before To.
type TableQuery struct {
	Account  toksta.AccountID // "": all
	From, To time.Time
	Daily    bool
}

// CheckTable rejects a query that Table cannot answer: an empty table would pass
// for a time without usage, where it is no longer kept.
func (r *Reader) CheckTable(ctx context.Context, q TableQuery) error {
	step, unit := time.Hour, "an hour"
	if q.Daily {
		step, unit = 24*time.Hour, "a day"
	}
	whole := func(field string, at time.Time) error {
		if at.IsZero() || !at.Truncate(step).Equal(at) {
			return toksta.Invalid(field, "Name the start of "+unit+", UTC.")
		}
		return nil
	}
	if err := toksta.InvalidFields(whole("from", q.From), whole("to", q.To)); err != nil {
		return err
	}
	if err := r.Kept.checkKept(period{q.From.UTC(), q.To.UTC()}, r.now().UTC()); err != nil {
		return err
	}
	if q.Account == "" {
		return nil
	}
	_, err := r.Store.Account(ctx, q.Account)
	return store.Missing("account", err)
}

// Table writes usage of many accounts as CSV, one row for each account, hour or
// day, key, family, cost key and outcome, in this order. It holds one row at a
// time. Hours that were added up into days stand under the first of their day.
func (r *Reader) Table(ctx context.Context, w io.Writer, q TableQuery) error {
	layout, unit := time.RFC3339, "hour"
	if q.Daily {
		layout, unit = time.DateOnly, "day"
	}
	out := csv.NewWriter(w)
	_ = out.Write([]string{
		"account_id", unit, "key_id", "family", "cost_key", "outcome",
		"calls", "credits", "purchased", "overage", "overage_usd",
	})
	selected := store.UsageQuery{Account: q.Account, From: q.From, To: q.To, GroupDay: q.Daily}
	err := r.Store.EachUsage(ctx, selected, func(row store.UsageRow) error {
		n := func(i int64) string { return strconv.FormatInt(i, 10) }
		return out.Write([]string{
			string(row.AccountID), time.Unix(row.Hour*3600, 0).UTC().Format(layout), string(row.KeyID),
			inert(string(row.Family)), inert(row.CostKey), outcome(row.Reason),
			n(row.Calls), n(row.Charge.Credits), n(row.Charge.Purchased), n(row.Charge.Overage), Dollars(row.Charge.OverageMicros).String(),
		})
	})
	if err != nil {
		return fmt.Errorf("write the table of usage: %w", err)
	}
	out.Flush()
	return out.Error()
}

// outcome is what became of a row's calls.
func outcome(refused toksta.Reason) string {
	if refused == "" {
		return outcomeAdmitted
	}
	return string(refused)
}
