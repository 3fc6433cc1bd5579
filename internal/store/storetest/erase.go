package storetest

import (
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// erases: an erasure must be complete, however many rows there are, and report them.
func erases(t *suite) {
	const many = 1001 // more than two batches
	a, other := t.account("acct_a"), t.account("acct_b")
	created := store.Mutation{Kind: toksta.ChangeKeysImported}
	for i := range many {
		created.Keys = append(created.Keys, key(a.ID, numbered("key_a", i)))
	}
	created.Keys = append(created.Keys, key(other.ID, "key_b"))
	t.commit(created)
	rows, err := t.s.Erase(t.Context(), store.Erasure{Account: a.ID})
	t.ok(err)
	is(t, rows, map[string]int64{"keys": many, "changes": 1})
	named := func(id string) toksta.KeyID {
		k, err := t.s.Key(t.Context(), "", toksta.KeyID(id))
		t.ok(err)
		return toksta.KeyID(k.Name)
	}
	is(t, []toksta.KeyID{named("key_a0000"), named("key_a1000"), named("key_b")}, []toksta.KeyID{"key_a0000", "key_a1000", "k"})
	again, err := t.s.Erase(t.Context(), store.Erasure{Account: a.ID})
	t.ok(err)
	is(t, again, map[string]int64{})
}

// erasesAddresses: the invitations to an erased address must not stay, in any spelling, and those to a
// similar address must.
func erasesAddresses(t *suite) {
	a := t.account("acct_a")
	for _, email := range []string{"A_b%c!d@example.com", "aXb%c!d@example.com", "a_bXYc!d@example.com", "a_b%cd@example.com"} {
		t.commit(store.Mutation{
			Kind: toksta.ChangeInvitationCreated, AccountID: a.ID, Detail: map[string]string{"email": email},
			Invitations: []store.Invitation{{Code: digest(email), ID: toksta.InvitationID("inv_" + email), AccountID: a.ID, Email: email, CreatedAt: now, ExpiresAt: now}},
		})
	}
	rows, err := t.s.Erase(t.Context(), store.Erasure{Addresses: []string{"a_B%C!d@example.com"}})
	t.ok(err)
	is(t, rows, map[string]int64{"invitations": 1, "changes": 1})
	open, err := t.s.ListInvitations(t.Context(), a.ID)
	t.ok(err)
	is(t, ids(open, func(i store.Invitation) string { return i.Email }), "aXb%c!d@example.com a_b%cd@example.com a_bXYc!d@example.com ")
	changes, err := t.s.ListChanges(t.Context(), store.ChangeQuery{Account: a.ID, Limit: 4})
	t.ok(err)
	is(t, ids(changes, func(c toksta.Change) string { return c.Detail["email"] }), "a_b%cd@example.com a_bXYc!d@example.com aXb%c!d@example.com  ")
}

// marksErased: the time of an erasure must be the one of the first completion.
func marksErased(t *suite) {
	a := t.account("acct_a")
	t.ok(t.s.MarkErased(t.Context(), a.ID))
	first, err := t.s.Account(t.Context(), a.ID)
	t.ok(err)
	is(t, first.ErasedAt.IsZero(), false)
	t.ok(t.s.MarkErased(t.Context(), a.ID))
	second, err := t.s.Account(t.Context(), a.ID)
	t.ok(err)
	is(t, second, first)
}

// soleMembers: a person who belongs to another account must keep the own data when this one is
// erased.
func soleMembers(t *suite) {
	a, b := t.account("acct_a"), t.account("acct_b")
	in := func(account toksta.AccountID, member toksta.MemberID, removed bool) toksta.Membership {
		m := toksta.Membership{AccountID: account, MemberID: member, Role: toksta.MemberViewer}
		if removed {
			m.RemovedAt = now
		}
		return m
	}
	t.commit(store.Mutation{
		Kind: toksta.ChangeMemberCreated,
		Members: []toksta.Member{
			{ID: "mem_here"}, {ID: "mem_was_here"}, {ID: "mem_both"}, {ID: "mem_was_there"}, {ID: "mem_moved"}, {ID: "mem_there"},
		},
		Memberships: []toksta.Membership{
			in(a.ID, "mem_here", false), in(a.ID, "mem_was_here", true), in(a.ID, "mem_both", false), in(b.ID, "mem_both", false),
			in(a.ID, "mem_was_there", false), in(b.ID, "mem_was_there", true), in(a.ID, "mem_moved", true), in(b.ID, "mem_moved", false), in(b.ID, "mem_there", false),
		},
	})
	found, err := t.s.ListSoleMembers(t.Context(), a.ID)
	t.ok(err)
	is(t, ids(found, func(m toksta.Member) string { return string(m.ID) }), "mem_here mem_was_here mem_was_there ")
}
