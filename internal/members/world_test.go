package members_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/storetest/sqlitetest"
	"github.com/toksta/toksta/sdk/toksta"
)

// world is a service on a real database. acct_a has a member of each role, with the id mem_ROLE,
// and a second owner, mem_owner2. acct_b has the owner mem_b.
type world struct {
	*members.Service
	store store.Store
	now   time.Time
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	s := sqlitetest.Open(tb)
	w := &world{store: s, now: time.Now().UTC().Truncate(time.Millisecond)}
	w.Service = &members.Service{Log: members.Log{Log: s.DirectLog()}, Store: s, Sessions: s, Now: func() time.Time { return w.now }}
	setup := store.Mutation{Kind: toksta.ChangeAccountCreated, Accounts: []toksta.Account{{ID: "acct_a", Name: "Acme"}, {ID: "acct_b", Name: "Beta"}}}
	add := func(name string, account toksta.AccountID, role toksta.MemberRole) {
		id := toksta.MemberID("mem_" + name)
		setup.Members = append(setup.Members, toksta.Member{ID: id, Name: name, Email: name + "@example.com", CreatedAt: w.now})
		setup.Memberships = append(setup.Memberships, toksta.Membership{AccountID: account, MemberID: id, Role: role, CreatedAt: w.now})
	}
	for _, role := range toksta.MemberRoles() {
		add(string(role), "acct_a", role)
	}
	add("owner2", "acct_a", toksta.MemberOwner)
	add("b", "acct_b", toksta.MemberOwner)
	w.commit(tb, setup)
	return w
}

// commit writes a mutation as the operator.
func (w *world) commit(tb testing.TB, m store.Mutation) {
	tb.Helper()
	if _, err := w.store.Commit(tb.Context(), operator, func(context.Context, store.Reader) (store.Mutation, error) { return m, nil }); err != nil {
		tb.Fatal(err)
	}
}

// person returns a member as an actor.
func person(name string) toksta.Actor {
	return toksta.Actor{Kind: toksta.ActorMember, ID: "mem_" + name, Name: name}
}

// in names a member of acct_a.
func in(name string) members.Ref {
	return members.Ref{Account: "acct_a", Member: toksta.MemberID("mem_" + name)}
}

// role returns the role with which a person can act in acct_a, "" for none.
func (w *world) role(tb testing.TB, name string) toksta.MemberRole {
	tb.Helper()
	role, err := w.store.Role(tb.Context(), "acct_a", toksta.MemberID("mem_"+name))
	if err != nil {
		return ""
	}
	return role
}

// addMembers adds n viewers to acct_a.
func (w *world) addMembers(tb testing.TB, n int) {
	tb.Helper()
	all := store.Mutation{Kind: toksta.ChangeMemberCreated}
	for i := range n {
		id := toksta.MemberID(fmt.Sprintf("mem_%d", i))
		all.Members = append(all.Members, toksta.Member{ID: id, Email: string(id) + "@example.com"})
		all.Memberships = append(all.Memberships, toksta.Membership{AccountID: "acct_a", MemberID: id, Role: toksta.MemberViewer})
	}
	w.commit(tb, all)
}

// setRole makes the operator give a person a role, also if no owner is left.
func (w *world) setRole(tb testing.TB, name string, role toksta.MemberRole) {
	tb.Helper()
	if _, err := w.SetRole(tb.Context(), operator, members.RoleRequest{Ref: in(name), Role: role, WithoutOwner: true}); err != nil {
		tb.Fatal(err)
	}
}

// newest returns the newest change.
func (w *world) newest(tb testing.TB) toksta.Change {
	tb.Helper()
	all, err := w.store.ListChanges(tb.Context(), store.ChangeQuery{Limit: 1})
	if err != nil || len(all) == 0 {
		tb.Fatal(err)
	}
	return all[0]
}

// wantError fails the test unless err has the code and the text, and the call made no change after
// number seq.
func (w *world) wantError(tb testing.TB, err error, code toksta.Code, text string) {
	tb.Helper()
	if toksta.ErrorCode(err) != code || err == nil || !strings.Contains(err.Error(), text) {
		tb.Errorf("got %v, want %s with the text %q", err, code, text)
	}
}
