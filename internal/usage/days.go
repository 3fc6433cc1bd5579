package usage

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Sum is what a set of calls came to.
type Sum struct {
	Admitted int64
	Refused  int64
	Reasons  map[toksta.Reason]int64 // Refused by reason; never nil
	Credits  int64
	Overage  Dollars
}

// add takes a row in. Credits of a refused call would count as well: what was
// charged is never left out of a sum.
func (s *Sum) add(row store.UsageRow) {
	s.Credits += row.Charge.Credits
	s.Overage += Dollars(row.Charge.OverageMicros)
	if row.Reason == "" {
		s.Admitted += row.Calls
		return
	}
	s.Refused += row.Calls
	s.Reasons[row.Reason] += row.Calls
}

// Breakdown is a month from the sides that the account page shows. Its sums
// are those of the month's Report, and each side adds up to Total.
type Breakdown struct {
	Period   string // "2026-05"
	Total    Sum
	Days     []Day       // every day of the month so far, first to last
	Keys     []KeySum    // with calls, most admitted first
	Families []FamilySum // with calls, most admitted first

	Operations map[string]Operation // those of the Report
}

// Day is one day, UTC.
type Day struct {
	Date time.Time // its midnight
	Sum
}

// KeySum is one key's month.
type KeySum struct {
	ID    toksta.KeyID
	Daily []int64 // admitted calls, by day as in Breakdown.Days
	Sum
}

// FamilySum is one endpoint family's month: of the family that a route had when
// it was called.
type FamilySum struct {
	Family toksta.Family
	Sum
}

// Days breaks an account's month down, for one of its keys or, with key "",
// for all.
func (r *Reader) Days(ctx context.Context, account toksta.AccountID, key toksta.KeyID, month string) (Breakdown, error) {
	l, err := r.load(ctx, account, key, month)
	if err != nil {
		return Breakdown{}, err
	}
	b := l.breakdown()
	b.Operations = l.operations(r.billable())
	return b, nil
}

// total is the whole month.
func (l *ledger) total() Sum {
	t := newSum()
	for _, row := range l.rows {
		t.add(row)
	}
	return t
}

func newSum() Sum { return Sum{Reasons: map[toksta.Reason]int64{}} }

// breakdown goes over the rows once and adds each to its day, key and family.
func (l *ledger) breakdown() Breakdown {
	b := Breakdown{Period: l.period.String(), Total: l.total(), Days: l.days()}
	keys, families := map[toksta.KeyID]*KeySum{}, map[toksta.Family]*FamilySum{}
	for _, row := range l.rows {
		day := l.day(row.Hour)
		b.Days[day].add(row)
		k := keys[row.KeyID]
		if k == nil {
			k = &KeySum{ID: row.KeyID, Daily: make([]int64, len(b.Days)), Sum: newSum()}
			keys[row.KeyID] = k
		}
		k.add(row)
		if row.Reason == "" {
			k.Daily[day] += row.Calls
		}
		f := families[row.Family]
		if f == nil {
			f = &FamilySum{Family: row.Family, Sum: newSum()}
			families[row.Family] = f
		}
		f.add(row)
	}
	for _, k := range keys {
		b.Keys = append(b.Keys, *k)
	}
	for _, f := range families {
		b.Families = append(b.Families, *f)
	}
	// The id last, so that equals do not change places between two reads.
	slices.SortFunc(b.Keys, func(x, y KeySum) int {
		return cmp.Or(cmp.Compare(y.Admitted, x.Admitted), cmp.Compare(y.Refused, x.Refused), cmp.Compare(x.ID, y.ID))
	})
	slices.SortFunc(b.Families, func(x, y FamilySum) int {
		return cmp.Or(cmp.Compare(y.Admitted, x.Admitted), cmp.Compare(y.Refused, x.Refused), cmp.Compare(x.Family, y.Family))
	})
	return b
}

// days are the month's days up to today, and up to the last one with usage
// should a node's clock be ahead. Days without calls are there, with zeros.
func (l *ledger) days() []Day {
	end := l.now
	if n := len(l.rows); n > 0 {
		if last := time.Unix(l.rows[n-1].Hour*3600, 0); last.After(end) {
			end = last
		}
	}
	var out []Day
	for d := l.period.from; d.Before(l.period.to) && !d.After(end); d = d.AddDate(0, 0, 1) {
		out = append(out, Day{Date: d, Sum: newSum()})
	}
	return out
}

// day is the place of an hour's day in the month.
func (l *ledger) day(hour int64) int { return int(hour-l.period.from.Unix()/3600) / 24 }
