package sqlstore

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// grants is a sink that keeps the received grants by digest.
type grants map[toksta.Digest]received

type received struct {
	Account toksta.AccountID
	Grant   toksta.Grant
}

func (grants) PutAccount(toksta.Account) {}

func (grants) PutOperatorGrant(toksta.Digest, toksta.OperatorGrant) {}

func (g grants) PutGrant(d toksta.Digest, account toksta.AccountID, grant toksta.Grant) {
	g[d] = received{account, grant}
}

// Guarantee: a node that starts receives every secret of every key with the same rights as a
// node that follows, whatever the order of the rows in the file. A missed revocation would
// stay admitted.
func TestSnapshotEqualsFollow(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Config{URL: filepath.Join(t.TempDir(), "toksta.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	commit := func(m store.Mutation) {
		t.Helper()
		decide := func(context.Context, store.Reader) (store.Mutation, error) { return m, nil }
		if _, err := s.Commit(t.Context(), toksta.Actor{Kind: toksta.ActorSystem}, decide); err != nil {
			t.Fatal(err)
		}
	}
	keys := variedKeys()
	for _, account := range []toksta.AccountID{"acct_a", "acct_b"} {
		commit(store.Mutation{Kind: toksta.ChangeAccountCreated, Accounts: []toksta.Account{{ID: account, Name: "Acme"}}})
	}
	commit(store.Mutation{Kind: toksta.ChangeKeysImported, Keys: keys[:30]})
	commit(store.Mutation{Kind: toksta.ChangeKeysImported, Keys: keys[30:]})
	for i := range keys {
		if i%4 == 0 { // a rotation: the second generation is inserted after the first ones of all keys
			k := &keys[i]
			k.Generations[0].RevokedAt = time.UnixMilli(1)
			k.Generations = append(k.Generations, toksta.Generation{Digest: digestOf(i, 2), Number: 2, CreatedAt: time.UnixMilli(1)})
		}
	}
	commit(store.Mutation{Kind: toksta.ChangeKeyRotated, Keys: keys})
	node := store.Node{ID: "a", Epoch: "1", Lease: time.Minute}
	if err := s.Register(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	for _, change := range []struct{ name, statement string }{
		{"in the order of insertion", `SELECT 1`},
		{"a key without its first generation", `DELETE FROM secrets WHERE key_id = 'key_12' AND number = 1`},
		{"a secret that was inserted late", `UPDATE secrets SET rowid = 1000 WHERE key_id = 'key_3' AND number = 1`},
		{"an id with a line feed", `PRAGMA foreign_keys = off; UPDATE keys SET id = 'key' || char(10) || '5' WHERE id = 'key_5';
			UPDATE secrets SET key_id = 'key' || char(10) || '5' WHERE key_id = 'key_5'`},
		{"secrets in the order of digests", `UPDATE secrets SET rowid = 2000 + (SELECT count(*) FROM secrets d WHERE d.digest < secrets.digest)`},
	} {
		if _, err := s.writer.ExecContext(t.Context(), change.statement); err != nil {
			t.Fatal(err)
		}
		want := make(grants)
		if _, err := s.Follow(t.Context(), node, want); err != nil {
			t.Fatal(err)
		}
		for _, s.page = range []int{1, 7, 30, 64, 1000} {
			got := make(grants)
			if _, err := s.Snapshot(t.Context(), got); err != nil {
				t.Fatalf("%s, pages of %d: %v", change.name, s.page, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, pages of %d (-follow +snapshot):\n%s", change.name, s.page, diff)
			}
		}
		s.page = 1000
	}
}

// digestOf returns a digest with bytes that end or separate texts.
func digestOf(key, number int) (d toksta.Digest) {
	copy(d[:], fmt.Sprintf("\x00\n%d\xff\x00%d", key*7919%64, number))
	return d
}

// variedKeys returns keys that differ in each column that a node reads.
func variedKeys() []toksta.Key {
	keys := make([]toksta.Key, 64)
	for i := range keys {
		k := toksta.Key{
			ID: toksta.KeyID(fmt.Sprintf("key_%d", i)), AccountID: "acct_a", Name: "Key", CreatedAt: time.UnixMilli(1),
			Generations: []toksta.Generation{{Digest: digestOf(i, 1), Number: 1, CreatedAt: time.UnixMilli(1)}},
		}
		if i%3 == 0 {
			k.AccountID, k.Limits.PerMinute = "acct_b", i%2+1
		}
		if i%5 == 0 {
			k.ExpiresAt, k.Limits.Scopes = time.UnixMilli(int64(i+1)), []toksta.Family{"a\nb"}
		}
		if i%7 == 0 {
			k.RevokedAt = time.UnixMilli(1)
		}
		keys[i] = k
	}
	return keys
}
