package web

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/usage"
)

// Guarantee: every stored month since the account was created can be selected,
// and no other month except the shown one.
func TestMonths(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 31, 23, 59, 0, 0, time.UTC)
	p := &Pages{Config: Config{Usage: &usage.Reader{Kept: usage.Retention{KeepMonths: 25}}, Now: func() time.Time { return now }}}
	type choices struct {
		Count         int
		First, Oldest string
	}
	for _, c := range []struct {
		created, shown string
		want           choices
	}{
		{"2020-01-01T00:00:00Z", "2026-05", choices{26, "2026-05", "2024-04"}},
		{"2024-02-29T12:00:00Z", "2024-04", choices{26, "2026-05", "2024-04"}},
		{"2026-03-31T23:59:59Z", "2026-05", choices{3, "2026-05", "2026-03"}},
		{"2026-04-01T00:00:00Z", "2026-05", choices{2, "2026-05", "2026-04"}},
		{"2026-05-31T23:00:00Z", "2026-05", choices{1, "2026-05", "2026-05"}},
		{"2026-05-31T23:00:00Z", "2025-01", choices{2, "2026-05", "2025-01"}},
	} {
		created, err := time.Parse(time.RFC3339, c.created)
		if err != nil {
			t.Fatal(err)
		}
		got := p.months(created, c.shown)
		if diff := cmp.Diff(c.want, choices{len(got), got[0].Value, got[len(got)-1].Value}); diff != "" {
			t.Errorf("created %s, shown %s (-want +got)\n%s", c.created, c.shown, diff)
		}
		for _, o := range got {
			if o.Selected != (o.Value == c.shown) {
				t.Errorf("shown %s: %+v", c.shown, o)
			}
		}
	}
}
