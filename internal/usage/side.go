package usage

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Side is what usage is broken down by.
type Side string

// The sides. Calls are of the family and cost key that their route had.
const (
	ByKey       Side = "key"
	ByFamily    Side = "family"
	ByOperation Side = "operation" // the cost key, free ones too
	ByHour      Side = "hour"
	ByDay       Side = "day"
	ByReason    Side = "reason" // of the refusal; "admitted" for all other calls
)

// SideQuery asks for an account's month, "" for the current one, or for the
// hours [From, To) instead, a zero To being now.
type SideQuery struct {
	Account  toksta.AccountID
	By       Side
	Month    string
	From, To time.Time
}

// SideTable is usage from one side. Its rows add up to Total, which for a month is
// what the month's Report says.
type SideTable struct {
	From, To time.Time
	Rows     []SideRow // times in their order, everything else most admitted first
	Total    Sum
}

// SideRow is what one of the side's values came to. A value without calls has
// no row.
type SideRow struct {
	Of   string // a key's id, a word, a day, or the RFC 3339 time that an hour begins at
	Name string // of a key, as it is called now
	Sum
}

// By breaks usage down. Whatever cannot be answered exactly is a
// VALIDATION_ERROR: parts of an hour, hours of which only days are kept, time that
// is not kept at all or has not begun.
func (r *Reader) By(ctx context.Context, q SideQuery) (SideTable, error) {
	now := r.now().UTC()
	if !slices.Contains([]Side{ByKey, ByFamily, ByOperation, ByHour, ByDay, ByReason}, q.By) {
		return SideTable{}, toksta.Invalid("by", "Give by as key, family, operation, hour, day or reason.")
	}
	p, err := r.Kept.span(q, now)
	if err != nil {
		return SideTable{}, err
	}
	l, err := r.read(ctx, store.UsageQuery{Account: q.Account, From: p.from, To: p.to, GroupDay: q.By != ByHour})
	if err != nil {
		return SideTable{}, err
	}
	t := SideTable{From: p.from, To: p.to, Rows: l.by(q.By), Total: l.total()}
	if q.By != ByKey {
		return t, nil
	}
	keys, err := r.keys(ctx, q.Account)
	if err != nil {
		return SideTable{}, err
	}
	names := keyNames(keys)
	for i := range t.Rows {
		t.Rows[i].Name = names[toksta.KeyID(t.Rows[i].Of)]
	}
	return t, nil
}

// span is the time that a table is about.
func (r Retention) span(q SideQuery, now time.Time) (p period, err error) {
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
	if err := r.checkKept(p, now); err != nil {
		return p, err
	}
	if q.By == ByHour && p.from.Before(r.firstHourly(now)) {
		return p, toksta.Invalid("by", "Hours are kept from "+r.firstHourly(now).Format(time.DateOnly)+" on; ask by day, or from a later time.")
	}
	return p, nil
}

// by sums the rows of each value of a side.
func (l *ledger) by(side Side) []SideRow {
	sums := map[string]*SideRow{}
	for _, row := range l.rows {
		of := side.of(row)
		if sums[of] == nil {
			sums[of] = &SideRow{Of: of, Sum: newSum()}
		}
		sums[of].add(row)
	}
	out := make([]SideRow, 0, len(sums))
	for _, row := range sums {
		out = append(out, *row)
	}
	slices.SortFunc(out, func(x, y SideRow) int {
		if side == ByHour || side == ByDay {
			return cmp.Compare(x.Of, y.Of)
		}
		return cmp.Or(cmp.Compare(y.Admitted, x.Admitted), cmp.Compare(y.Refused, x.Refused), cmp.Compare(x.Of, y.Of))
	})
	return out
}

// of is the value that a row belongs to.
func (s Side) of(row store.UsageRow) string {
	at := time.Unix(row.Hour*3600, 0).UTC()
	switch s {
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

// keyNames are the present ones: a renamed key keeps its history.
func keyNames(keys []toksta.Key) map[toksta.KeyID]string {
	names := make(map[toksta.KeyID]string, len(keys))
	for _, k := range keys {
		names[k.ID] = k.Name
	}
	return names
}
