package storetest

import (
	"context"
	"errors"
	"sync"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// together runs fn n times at once.
func together(n int, fn func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { fn(i) })
	}
	all.Wait()
}

// commitNumbers: a gap would make a node wait for a change that never comes,
// or skip one that does: a revocation would be lost on that node.
func commitNumbers(t *suite) {
	refused := errors.New("refused")
	together(60, func(i int) {
		_, err := t.s.Commit(t.Context(), operator, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
			if i%3 == 0 {
				_, _ = r.Account(ctx, "acct_x") // which takes the number
				return store.Mutation{}, refused
			}
			a := account(numbered("acct_", i))
			return store.Mutation{Kind: toksta.ChangeAccountCreated, AccountID: a.ID, Accounts: []toksta.Account{a}}, nil
		})
		if want := i%3 == 0; errors.Is(err, refused) != want || (err != nil) != want {
			t.Errorf("commit %d: %v", i, err)
		}
	})
	changes, err := t.s.ListChanges(t.Context(), store.ChangeQuery{Limit: 100})
	t.ok(err)
	is(t, len(changes), 40)
	for i, c := range changes {
		is(t, c.Seq, int64(40-i))
		a, err := t.s.Account(t.Context(), c.AccountID)
		t.ok(err)
		is(t, a.Seq, c.Seq)
	}
}

// commitCap: decisions on stale counts would let an account have more keys
// than its cap.
func commitCap(t *suite) {
	a := t.account("acct_a")
	full := errors.New("full")
	together(200, func(i int) {
		_, err := t.s.Commit(t.Context(), operator, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
			n, err := r.CountLiveKeys(ctx, a.ID, now)
			if err != nil {
				return store.Mutation{}, err
			}
			if n >= 100 {
				return store.Mutation{}, full
			}
			k := key(a.ID, numbered("key_", i))
			return store.Mutation{Kind: toksta.ChangeKeyCreated, AccountID: a.ID, KeyID: k.ID, Keys: []toksta.Key{k}}, nil
		})
		if err != nil && !errors.Is(err, full) {
			t.Errorf("commit %d: %v", i, err)
		}
	})
	n, err := t.s.CountLiveKeys(t.Context(), a.ID, now)
	t.ok(err)
	is(t, n, 100)
}

// commitToken: a reloaded form or a retried request would make a second key.
func commitToken(t *suite) {
	a := t.account("acct_a")
	var mu sync.Mutex
	done := 0
	together(20, func(i int) {
		k := key(a.ID, numbered("key_", i))
		m := store.Mutation{Kind: toksta.ChangeKeyCreated, AccountID: a.ID, KeyID: k.ID, Keys: []toksta.Key{k}}
		c, err := t.s.Commit(t.Context(), operator, store.Once("once", decided(m)))
		repeated, again := errors.AsType[*store.RepeatedError](err)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil && c.KeyID == k.ID:
			done++
		case !again || repeated.Change.Seq != a.Seq+1 || repeated.Change.Kind != toksta.ChangeKeyCreated:
			t.Errorf("commit %d: %v", i, err)
		}
	})
	is(t, done, 1)
	keys, err := t.s.ListKeys(t.Context(), store.KeyQuery{Account: a.ID})
	t.ok(err)
	is(t, len(keys), 1)
}

// commitFailure: half a mutation would leave a rotate with two live or two
// dead keys; a panic would leave the clock locked for everybody.
func commitFailure(t *suite) {
	a := t.account("acct_a")
	stray := key("acct_missing", "key_b")
	m := store.Mutation{Kind: toksta.ChangeKeysImported, Keys: []toksta.Key{key(a.ID, "key_a"), stray}}
	if _, err := t.s.Commit(t.Context(), operator, decided(m)); err == nil {
		t.Fatal("a key of no account was written")
	}
	func() {
		defer func() { is(t, recover(), any("boom")) }()
		_, _ = t.s.Commit(t.Context(), operator, func(context.Context, store.Reader) (store.Mutation, error) { panic("boom") })
	}()
	_, err := t.s.Key(t.Context(), a.ID, "key_a")
	is(t, errors.Is(err, store.ErrNotFound), true)
	is(t, t.put(key(a.ID, "key_c")).Seq, a.Seq+1)
}

// commitNothing: saving an unchanged form would fill the audit log.
func commitNothing(t *suite) {
	c, err := t.s.Commit(t.Context(), operator, decided(store.Mutation{}))
	t.ok(err)
	is(t, c, toksta.Change{})
	is(t, t.account("acct_a").Seq, int64(1))
}

// commitRoundTrip: the change returned, which the caller waits for and shows,
// must be the one in the log.
func commitRoundTrip(t *suite) {
	c := t.commit(store.Mutation{
		Kind: toksta.ChangeMemberDisabled, AccountID: "acct_a", KeyID: "key_a", MemberID: "mem_a",
		Detail: map[string]string{"name": "old → <b>new</b>"},
	})
	is(t, c.Actor, operator)
	if c.At.IsZero() {
		t.Fatal("a change without its time")
	}
	changes, err := t.s.ListChanges(t.Context(), store.ChangeQuery{})
	t.ok(err)
	is(t, changes, []toksta.Change{c})
}

// manyRows: an import is one change; rows beyond one statement's size must
// not be lost, and an import tells known digests from new ones.
func manyRows(t *suite) {
	a := t.account("acct_a")
	m := store.Mutation{Kind: toksta.ChangeKeysImported}
	digests := []toksta.Digest{digest("unknown")}
	for i := range 1234 {
		k := key(a.ID, numbered("key_", i))
		m.Keys, digests = append(m.Keys, k), append(digests, k.Generations[0].Digest)
	}
	t.commit(m)
	known, err := t.s.KeysByDigest(t.Context(), digests)
	t.ok(err)
	is(t, len(known), 1234)
	is(t, known[digest("key_1233")], toksta.KeyID("key_1233"))
	n, err := t.s.CountLiveKeys(t.Context(), a.ID, now)
	t.ok(err)
	is(t, n, 1234)
}

// takenDigest: taking over a digest would hand one customer's secret to
// another customer's account.
func takenDigest(t *suite) {
	a := t.account("acct_a")
	t.put(key(a.ID, "key_a"))
	thief := key(t.account("acct_b").ID, "key_b")
	thief.Generations[0].Digest = digest("key_a")
	_, err := t.s.Commit(t.Context(), operator, decided(store.Mutation{Kind: toksta.ChangeKeyCreated, Keys: []toksta.Key{thief}}))
	if !errors.Is(err, store.ErrTaken) {
		t.Fatalf("%v", err)
	}
	known, err := t.s.KeysByDigest(t.Context(), []toksta.Digest{digest("key_a")})
	t.ok(err)
	is(t, known[digest("key_a")], toksta.KeyID("key_a"))
}
