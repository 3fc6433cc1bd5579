package chart

import (
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/web/view"
)

func TestTickStep(t *testing.T) {
	for most, want := range map[float64]float64{0: 1, 3: 1, 7: 2, 3162: 1000, 2100: 1000, 39999: 10000, 40000: 20000} {
		if got := tickStep(most); got != want {
			t.Errorf("tickStep(%v) = %v, want %v", most, got, want)
		}
	}
}

// Guarantee: a note that contains markup cannot leave its element.
func TestMonthIsWellFormed(t *testing.T) {
	month := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	for _, days := range [][]view.Day{nil, {{Date: month, Admitted: 5, Rejected: 2, Note: `"><script>`}}, {{Date: month.AddDate(0, 0, 27), Admitted: 1e9}}} {
		svg := string(Month(view.Chart{Month: month, Days: days, Today: month.AddDate(0, 0, 27), Height: 150}))
		if err := xml.Unmarshal([]byte(svg), new(struct{})); err != nil {
			t.Errorf("%v in %s", err, svg)
		}
		for _, bad := range []string{"style=", "viewBox", "<script", "NaN", "Inf"} {
			if strings.Contains(svg, bad) {
				t.Errorf("contains %q", bad)
			}
		}
	}
}

func TestSmallFigures(t *testing.T) {
	if Spark([]int64{0, 0}, 0) != "" {
		t.Error("a sparkline without calls")
	}
	if got := string(Bar(5, 0, 4, "")); strings.Contains(got, "fill") {
		t.Errorf("a share of nothing is filled: %s", got)
	}
	if got := string(Bar(20, 10, 4, "")); !strings.Contains(got, `width="100%" height="4" rx="2"/></svg>`) {
		t.Errorf("over the whole: %s", got)
	}
	if n := strings.Count(string(Strip()), "<rect"); n != 48 {
		t.Errorf("%d teeth", n)
	}
}
