package usage

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Sum is the total of a set of calls.
type Sum struct {
	Admitted int64
	Rejected int64
	Reasons  map[toksta.Reason]int64 // rejected calls by reason; never nil
	Credits  int64
	Overage  toksta.Amount
}

// add adds a row. It includes the charge of a rejected call, although there is none today, so that
// no sum omits charged money.
func (s *Sum) add(row store.UsageRow) {
	s.Credits += row.Charge.Credits
	s.Overage += toksta.Amount(row.Charge.OverageMicros)
	if row.Reason == "" {
		s.Admitted += row.Calls
		return
	}
	s.Rejected += row.Calls
	s.Reasons[row.Reason] += row.Calls
}

// Breakdown is the usage of a month as the account page shows it. Its sums equal those of the
// Report of the month, and the days, keys and families each add up to Total.
type Breakdown struct {
	Period   string // "2026-05"
	Total    Sum
	Days     []Day       // every day of the month so far, first to last
	Keys     []KeySum    // keys with calls, most admitted first
	Families []FamilySum // families with calls, most admitted first

	Operations map[string]Operation // by cost key, as in the Report
}

// Day is one day, UTC.
type Day struct {
	Date time.Time // its midnight
	Sum
}

// KeySum is the usage of one key in a month.
type KeySum struct {
	ID    toksta.KeyID
	Daily []int64 // admitted calls, by day as in Breakdown.Days
	Sum
}

// FamilySum is the usage of one endpoint family in a month. A call belongs to the family that its
// route had at the time.
type FamilySum struct {
	Family toksta.Family
	Sum
}

// Days returns the usage of an account in a month, for one of its keys or for all (key "").
func (r *Reader) Days(ctx context.Context, account toksta.AccountID, key toksta.KeyID, month string) (Breakdown, error) {
	u, err := r.loadMonth(ctx, account, key, month)
	if err != nil {
		return Breakdown{}, err
	}
	b := u.breakdown()
	b.Operations = u.operations(r.billableCostKeys(), r.Catalog.Currency)
	return b, nil
}

// total returns the sum of all rows.
func (u *accountUsage) total() Sum {
	t := newSum()
	for _, row := range u.rows {
		t.add(row)
	}
	return t
}

func newSum() Sum { return Sum{Reasons: map[toksta.Reason]int64{}} }

// breakdown adds each row to its day, key and family.
func (u *accountUsage) breakdown() Breakdown {
	b := Breakdown{Period: u.period.String(), Total: u.total(), Days: u.days()}
	keys, families := map[toksta.KeyID]*KeySum{}, map[toksta.Family]*FamilySum{}
	for _, row := range u.rows {
		day := u.dayIndex(row.Hour)
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
	// The id breaks ties, so that the order is the same in every response.
	slices.SortFunc(b.Keys, func(x, y KeySum) int {
		return cmp.Or(cmp.Compare(y.Admitted, x.Admitted), cmp.Compare(y.Rejected, x.Rejected), cmp.Compare(x.ID, y.ID))
	})
	slices.SortFunc(b.Families, func(x, y FamilySum) int {
		return cmp.Or(cmp.Compare(y.Admitted, x.Admitted), cmp.Compare(y.Rejected, x.Rejected), cmp.Compare(x.Family, y.Family))
	})
	return b
}

// days returns the days of the month up to today, or up to the last day with usage if the clock of
// another node is ahead. Days without calls are included.
func (u *accountUsage) days() []Day {
	end := u.now
	if n := len(u.rows); n > 0 {
		if last := time.Unix(u.rows[n-1].Hour*3600, 0); last.After(end) {
			end = last
		}
	}
	var out []Day
	for d := u.period.from; d.Before(u.period.to) && !d.After(end); d = d.AddDate(0, 0, 1) {
		out = append(out, Day{Date: d, Sum: newSum()})
	}
	return out
}

// dayIndex returns the index, in the result of days, of the day that contains an hour.
func (u *accountUsage) dayIndex(hour int64) int { return int(hour-u.period.from.Unix()/3600) / 24 }
