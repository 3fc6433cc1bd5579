package usage

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Dimension is a criterion by which usage is broken down.
type Dimension string

// The dimensions. Calls belong to the family and cost key that their route had at the time.
const (
	ByKey       Dimension = "key"
	ByFamily    Dimension = "family"
	ByOperation Dimension = "operation" // the cost key, including free ones
	ByHour      Dimension = "hour"
	ByDay       Dimension = "day"
	ByReason    Dimension = "reason" // of the rejection; "admitted" for all other calls
)

// DimensionQuery selects the usage of an account in a month, "" for the current one, or in the
// hours [From, To). A zero To is the end of the current hour.
type DimensionQuery struct {
	Account  toksta.AccountID
	By       Dimension
	Month    string
	From, To time.Time
}

// DimensionTable is usage by one dimension. Its rows add up to Total, which for a month equals the
// Report of the month.
type DimensionTable struct {
	Currency toksta.Currency // of the amounts
	From, To time.Time
	Rows     []DimensionRow // hours and days by time, other values most admitted first
	Total    Sum
}

// DimensionRow is the usage of one value of the dimension. A value without calls has no row.
type DimensionRow struct {
	Value string // key id, family, cost key, reason, date, or RFC 3339 start of an hour
	Name  string // current name of a key
	Sum
}

// GroupBy returns usage by one dimension. The error has the code VALIDATION_ERROR if the query has
// no exact result: it includes part of an hour, hours of which only days are kept, deleted time, or
// future time.
func (r *Reader) GroupBy(ctx context.Context, q DimensionQuery) (DimensionTable, error) {
	now := r.now().UTC()
	if !slices.Contains([]Dimension{ByKey, ByFamily, ByOperation, ByHour, ByDay, ByReason}, q.By) {
		return DimensionTable{}, toksta.Invalid("by", "Give by as key, family, operation, hour, day or reason.")
	}
	p, err := r.Kept.span(q, now)
	if err != nil {
		return DimensionTable{}, err
	}
	u, err := r.load(ctx, store.UsageQuery{Account: q.Account, From: p.from, To: p.to, GroupDay: q.By != ByHour})
	if err != nil {
		return DimensionTable{}, err
	}
	t := DimensionTable{Currency: r.Catalog.Currency, From: p.from, To: p.to, Rows: u.groupBy(q.By), Total: u.total()}
	if q.By != ByKey {
		return t, nil
	}
	keys, err := r.readKeys(ctx, q.Account, u.rows)
	if err != nil {
		return DimensionTable{}, err
	}
	names := keyNames(keys)
	for i := range t.Rows {
		t.Rows[i].Name = names[toksta.KeyID(t.Rows[i].Value)]
	}
	return t, nil
}

// span returns the period of a query, or an error if its usage is not kept, or is not kept by hour
// as the query needs it.
func (r Retention) span(q DimensionQuery, now time.Time) (p period, err error) {
	if q.From.IsZero() && q.To.IsZero() {
		if p, err = r.parseMonth(q.Month, now); err != nil {
			return p, err
		}
	} else {
		p = period{q.From.UTC(), q.To.UTC()}
		if q.To.IsZero() {
			p.to = now.Truncate(time.Hour).Add(time.Hour)
		}
	}
	if q.Month != "" && (!q.From.IsZero() || !q.To.IsZero()) {
		return p, toksta.Invalid("month", "Give a month, or from and to, and not both.")
	}
	if err := r.checkRetained(p, now); err != nil {
		return p, err
	}
	if q.By == ByHour && p.from.Before(r.firstHourly(now)) {
		return p, toksta.Invalid("by", "Hours are kept from "+r.firstHourly(now).Format(time.DateOnly)+" on; ask by day, or from a later time.")
	}
	return p, nil
}

// groupBy sums the rows of each value of a dimension.
func (u *accountUsage) groupBy(d Dimension) []DimensionRow {
	sums := map[string]*DimensionRow{}
	for _, row := range u.rows {
		value := d.valueOf(row)
		if sums[value] == nil {
			sums[value] = &DimensionRow{Value: value, Sum: newSum()}
		}
		sums[value].add(row)
	}
	out := make([]DimensionRow, 0, len(sums))
	for _, row := range sums {
		out = append(out, *row)
	}
	slices.SortFunc(out, func(x, y DimensionRow) int {
		if d == ByHour || d == ByDay {
			return cmp.Compare(x.Value, y.Value)
		}
		return cmp.Or(cmp.Compare(y.Admitted, x.Admitted), cmp.Compare(y.Rejected, x.Rejected), cmp.Compare(x.Value, y.Value))
	})
	return out
}

// valueOf returns the value of a row in the dimension.
func (d Dimension) valueOf(row store.UsageRow) string {
	at := time.Unix(row.Hour*3600, 0).UTC()
	switch d {
	case ByKey:
		return string(row.KeyID)
	case ByFamily:
		return string(row.Family)
	case ByOperation:
		return row.CostKey
	case ByHour:
		return at.Format(time.RFC3339)
	case ByDay:
		return at.Format(time.DateOnly)
	default:
		return outcome(row.Reason)
	}
}

// keyNames returns the current names of keys. A renamed key keeps its usage.
func keyNames(keys []store.KeyUse) map[toksta.KeyID]string {
	names := make(map[toksta.KeyID]string, len(keys))
	for _, k := range keys {
		names[k.ID] = k.Name
	}
	return names
}
