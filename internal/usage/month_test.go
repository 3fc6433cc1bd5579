package usage_test

import (
	"testing"
	"time"

	"github.com/toksta/toksta/internal/meter"
	"github.com/toksta/toksta/internal/usage"
)

// Guarantee: a call in the last moment of a day, UTC, belongs to that day and month, and a call in
// the first moment of the next day to the next, at the end of months, years and February. The days
// of a month add up to the month.
func TestMonthEnds(t *testing.T) {
	t.Parallel()
	w := newTestEnv(t)
	now := time.Date(2028, 3, 1, 0, 0, 0, 0, time.UTC)
	w.reader.Now = func() time.Time { return now }
	east := time.FixedZone("", 14*3600) // the time zone must not matter
	days, months := map[string]int64{}, map[string]int64{}
	for i, at := range []string{
		"2026-02-28T23:59:59.999Z", "2026-03-01T00:00:00Z",
		"2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00Z",
		"2027-02-28T23:59:59.999Z", "2027-03-01T00:00:00Z",
		"2027-04-30T23:59:59.999Z", "2027-05-01T00:00:00Z",
		"2027-12-31T23:59:59.999Z", "2028-01-01T00:00:00Z",
		"2028-01-31T23:59:59.999Z", "2028-02-01T00:00:00Z",
		"2028-02-28T23:59:59.999Z", "2028-02-29T00:00:00Z",
		"2028-02-29T23:59:59.999Z", "2028-03-01T00:00:00Z",
	} {
		moment, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		calls := int64(1) << i
		w.count(live, "getCreator", "", meter.Increment{Calls: calls, Now: moment.In(east)})
		days[at[:10]] += calls
		months[at[:7]] += calls
	}
	for month, length := range map[string]int{
		"2026-02": 28, "2026-03": 31, "2026-12": 31, "2027-01": 31, "2027-02": 28, "2027-03": 31, "2027-04": 30,
		"2027-05": 31, "2027-06": 30, "2027-12": 31, "2028-01": 31, "2028-02": 29, "2028-03": 1, // until today
	} {
		report, err := w.reader.Month(t.Context(), ours, month)
		if err != nil || report.TotalCalls != months[month] {
			t.Errorf("%s: %d calls, want %d (%v)", month, report.TotalCalls, months[month], err)
		}
		b, err := w.reader.Days(t.Context(), ours, "", month)
		if err != nil || len(b.Days) != length {
			t.Errorf("%s: %d days, want %d (%v)", month, len(b.Days), length, err)
		}
		var sum int64
		for _, d := range b.Days {
			sum += d.Admitted
			if day := d.Date.Format(time.DateOnly); d.Admitted != days[day] || day[:7] != month {
				t.Errorf("%s in %s: %d calls, want %d", day, month, d.Admitted, days[day])
			}
		}
		table, err := w.reader.GroupBy(t.Context(), usage.DimensionQuery{Account: ours, By: usage.ByDay, Month: month})
		if err != nil || sum != months[month] || b.Total.Admitted != sum || table.Total.Admitted != sum {
			t.Errorf("%s: days add up to %d, totals are %d and %d, want %d (%v)", month, sum, b.Total.Admitted, table.Total.Admitted, months[month], err)
		}
		for _, row := range table.Rows {
			if row.Admitted != days[row.Value] {
				t.Errorf("by day, %s: %d calls, want %d", row.Value, row.Admitted, days[row.Value])
			}
		}
	}
}
