package storetest

import (
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// identities: a person at a provider must be one member, and after unlinking none.
func identities(t *suite) {
	t.commit(store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{
		{ID: "mem_a", Email: "a@x"}, {ID: "mem_b", Email: "b@x"},
	}})
	first := store.Identity{
		Provider: "acme", Subject: "Ä|1", MemberID: "mem_a", Email: "A@Example.com", Granted: []toksta.AccountID{"acct_a", "acct_b"}, CreatedAt: now,
	}
	second := store.Identity{Provider: "hub", Subject: "Ä|1", MemberID: "mem_a", CreatedAt: now.Add(time.Minute)}
	// The subject is case-sensitive.
	other := store.Identity{Provider: "acme", Subject: "ä|1", MemberID: "mem_b", CreatedAt: now}
	t.commit(store.Mutation{Kind: toksta.ChangeIdentityLinked, Identities: []store.Identity{second, first, other}})
	get := func(i store.Identity) store.Identity {
		t.Helper()
		got, err := t.s.Identity(t.Context(), i.Provider, i.Subject)
		t.ok(err)
		return got
	}
	list := func(m toksta.MemberID) []store.Identity {
		t.Helper()
		all, err := t.s.ListIdentities(t.Context(), m)
		t.ok(err)
		return all
	}
	is(t, []store.Identity{get(first), get(second), get(other)}, []store.Identity{first, second, other})
	is(t, list("mem_a"), []store.Identity{first, second})
	is(t, list("mem_b"), []store.Identity{other})

	first.Granted = nil
	t.commit(store.Mutation{Kind: toksta.ChangeMemberRoleSet, Identities: []store.Identity{first}})
	is(t, get(first), first)
	t.commit(store.Mutation{Kind: toksta.ChangeIdentityUnlinked, Unlinked: []store.Identity{first}})
	is(t, list("mem_a"), []store.Identity{second})
	is(t, list("mem_b"), []store.Identity{other})
	_, err := t.s.Identity(t.Context(), "acme", "Ä|1")
	t.missing(err)
	first.MemberID = "mem_b"
	t.commit(store.Mutation{Kind: toksta.ChangeIdentityLinked, Unlinked: []store.Identity{first}, Identities: []store.Identity{first}})
	is(t, get(first), first)
}
