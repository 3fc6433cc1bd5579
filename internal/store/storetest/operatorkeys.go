package storetest

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// operatorKey returns an operator key with one generation, whose digest is derived from
// the id.
func operatorKey(id string) toksta.OperatorKey {
	return toksta.OperatorKey{
		ID: toksta.OperatorKeyID(id), Name: "CI", Roles: []toksta.Role{toksta.RoleRead, toksta.RoleBilling}, CreatedAt: now, CreatedBy: "op",
		Networks:    []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		Generations: []toksta.Generation{{Digest: digest(id), Number: 1, Start: "a1b2", End: "9f0e", CreatedAt: now}},
	}
}

func (t *suite) putOperator(k toksta.OperatorKey) toksta.OperatorKey {
	t.Helper()
	m := store.Mutation{Kind: toksta.ChangeOperatorKeyCreated, OperatorKeyID: k.ID, OperatorKeys: []toksta.OperatorKey{k}}
	k.Seq = t.commit(m).Seq
	return k
}

// operatorKeys: an operator key must be read as it was written, a revocation must not lose a
// field of it, and only live keys may count against the largest number.
func operatorKeys(t *suite) {
	a := t.putOperator(operatorKey("op_a"))
	b := operatorKey("op_b")
	b.Networks, b.ExpiresAt = nil, now.Add(time.Hour)
	b = t.putOperator(b)
	read := func(id string) toksta.OperatorKey {
		t.Helper()
		k, err := t.s.OperatorKey(t.Context(), toksta.OperatorKeyID(id))
		t.ok(err)
		return k
	}
	is(t, read("op_a"), a)
	is(t, read("op_b"), b)
	_, err := t.s.OperatorKey(t.Context(), "OP_A")
	is(t, errors.Is(err, store.ErrNotFound), true)

	a.Generations[0].RevokedAt = now
	a.Generations = append(a.Generations, toksta.Generation{Digest: digest("second"), Number: 2, Start: "c3d4", End: "0123", CreatedAt: now})
	a = t.putOperator(a)
	is(t, read("op_a"), a)
	live := func(at time.Time) int {
		t.Helper()
		n, err := t.s.CountLiveOperatorKeys(t.Context(), at)
		t.ok(err)
		return n
	}
	is(t, []int{live(now), live(b.ExpiresAt.Add(-time.Millisecond)), live(b.ExpiresAt)}, []int{2, 2, 1})
	a.RevokedAt = now
	a = t.putOperator(a)
	is(t, live(now), 1)

	list := func(q store.OperatorKeyQuery) []toksta.OperatorKey {
		t.Helper()
		keys, err := t.s.ListOperatorKeys(t.Context(), q)
		t.ok(err)
		return keys
	}
	is(t, list(store.OperatorKeyQuery{}), []toksta.OperatorKey{b})
	is(t, list(store.OperatorKeyQuery{Revoked: true}), []toksta.OperatorKey{a, b})
	is(t, list(store.OperatorKeyQuery{Revoked: true, Page: store.Page{Limit: 1}}), []toksta.OperatorKey{a})
	is(t, list(store.OperatorKeyQuery{Revoked: true, Page: store.Page{After: "op_a"}}), []toksta.OperatorKey{b})
	changes, err := t.s.ListChanges(t.Context(), store.ChangeQuery{Limit: 1})
	t.ok(err)
	is(t, changes[0].OperatorKeyID, a.ID)
	found, err := t.s.FindChanges(t.Context(), store.ChangeSearch{OperatorKey: b.ID})
	t.ok(err)
	is(t, len(found.Rows), 1)
	is(t, found.Rows[0].Seq, b.Seq)
}

// takenOperatorDigest: a digest that moves to another operator key would give one secret the
// roles of another key.
func takenOperatorDigest(t *suite) {
	t.putOperator(operatorKey("op_a"))
	thief := operatorKey("op_b")
	thief.Generations[0].Digest = digest("op_a")
	_, err := t.s.Commit(t.Context(), operator, decided(store.Mutation{
		Kind: toksta.ChangeOperatorKeyCreated, OperatorKeys: []toksta.OperatorKey{thief},
	}))
	is(t, errors.Is(err, store.ErrTaken), true)
	_, err = t.s.OperatorKey(t.Context(), "op_b")
	is(t, errors.Is(err, store.ErrNotFound), true)
}

// deltaOperators: a missed grant of an operator key can be a revocation that is then not
// enforced. A node that starts must receive the same grants as one that follows.
func deltaOperators(t *suite) {
	n := t.register("a")
	k := t.putOperator(operatorKey("op_a"))
	a := t.account("acct_a")
	t.put(key(a.ID, "key_a"))
	is(t, t.follow(&n).order, []string{"acct_a", "acct_a/key_a#1", "op_a#1"})
	is(t, t.follow(&n).order, nil)

	k.Generations[0].RevokedAt = now
	k.Generations = append(k.Generations, toksta.Generation{Digest: digest("second"), Number: 2, CreatedAt: now})
	k = t.putOperator(k)
	want := map[toksta.Digest]toksta.OperatorGrant{
		digest("op_a"):   {ID: k.ID, Name: k.Name, Roles: k.Roles, Networks: k.Networks, Generation: 1, Revoked: true},
		digest("second"): {ID: k.ID, Name: k.Name, Roles: k.Roles, Networks: k.Networks, Generation: 2},
	}
	got := t.follow(&n)
	is(t, got.order, []string{"op_a#1", "op_a#2"})
	is(t, got.operators, want)
	is(t, n.Applied, k.Seq)

	k.RevokedAt = now
	t.putOperator(k)
	second := want[digest("second")]
	second.Revoked = true
	want[digest("second")] = second
	is(t, t.follow(&n).operators, want)
	var whole sink
	_, err := t.s.Snapshot(t.Context(), &whole)
	t.ok(err)
	is(t, whole.operators, want)
	is(t, len(whole.grants), 1)
}

// deltaManyOperators: the pages of operator keys must be complete.
func deltaManyOperators(t *suite) {
	n := t.register("a")
	m := store.Mutation{Kind: toksta.ChangeOperatorKeyCreated}
	for i := range 700 {
		m.OperatorKeys = append(m.OperatorKeys, operatorKey(fmt.Sprintf("op_%d", i)))
	}
	t.commit(m)
	is(t, len(t.follow(&n).operators), 700)
	var whole sink
	_, err := t.s.Snapshot(t.Context(), &whole)
	t.ok(err)
	is(t, len(whole.operators), 700)
}

// operatorUses: a delayed record must not replace a newer use, and a change of the key must
// not delete its last use.
func operatorUses(t *suite) {
	k := t.putOperator(operatorKey("op_a"))
	k.LastUse = toksta.OperatorUse{At: now, Address: "192.0.2.1"}
	touch := func(uses map[toksta.OperatorKeyID]toksta.OperatorUse) {
		t.Helper()
		t.ok(t.s.TouchOperatorKeys(t.Context(), uses))
	}
	touch(nil)
	touch(map[toksta.OperatorKeyID]toksta.OperatorUse{"op_a": k.LastUse, "op_unknown": k.LastUse})
	touch(map[toksta.OperatorKeyID]toksta.OperatorUse{"op_a": {At: now.Add(-time.Second), Address: "192.0.2.2"}})
	got, err := t.s.OperatorKey(t.Context(), "op_a")
	t.ok(err)
	is(t, got, k)
	k.Name = "Nightly"
	k = t.putOperator(k)
	got, err = t.s.OperatorKey(t.Context(), "op_a")
	t.ok(err)
	is(t, got, k)
}
