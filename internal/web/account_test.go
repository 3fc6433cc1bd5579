package web

import (
	"fmt"
	"strings"
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
	for shown, want := range map[view.Ended]struct{ rows, older int }{
		"": {1, 0}, view.EndedNewest: {21, 5}, view.EndedAll: {26, 0},
	} {
		got := p.keys(l, view.State{Ended: shown})
		if len(got.Rows) != want.rows || got.Older != want.older || got.Ended != 25 || got.Live != 1 || got.EndedNoun != "revoked key" {
			t.Errorf("%q: %d rows, %d older of %d %ss, %d live; want %+v", shown, len(got.Rows), got.Older, got.Ended, got.EndedNoun, got.Live, want)
		}
	}
}

// Guarantee: the list of an account with 100 keys shows the newest of them, and a search finds
// each key by its name, id, family, creator and visible characters, also a folded, revoked or
// expired key.
func TestFindKeys(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 28, 14, 2, 31, 0, time.UTC)
	l := keyList{standing: &toksta.Standing{}, now: now}
	for i := range 100 {
		l.keys = append(l.keys, toksta.Key{
			ID: toksta.KeyID(fmt.Sprintf("key_%03d", i)), Name: fmt.Sprintf("Worker %03d", i), CreatedBy: "Tomás Rey",
			Generations: []toksta.Generation{{Number: 1, Start: fmt.Sprintf("a%03d", i), End: "beef"}},
		})
	}
	l.keys[97].RevokedAt, l.keys[98].ExpiresAt, l.keys[99].Limits.Scopes = now, now, []toksta.Family{"Job"}
	p := &Pages{Config: Config{Catalog: &toksta.Catalog{MaxKeys: 100, Shape: toksta.KeyShape{Prefix: "tk_live_"}}}}

	if got := p.keys(l, view.State{}); len(got.Rows) != foldAfter || got.Folded != 98-foldAfter || !got.Searchable || got.EndedNoun != "revoked or expired key" {
		t.Errorf("%d rows and %d folded, noun %q", len(got.Rows), got.Folded, got.EndedNoun)
	}
	if got := p.keys(l, view.State{AllKeys: true}); len(got.Rows) != 98 || got.Folded != 0 {
		t.Errorf("all keys: %d rows and %d folded", len(got.Rows), got.Folded)
	}
	for query, want := range map[string]string{
		"worker 042": "key_042", "042 WORKER": "key_042", "KEY_096": "key_096", "tk_live_a097…beef": "key_097", "a098...beef": "key_098",
		"job": "key_099", "tomás 055": "key_055", "TOMA\u0301S 056": "key_056",
	} {
		got := p.keys(l, view.State{Query: query})
		if got.Found != 1 || len(got.Rows) != 1 || got.Rows[0].ID != want {
			t.Errorf("%q finds %d keys: %+v", query, got.Found, got.Rows)
		}
	}
	if got := p.keys(l, view.State{Query: "nothing"}); got.Found != 0 || len(got.Rows) != 0 {
		t.Errorf("a search for nothing finds %d keys", got.Found)
	}
}

// Guarantee: if a person searches for a whole secret, the address of the page has only its
// visible part.
func TestSearchForSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const secret = "tk_live_4f19c07ab2e85d3360f7a9e1c48b02d67e35f0c9a1b4d826"
	page := w.get(t, "/account?view=table&q="+secret)
	if page.path != "/account?q=tk_live_4f19%E2%80%A6d826&view=table" || strings.Contains(page.body, secret) {
		t.Errorf("the search is at %s", page.path)
	}
}
