package storetest

import (
	"context"
	"errors"
	"sync"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// concurrently calls fn n times at once and waits.
func concurrently(n int, fn func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { fn(i) })
	}
	all.Wait()
}

// commitNumbers: with a gap in the numbers, a node would wait for a change that does not
// exist, or skip one, which can be a revocation.
func commitNumbers(t *suite) {
	rejected := errors.New("rejected")
	concurrently(60, func(i int) {
		_, err := t.s.Commit(t.Context(), operator, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
			if i%3 == 0 {
				_, _ = r.Account(ctx, "acct_x") // takes the number
				return store.Mutation{}, rejected
			}
			a := account(numbered("acct_", i))
			return store.Mutation{Kind: toksta.ChangeAccountCreated, AccountID: a.ID, Accounts: []toksta.Account{a}}, nil
		})
		if want := i%3 == 0; errors.Is(err, rejected) != want || (err != nil) != want {
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

// commitCap: decisions on stale counts would let an account exceed its maximum number of
// keys.
func commitCap(t *suite) {
	a := t.account("acct_a")
	full := errors.New("full")
	concurrently(200, func(i int) {
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

// commitToken: a reloaded form or a retried request must not create a second key.
func commitToken(t *suite) {
	a := t.account("acct_a")
	var mu sync.Mutex
	done := 0
	concurrently(20, func(i int) {
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

// commitFailure: half a rotation would leave two live or two revoked secrets; a panic
// would leave the clock row locked.
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

// commitNothing: saving an unchanged form must not add to the audit log.
func commitNothing(t *suite) {
	c, err := t.s.Commit(t.Context(), operator, decided(store.Mutation{}))
	t.ok(err)
	is(t, c, toksta.Change{})
	is(t, t.account("acct_a").Seq, int64(1))
}

// commitRoundTrip: the returned change must equal the one in the log.
func commitRoundTrip(t *suite) {
	c := t.commit(store.Mutation{
		Kind: toksta.ChangeMemberDisabled, AccountID: "acct_a", KeyID: "key_a", MemberID: "mem_a", OperatorKeyID: "op_a",
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

// manyRows: an import of more rows than fit one statement must be complete, and must
// recognize known digests.
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

// takenDigest: a digest that moves to another key would give one customer's secret access
// to another customer's account.
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
