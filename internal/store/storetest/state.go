package storetest

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strconv"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

func (t *suite) missing(err error) {
	t.Helper()
	if !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("got %v, want ErrNotFound", err)
	}
}

// accounts: a lost field would change the rights of a customer after a restart. A page
// must not skip or repeat accounts.
func accounts(t *suite) {
	a, b, c := t.account("acct_a"), t.account("acct_b"), t.account("acct_c")
	got, err := t.s.Account(t.Context(), a.ID)
	t.ok(err)
	is(t, got, a)
	b.Plan, b.Entitlements, b.CycleAnchor = "FREE", toksta.Entitlements{PerMinute: 7}, time.Time{}
	b.Seq = t.commit(store.Mutation{Kind: toksta.ChangePlanSet, Accounts: []toksta.Account{b}}).Seq
	page, err := t.s.ListAccounts(t.Context(), store.Page{Limit: 2})
	t.ok(err)
	is(t, page, []toksta.Account{a, b})
	page, err = t.s.ListAccounts(t.Context(), store.Page{Limit: 2, After: "acct_b"})
	t.ok(err)
	is(t, page, []toksta.Account{c})
	_, err = t.s.Account(t.Context(), "acct_x")
	t.missing(err)
	// More than one statement looks up.
	ids := []toksta.AccountID{"acct_c", "acct_A"}
	for i := range 1000 {
		ids = append(ids, toksta.AccountID("acct_x"+strconv.Itoa(i)))
	}
	known, err := t.s.ResolveAccounts(t.Context(), append(ids, a.ID))
	t.ok(err)
	is(t, known, map[toksta.AccountID]toksta.AccountID{a.ID: a.ID, c.ID: c.ID})
	c.ClosedAt = now
	t.commit(store.Mutation{Kind: toksta.ChangeAccountClosed, Accounts: []toksta.Account{c}})
	closed, err := t.s.ClosedAccounts(t.Context(), append(ids, a.ID))
	t.ok(err)
	is(t, closed, map[toksta.AccountID]bool{c.ID: true})
}

// keys: without its limits or generations, a key would have more rights, or a rotated
// secret would be admitted again.
func keys(t *suite) {
	a := t.account("acct_a")
	full := key(a.ID, "key_a")
	full.Limits = toksta.Limits{
		Scopes: []toksta.Family{"data", "job"}, PerMinute: 5,
		Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")},
	}
	full.ExpiresAt = now.Add(time.Hour)
	full = t.put(full)
	got, err := t.s.Key(t.Context(), a.ID, full.ID)
	t.ok(err)
	is(t, got, full)

	full.Generations[0].RevokedAt = now
	full.Generations = append(full.Generations, toksta.Generation{Digest: digest("second"), Number: 2, CreatedAt: now})
	full.Limits, full.Name = toksta.Limits{}, "renamed"
	full = t.put(full)
	dead := key(a.ID, "key_b")
	dead.RevokedAt = now
	dead = t.put(dead)
	last := t.put(key(a.ID, "key_c"))
	other := t.put(key(t.account("acct_b").ID, "key_d"))

	list := func(q store.KeyQuery) []toksta.Key {
		t.Helper()
		keys, err := t.s.ListKeys(t.Context(), q)
		t.ok(err)
		return keys
	}
	is(t, list(store.KeyQuery{Account: a.ID}), []toksta.Key{full, last})
	is(t, list(store.KeyQuery{Account: a.ID, Revoked: true, Page: store.Page{Limit: 2}}), []toksta.Key{full, dead})
	is(t, list(store.KeyQuery{Account: a.ID, Revoked: true, Page: store.Page{After: "key_b"}}), []toksta.Key{last})
	is(t, list(store.KeyQuery{Revoked: true, Page: store.Page{After: "key_b"}}), []toksta.Key{last, other})
}

// foreignKey: the key of another account must look like one that does not exist.
func foreignKey(t *suite) {
	k := t.put(key(t.account("acct_a").ID, "key_a"))
	t.account("acct_b")
	_, err := t.s.Key(t.Context(), "acct_b", k.ID)
	t.missing(err)
	_, err = t.s.Key(t.Context(), k.AccountID, "key_x")
	t.missing(err)
	got, err := t.s.Key(t.Context(), "", k.ID)
	t.ok(err)
	is(t, got, k)
}

// caseOfIDs: ids that differ in case belong to different customers, and pages depend on
// the order by bytes.
func caseOfIDs(t *suite) {
	for _, id := range []string{"acct_a", "acct_B", "acct_b", "acct_A"} {
		t.put(key(t.account(id).ID, "key"+id))
	}
	page, err := t.s.ListAccounts(t.Context(), store.Page{})
	t.ok(err)
	is(t, ids(page, func(a toksta.Account) string { return string(a.ID) }), "acct_A acct_B acct_a acct_b ")
	keys, err := t.s.ListKeys(t.Context(), store.KeyQuery{Page: store.Page{After: "keyacct_B"}})
	t.ok(err)
	is(t, keyIDs(keys), "keyacct_a keyacct_b ")
	_, err = t.s.Key(t.Context(), "acct_A", "keyacct_a")
	t.missing(err)
	_, err = t.s.Account(t.Context(), "ACCT_a")
	t.missing(err)
}

// liveKeys: only usable keys count towards the maximum number of keys.
func liveKeys(t *suite) {
	a := t.account("acct_a")
	live, expired, ends, revoked := key(a.ID, "key_a"), key(a.ID, "key_b"), key(a.ID, "key_c"), key(a.ID, "key_d")
	expired.ExpiresAt, ends.ExpiresAt, revoked.RevokedAt = now, now.Add(time.Millisecond), now
	t.commit(store.Mutation{Kind: toksta.ChangeKeysImported, Keys: []toksta.Key{live, expired, ends, revoked}})
	n, err := t.s.CountLiveKeys(t.Context(), a.ID, now)
	t.ok(err)
	is(t, n, 2)
}

// extremeTimes: a set time must not be read as unset, or an expired key would be live. A
// time that JSON cannot represent must not make its list unreadable.
func extremeTimes(t *suite) {
	a := t.account("acct_a")
	first, late, early := key(a.ID, "key_a"), key(a.ID, "key_b"), key(a.ID, "key_c")
	first.ExpiresAt = time.Unix(0, 0)
	late.ExpiresAt = time.Date(10000, 1, 1, 4, 59, 59, 0, time.UTC)
	early.CreatedAt = time.Date(-1, 12, 31, 12, 0, 0, 0, time.UTC)
	n := t.register("a")
	t.commit(store.Mutation{Kind: toksta.ChangeKeysImported, Keys: []toksta.Key{first, late, early}})
	all, err := t.s.ListKeys(t.Context(), store.KeyQuery{Account: a.ID})
	t.ok(err)
	is(t, keyIDs(all), "key_a key_b key_c ")
	_, err = json.Marshal(all)
	t.ok(err)
	is(t, all[0].State(now), toksta.KeyExpired)
	is(t, all[1].State(now), toksta.KeyLive)
	is(t, t.follow(&n).grants[digest("key_a")].ExpiresAt > 0, true)
	live, err := t.s.CountLiveKeys(t.Context(), a.ID, now)
	t.ok(err)
	is(t, live, 2)
}

// audit: the log must have all changes of an account or a key, with their actors, and must
// show an account no changes of another one.
func audit(t *suite) {
	for i := range 6 {
		c := store.Mutation{Kind: toksta.ChangeKeyRenamed, AccountID: "acct_a", KeyID: "key_a"}
		if i%2 == 1 {
			c.AccountID, c.KeyID = "acct_b", "key_b"
		}
		t.commit(c)
	}
	seqs := func(q store.ChangeQuery) (out []int64) {
		t.Helper()
		changes, err := t.s.ListChanges(t.Context(), q)
		t.ok(err)
		for _, c := range changes {
			out = append(out, c.Seq)
		}
		return out
	}
	is(t, seqs(store.ChangeQuery{}), []int64{6, 5, 4, 3, 2, 1})
	is(t, seqs(store.ChangeQuery{Limit: 2, Before: 5}), []int64{4, 3})
	is(t, seqs(store.ChangeQuery{Account: "acct_b"}), []int64{6, 4, 2})
	is(t, seqs(store.ChangeQuery{Account: "acct_a", Key: "key_b"}), nil)
	is(t, seqs(store.ChangeQuery{Key: "key_a", Before: 5}), []int64{3, 1})
}

// auditOfMany: the history of a revoked key must contain the revocation, even if that
// change revoked many keys, and no changes of other keys.
func auditOfMany(t *suite) {
	a, b := t.account("acct_a"), t.account("acct_b")
	first, other := key(a.ID, "key_a"), key(b.ID, "key_b")
	imported := t.commit(store.Mutation{Kind: toksta.ChangeKeysImported, Keys: []toksta.Key{first, other}}).Seq
	renamed := t.put(first).Seq
	t.put(other)
	first.RevokedAt = now
	revoked := t.commit(store.Mutation{Kind: toksta.ChangeKeysRevoked, Keys: []toksta.Key{first}}).Seq
	for _, account := range []toksta.AccountID{"", a.ID, b.ID} {
		changes, err := t.s.ListChanges(t.Context(), store.ChangeQuery{Account: account, Key: first.ID})
		t.ok(err)
		var seqs []int64
		for _, c := range changes {
			seqs = append(seqs, c.Seq)
		}
		if account == b.ID {
			is(t, seqs, nil)
			continue
		}
		is(t, seqs, []int64{revoked, renamed, imported})
	}

	// The change is in the history of each account whose keys it touched.
	ended := t.put(other).Seq
	other.RevokedAt = now
	t.commit(store.Mutation{Kind: toksta.ChangeKeysRevoked, AccountID: b.ID, Keys: []toksta.Key{other}})
	for account, want := range map[toksta.AccountID][]int64{
		a.ID:        {revoked, renamed, imported, a.Seq},
		b.ID:        {ended + 1, ended, renamed + 1, imported, b.Seq},
		"acct_none": nil,
	} {
		for _, page := range []int{1, 2, 100} {
			var seqs []int64
			for q := (store.ChangeQuery{Account: account, Limit: page}); ; q.Before = seqs[len(seqs)-1] {
				changes, err := t.s.ListChanges(t.Context(), q)
				t.ok(err)
				for _, c := range changes {
					seqs = append(seqs, c.Seq)
				}
				if len(changes) < page {
					break
				}
			}
			is(t, seqs, want)
		}
	}
}
