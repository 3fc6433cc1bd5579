package usage_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/toksta/toksta/internal/meter"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/sdk/toksta"
)

// keyCounter counts the keys that were read.
type keyCounter struct {
	usage.Store
	read int
}

func (c *keyCounter) KeyUses(ctx context.Context, account toksta.AccountID, ids []toksta.KeyID) ([]store.KeyUse, error) {
	keys, err := c.Store.KeyUses(ctx, account, ids)
	c.read += len(keys)
	return keys, err
}

// Guarantee: a report reads only the keys that it shows, however many revoked keys the account has.
func TestReportWithManyRevokedKeys(t *testing.T) {
	t.Parallel()
	w := newTestEnv(t)
	m := store.Mutation{Kind: toksta.ChangeKeysImported, AccountID: ours}
	for i := range 1000 {
		id := toksta.KeyID(fmt.Sprintf("key_4old%04d", i))
		g := toksta.Generation{Digest: sha256.Sum256([]byte(id)), Number: 1, CreatedAt: today(), RevokedAt: today()}
		m.Keys = append(m.Keys, toksta.Key{ID: id, AccountID: ours, Name: "Old", CreatedAt: today(), RevokedAt: today(), Generations: []toksta.Generation{g}})
	}
	decide := func(context.Context, store.Reader) (store.Mutation, error) { return m, nil }
	if _, err := w.store.Commit(t.Context(), toksta.Actor{Kind: toksta.ActorSystem}, decide); err != nil {
		t.Fatal(err)
	}
	w.count(live, "creator_search", "", meter.Increment{Calls: 1})
	w.count(revoked, "creator_search", "", meter.Increment{Calls: 1, Now: today().AddDate(0, -1, 0)})
	c := &keyCounter{Store: w.store}
	w.reader.Store = c
	for month, want := range map[string]struct{ read, keys int }{"": {2, 2}, today().AddDate(0, -1, 0).Format("2006-01"): {3, 3}} {
		c.read = 0
		report, err := w.reader.Month(t.Context(), ours, month)
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Keys) != want.keys || c.read != want.read {
			t.Errorf("the report of month %q has %d keys and read %d, want %d and %d", month, len(report.Keys), c.read, want.keys, want.read)
		}
	}
}
