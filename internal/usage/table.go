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

// TableQuery selects the usage of whole hours or whole days, [From, To).
type TableQuery struct {
	Account  toksta.AccountID // "": all
	From, To time.Time
	Daily    bool
}

// CheckTable rejects a query whose time is no longer kept, has not begun or is not whole hours or
// days, and an unknown account: an empty table would look like time without usage.
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
	if err := r.Kept.checkRetained(period{q.From.UTC(), q.To.UTC()}, r.now().UTC()); err != nil {
		return err
	}
	if q.Account == "" {
		return nil
	}
	_, err := r.Store.Account(ctx, q.Account)
	return store.Missing("account", q.Account, err)
}

// Table writes the usage of one account or of all as CSV. It has one row for each combination of
// account, hour (or day), key, family, cost key and outcome, sorted in this order, and keeps only
// one row in memory. Rolled-up hours appear as the first hour of their day.
func (r *Reader) Table(ctx context.Context, w io.Writer, q TableQuery) error {
	layout, unit := time.RFC3339, "hour"
	if q.Daily {
		layout, unit = time.DateOnly, "day"
	}
	out := csv.NewWriter(w)
	header, amount := amountColumns(r.Catalog.Currency)
	_ = out.Write(append([]string{
		"account_id", unit, "key_id", "family", "cost_key", "outcome",
		"calls", "credits", "purchased", "overage",
	}, append(header, "external_id")...))
	selected := store.UsageQuery{Account: q.Account, From: q.From, To: q.To, GroupDay: q.Daily}
	err := r.Store.EachUsage(ctx, selected, func(row store.UsageRow, externalID string) error {
		n := func(i int64) string { return strconv.FormatInt(i, 10) }
		return out.Write(append([]string{
			string(row.AccountID), time.Unix(row.Hour*3600, 0).UTC().Format(layout), string(row.KeyID),
			escapeFormula(string(row.Family)), escapeFormula(row.CostKey), outcome(row.Reason),
			n(row.Calls), n(row.Charge.Credits), n(row.Charge.Purchased), n(row.Charge.Overage),
		}, append(amount(row.Charge.OverageMicros), escapeFormula(externalID))...))
	})
	if err != nil {
		return fmt.Errorf("write the usage table: %w", err)
	}
	out.Flush()
	return out.Error()
}

// outcome returns the outcome of the calls of a row.
func outcome(reason toksta.Reason) string {
	if reason == "" {
		return outcomeAdmitted
	}
	return string(reason)
}
