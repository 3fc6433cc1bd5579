package web

import (
	"testing"
	"time"

	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a key works through the whole last day that a person chose, and
// the page shows when it ends, with time and zone. An ambiguous choice is an
// error.
func TestExpiry(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 28, 14, 2, 31, 0, time.UTC)
	p := &Pages{Config: Config{Now: func() time.Time { return now }, Catalog: &toksta.Catalog{}}}
	for _, c := range []struct{ expires, day, want, wrong string }{
		{"never", "", "Never", ""},
		{"", "", "Never", ""},
		{"30", "", "28 July 2026, 14:02 UTC", ""},
		{"day", "2026-11-30", "30 November 2026, 23:59 UTC", ""},
		{"day", "", "", "day"},
		{"day", "30.11.2026", "", "day"},
		{"never", "2026-11-30", "", "expires"},
		{"30", "2026-11-30", "", "expires"},
		{"3651", "", "", "expires"},
		{"soon", "", "", "expires"},
	} {
		problems := view.Errors{}
		at := p.expiry(view.KeyNew{Expires: c.expires, Day: c.day}, problems)
		if len(problems) > 0 || c.wrong != "" {
			if len(problems) != 1 || problems[c.wrong] == "" {
				t.Errorf("%+v: %v", c, problems)
			}
			continue
		}
		k := toksta.Key{}
		if at != nil {
			k.ExpiresAt = *at
		}
		if got := limitFacts(k, &toksta.Standing{})[1].Value; got != c.want {
			t.Errorf("%+v: the page says %q", c, got)
		}
	}
}
