package usage_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: from whichever side the vendor looks, the rows add up to what the
// customer's report says.
func TestSidesAgreeWithTheReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.busy()
	report, err := w.reader.Month(t.Context(), ours, "")
	if err != nil {
		t.Fatal(err)
	}
	var refused int64
	for _, n := range report.Refused {
		refused += n
	}
	want := totals{report.TotalCalls, refused, report.TotalCredits, int64(report.TotalOverage)}
	rows := map[usage.Side]int{}
	for _, side := range []usage.Side{usage.ByKey, usage.ByFamily, usage.ByOperation, usage.ByHour, usage.ByDay, usage.ByReason} {
		table, err := w.reader.By(t.Context(), usage.SideQuery{Account: ours, By: side})
		if err != nil {
			t.Fatal(err)
		}
		var sum, total totals
		total.add(table.Total)
		for _, row := range table.Rows {
			sum.add(row.Sum)
		}
		if sum != want || total != want {
			t.Errorf("by %s: rows %v, total %v, report %v", side, sum, total, want)
		}
		rows[side] = len(table.Rows)
	}
	if d := cmp.Diff(map[usage.Side]int{"key": 2, "family": 2, "operation": 5, "hour": 2, "day": 2, "reason": 3}, rows); d != "" {
		t.Errorf("rows (-want +got)\n%s", d)
	}
}

// Guarantee: what is not kept as it is asked for is refused, and not answered
// with the numbers of something else.
func TestSideRefuses(t *testing.T) {
	t.Parallel()
	r := newWorld(t).reader
	day := time.Date(2026, 5, 14, 0, 0, 0, 0, time.UTC)
	old := day.AddDate(0, 0, -63)
	for field, queries := range map[string][]usage.SideQuery{
		"by":    {{}, {By: "colour"}, {By: usage.ByHour, From: old}},
		"month": {{By: usage.ByDay, Month: "2026-05", From: day}, {By: usage.ByDay, Month: "2026-06"}},
		"from":  {{By: usage.ByDay, To: day}, {By: usage.ByDay, From: day.Add(time.Minute)}, {By: usage.ByDay, From: old.Add(time.Hour)}, {By: usage.ByDay, From: day.AddDate(0, 0, 1)}},
		"to":    {{By: usage.ByDay, From: day, To: day}},
	} {
		for _, q := range queries {
			q.Account = ours
			_, err := r.By(t.Context(), q)
			e, ok := err.(*toksta.Error)
			if !ok || e.Code != toksta.CodeValidation || e.Details["field"] != field {
				t.Errorf("%+v: %v", q, err)
			}
		}
	}
}
