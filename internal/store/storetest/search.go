package storetest

import (
	"strconv"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// allFound reads all pages of a search and returns its ids. A page of a search by one
// condition must have the rows of its limit.
func allFound(t *suite, next func(after string) (ids []string, cursor string, err error)) (all []string) {
	t.Helper()
	after := ""
	for range 100 {
		ids, cursor, err := next(after)
		t.ok(err)
		all = append(all, ids...)
		if cursor == "" {
			return all
		}
		after = cursor
	}
	t.Fatal("the search does not end")
	return nil
}

// searchAccounts: a search that skips accounts at the end of a page hides customers.
func searchAccounts(t *suite) {
	var m store.Mutation
	m.Kind = toksta.ChangeAccountCreated
	for i, name := range []string{"Beta", "acme b", "Acme A", "ACME A", "Äcme", "Acme A", "Zed"} {
		a := account("acct_" + strconv.Itoa(i))
		a.Name, a.Plan, a.Status = name, toksta.PlanID("P"+strconv.Itoa(i%2)), toksta.Status("s"+strconv.Itoa(i%3))
		m.Accounts = append(m.Accounts, a)
	}
	m.Accounts[4].ExternalID = "crm-4"
	m.Members = []toksta.Member{{ID: "mem_a", Email: "Zoë@zed.example"}}
	m.Memberships = []toksta.Membership{{AccountID: "acct_6", MemberID: "mem_a", Role: toksta.MemberOwner}}
	t.commit(m)
	for _, test := range []struct {
		q    store.AccountSearch
		want []string
	}{
		{store.AccountSearch{}, []string{"acct_0", "acct_1", "acct_2", "acct_3", "acct_4", "acct_5", "acct_6"}},
		{store.AccountSearch{Name: "aCme"}, []string{"acct_2", "acct_3", "acct_5", "acct_1"}},
		{store.AccountSearch{Name: "acme  A"}, []string{"acct_2", "acct_3", "acct_5"}},
		{store.AccountSearch{Name: "Äc"}, []string{"acct_4"}},
		{store.AccountSearch{Name: "cme"}, nil},
		{store.AccountSearch{Plan: "P1"}, []string{"acct_1", "acct_3", "acct_5"}},
		{store.AccountSearch{Status: "s0"}, []string{"acct_0", "acct_3", "acct_6"}},
		{store.AccountSearch{Plan: "P0", Status: "s0"}, []string{"acct_0", "acct_6"}},
		{store.AccountSearch{Name: "acme", Plan: "P1", Status: "s2"}, []string{"acct_5"}},
		{store.AccountSearch{ExternalID: "crm-4"}, []string{"acct_4"}},
		{store.AccountSearch{ExternalID: "crm-4", Plan: "P1"}, nil},
		{store.AccountSearch{Email: "zoë@ZED.example"}, []string{"acct_6"}},
		{store.AccountSearch{Email: "zed.example"}, nil},
		{store.AccountSearch{Email: "zoë@zed.example", Name: "acme"}, nil},
	} {
		for _, limit := range []int{1, 2, 100} {
			got := allFound(t, func(after string) (ids []string, cursor string, err error) {
				q := test.q
				q.Page = store.Page{After: after, Limit: limit}
				found, err := t.s.FindAccounts(t.Context(), q)
				for _, a := range found.Rows {
					ids = append(ids, string(a.ID))
				}
				return ids, found.Next, err
			})
			is(t, got, test.want)
		}
	}
}

// searchKeys: an operator must find a key by the parts that a customer knows, also by a
// secret that was rotated, and by no part of two secrets.
func searchKeys(t *suite) {
	a, b := t.account("acct_a"), t.account("acct_b")
	live, expired, revoked, other := key(a.ID, "key_1"), key(a.ID, "key_2"), key(a.ID, "key_3"), key(b.ID, "key_4")
	live.Name, expired.Name, revoked.Name, other.Name = "Nightly", "nightly 2", "Night", "Day"
	live.ExpiresAt, expired.ExpiresAt, revoked.RevokedAt = now.Add(time.Hour), now.Add(-time.Hour), now
	live.Generations = append(live.Generations, toksta.Generation{Digest: digest("new"), Number: 2, Start: "c3d4", End: "9f0e", CreatedAt: now})
	other.ExternalID, other.Generations[0].End = "crm-4", "ffff"
	for _, k := range []toksta.Key{live, expired, revoked, other} {
		t.put(k)
	}
	for _, test := range []struct {
		q    store.KeySearch
		want []string
	}{
		{store.KeySearch{}, []string{"key_1", "key_2", "key_4"}},
		{store.KeySearch{Revoked: true}, []string{"key_1", "key_2", "key_3", "key_4"}},
		{store.KeySearch{State: toksta.KeyLive}, []string{"key_1", "key_4"}},
		{store.KeySearch{State: toksta.KeyExpired}, []string{"key_2"}},
		{store.KeySearch{State: toksta.KeyRevoked}, []string{"key_3"}},
		{store.KeySearch{Account: a.ID, Revoked: true}, []string{"key_1", "key_2", "key_3"}},
		{store.KeySearch{Name: "NIGHT", Revoked: true}, []string{"key_3", "key_1", "key_2"}},
		{store.KeySearch{Name: "night"}, []string{"key_1", "key_2"}},
		{store.KeySearch{End: "9f0e", Revoked: true}, []string{"key_1", "key_2", "key_3"}},
		{store.KeySearch{Start: "a1b2", End: "9f0e"}, []string{"key_1", "key_2"}},
		{store.KeySearch{Start: "c3d4"}, []string{"key_1"}},
		{store.KeySearch{Start: "c3d4", End: "ffff"}, nil},
		{store.KeySearch{Start: "a1"}, nil},
		{store.KeySearch{ExternalID: "crm-4"}, []string{"key_4"}},
		{store.KeySearch{ExternalID: "crm-4", Account: a.ID}, nil},
	} {
		for _, limit := range []int{1, 2, 100} {
			got := allFound(t, func(after string) (ids []string, cursor string, err error) {
				q := test.q
				q.Now, q.Page = now, store.Page{After: after, Limit: limit}
				found, err := t.s.FindKeys(t.Context(), q)
				for _, k := range found.Rows {
					ids = append(ids, string(k.ID))
				}
				return ids, found.Next, err
			})
			is(t, got, test.want)
		}
	}
}

// searchMany: the pages of a search with more rows than one page reads must have every row,
// also where many names are equal.
func searchMany(t *suite) {
	const n = 2500
	var m store.Mutation
	m.Kind = toksta.ChangeAccountCreated
	for i := range n {
		a := account(numbered("acct_", i))
		a.Name, a.Status = "Same", "active"
		if i%1000 == 999 {
			a.Status = "rare"
		}
		m.Accounts = append(m.Accounts, a)
	}
	t.commit(m)
	for _, test := range []struct {
		q    store.AccountSearch
		want int
	}{
		{store.AccountSearch{}, n}, {store.AccountSearch{Name: "same"}, n}, {store.AccountSearch{Name: "same", Status: "rare"}, 2},
	} {
		got := allFound(t, func(after string) (ids []string, cursor string, err error) {
			q := test.q
			q.Page = store.Page{After: after, Limit: 400}
			found, err := t.s.FindAccounts(t.Context(), q)
			for _, a := range found.Rows {
				ids = append(ids, string(a.ID))
			}
			return ids, found.Next, err
		})
		seen := map[string]bool{}
		for _, id := range got {
			seen[id] = true
		}
		is(t, []int{len(got), len(seen)}, []int{test.want, test.want})
	}
}

// searchChanges: the audit trail must have every change of an actor, a kind and a time.
func searchChanges(t *suite) {
	k := t.put(key(t.account("acct_a").ID, "key_a"))
	k.Name = "renamed"
	ada := toksta.Actor{Kind: toksta.ActorMember, ID: "mem_a", Name: "Ada"}
	renamed, err := t.s.Commit(t.Context(), ada, decided(store.Mutation{Kind: toksta.ChangeKeyRenamed, AccountID: "acct_a", KeyID: k.ID, Keys: []toksta.Key{k}}))
	t.ok(err)
	t.account("acct_b")
	t.commit(store.Mutation{Kind: toksta.ChangeMemberDisabled, AccountID: "acct_a", MemberID: "mem_a"})
	t.commit(store.Mutation{Kind: toksta.ChangeMemberDisabled, AccountID: "acct_a", MemberID: "mem_b"})
	account := store.ChangeQuery{Account: "acct_a"}
	for _, test := range []struct {
		q    store.ChangeSearch
		want []int64
	}{
		{store.ChangeSearch{}, []int64{6, 5, 4, 3, 2, 1}},
		{store.ChangeSearch{Kind: toksta.ChangeAccountCreated}, []int64{4, 1}},
		{store.ChangeSearch{Kind: toksta.ChangeAccountCreated, ChangeQuery: account}, []int64{1}},
		{store.ChangeSearch{Actor: "mem_a"}, []int64{3}},
		{store.ChangeSearch{Actor: "op"}, []int64{6, 5, 4, 2, 1}},
		{store.ChangeSearch{Actor: "member"}, []int64{3}},
		{store.ChangeSearch{Member: "mem_a"}, []int64{5, 3}},
		{store.ChangeSearch{Member: "mem_a", ChangeQuery: account}, []int64{5, 3}},
		{store.ChangeSearch{Member: "mem_a", ChangeQuery: store.ChangeQuery{Account: "acct_b"}}, nil},
		{store.ChangeSearch{Member: "mem_a", Actor: "op"}, []int64{5}},
		{store.ChangeSearch{Member: "mem_c"}, nil},
		{store.ChangeSearch{Actor: "operator", Kind: toksta.ChangeKeyCreated}, []int64{2}},
		{store.ChangeSearch{Actor: "mem_a", Kind: toksta.ChangeKeyCreated}, nil},
		{store.ChangeSearch{ChangeQuery: store.ChangeQuery{Key: k.ID}, Actor: "op"}, []int64{2}},
		{store.ChangeSearch{Since: renamed.At.Add(-time.Minute), Until: renamed.At.Add(time.Minute)}, []int64{6, 5, 4, 3, 2, 1}},
		{store.ChangeSearch{Since: renamed.At.Add(time.Minute)}, nil},
		{store.ChangeSearch{Since: renamed.At.Add(48 * time.Hour)}, nil},
		{store.ChangeSearch{Until: renamed.At.Add(-time.Minute)}, nil},
		{store.ChangeSearch{Until: renamed.At.Add(-48 * time.Hour)}, nil},
	} {
		for _, limit := range []int{1, 100} {
			var got []int64
			for q := test.q; ; {
				q.Limit = limit
				found, err := t.s.FindChanges(t.Context(), q)
				t.ok(err)
				for _, c := range found.Rows {
					got = append(got, c.Seq)
				}
				if q.Before = found.Next; found.Next == 0 {
					break
				}
			}
			is(t, got, test.want)
		}
	}
}
