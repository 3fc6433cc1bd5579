package web

import (
	"testing"
	"time"

	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: the page of an account with thousands of revoked keys opens
// immediately, shows the newest of them, and has a link to all of them.
func TestRevokedKeys(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 28, 14, 2, 31, 0, time.UTC)
	key := func(revokedAt time.Time) toksta.Key {
		return toksta.Key{RevokedAt: revokedAt, Generations: []toksta.Generation{{Number: 1}}}
	}
	l := keyList{standing: &toksta.Standing{}, now: now, keys: []toksta.Key{key(time.Time{})}}
	for range 25 {
		l.keys = append(l.keys, key(now))
	}
	p := &Pages{Config: Config{Catalog: &toksta.Catalog{MaxKeys: 100}}}
	for shown, want := range map[view.Revoked]struct{ rows, older int }{
		"": {1, 0}, view.RevokedNewest: {21, 5}, view.RevokedAll: {26, 0},
	} {
		got := p.keys(l, shown)
		if len(got.Rows) != want.rows || got.Older != want.older || got.Revoked != 25 || got.Live != 1 {
			t.Errorf("%q: %d rows, %d older of %d revoked, %d live; want %+v", shown, len(got.Rows), got.Older, got.Revoked, got.Live, want)
		}
	}
}
