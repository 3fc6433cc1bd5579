package usage_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: by any dimension, the rows add up to the customer's report.
func TestDimensionsAgreeWithReport(t *testing.T) {
	t.Parallel()
	w := newTestEnv(t)
	w.fillMonth()
	report, err := w.reader.Month(t.Context(), ours, "")
	if err != nil {
		t.Fatal(err)
	}
	var rejected int64
	for _, n := range report.Refused {
		rejected += n
	}
	want := totals{report.TotalCalls, rejected, report.TotalCredits, int64(report.TotalOverage)}
	rows := map[usage.Dimension]int{}
	for _, dimension := range []usage.Dimension{usage.ByKey, usage.ByFamily, usage.ByOperation, usage.ByHour, usage.ByDay, usage.ByReason} {
		table, err := w.reader.GroupBy(t.Context(), usage.DimensionQuery{Account: ours, By: dimension})
		if err != nil {
			t.Fatal(err)
		}
		var sum, total totals
		total.add(table.Total)
		for _, row := range table.Rows {
			sum.add(row.Sum)
		}
		if sum != want || total != want {
			t.Errorf("by %s: rows %v, total %v, report %v", dimension, sum, total, want)
		}
		rows[dimension] = len(table.Rows)
	}
	if d := cmp.Diff(map[usage.Dimension]int{"key": 2, "family": 2, "operation": 5, "hour": 2, "day": 2, "reason": 3}, rows); d != "" {
		t.Errorf("rows (-want +got)\n%s", d)
	}
}

// Guarantee: a query without an exact result is rejected and does not return other numbers.
func TestDimensionRejects(t *testing.T) {
	t.Parallel()
	r := newTestEnv(t).reader
	day := time.Date(2026, 5, 14, 0, 0, 0, 0, time.UTC)
	old := day.AddDate(0, 0, -63)
	for field, queries := range map[string][]usage.DimensionQuery{
		"by":    {{}, {By: "colour"}, {By: usage.ByHour, From: old}},
		"month": {{By: usage.ByDay, Month: "2026-05", From: day}, {By: usage.ByDay, Month: "2026-06"}},
		"from":  {{By: usage.ByDay, To: day}, {By: usage.ByDay, From: day.Add(time.Minute)}, {By: usage.ByDay, From: old.Add(time.Hour)}, {By: usage.ByDay, From: day.AddDate(0, 0, 1)}},
		"to":    {{By: usage.ByDay, From: day, To: day}},
	} {
		for _, q := range queries {
			q.Account = ours
			_, err := r.GroupBy(t.Context(), q)
			e, ok := err.(*toksta.Error)
			if !ok || e.Code != toksta.CodeValidation || e.Details["field"] != field {
				t.Errorf("%+v: %v", q, err)
			}
		}
	}
}
