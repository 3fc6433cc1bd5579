package members_test

import (
	"context"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/storetest/sqlitetest"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: no person gets into a closed account, by whatever service, and its members change
// nothing in it, except that they take access away and change their own sign-in.
func TestClosedAccount(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	log := members.Log{Log: db.DirectLog()}
	commit := func(by toksta.Actor, m store.Mutation) error {
		_, err := log.Commit(t.Context(), by, func(context.Context, store.Reader) (store.Mutation, error) { return m, nil })
		return err
	}
	owner := toksta.Actor{Kind: toksta.ActorMember, ID: "mem_owner"}
	at := time.UnixMilli(1)
	for _, a := range []toksta.Account{{ID: "acct_closed", ClosedAt: at}, {ID: "acct_open"}} {
		setup := store.Mutation{
			Kind: toksta.ChangeAccountCreated, Accounts: []toksta.Account{a},
			Members:     []toksta.Member{{ID: "mem_owner", Email: "owner@example.com"}, {ID: "mem_b", Email: "b@example.com"}},
			Memberships: []toksta.Membership{{AccountID: a.ID, MemberID: "mem_owner", Role: toksta.MemberOwner}},
		}
		if err := commit(operator, setup); err != nil {
			t.Fatal(err)
		}
	}
	for _, account := range []toksta.AccountID{"acct_closed", "acct_open"} {
		joins := store.Mutation{Memberships: []toksta.Membership{{AccountID: account, MemberID: "mem_b", Role: toksta.MemberViewer}}}
		leaves := store.Mutation{Memberships: []toksta.Membership{{AccountID: account, MemberID: "mem_b", Role: toksta.MemberViewer, RemovedAt: at}}}
		invites := store.Mutation{Invitations: []store.Invitation{{AccountID: account}}}
		revokes := store.Mutation{Invitations: []store.Invitation{{AccountID: account, RevokedAt: at}}}
		for _, c := range []struct {
			name  string
			by    toksta.Actor
			kind  toksta.ChangeKind
			rows  store.Mutation
			never bool // in a closed account
		}{
			{"the operator adds a member", operator, toksta.ChangeMemberCreated, joins, true},
			{"a person joins", toksta.Actor{Kind: toksta.ActorMember, ID: "mem_b"}, toksta.ChangeMemberJoined, joins, true},
			{"the system adds a member", toksta.Actor{Kind: toksta.ActorSystem}, toksta.ChangeMemberJoined, joins, true},
			{"the operator invites", operator, toksta.ChangeInvitationCreated, invites, true},
			{"an owner invites", owner, toksta.ChangeInvitationCreated, invites, true},
			{"an owner renames", owner, toksta.ChangeAccountRenamed, store.Mutation{}, true},
			{"an owner creates a key", owner, toksta.ChangeKeyCreated, store.Mutation{}, true},
			{"an owner sets a role", owner, toksta.ChangeMemberRoleSet, store.Mutation{}, true},
			{"an owner revokes an invitation", owner, toksta.ChangeInvitationRevoked, revokes, false},
			{"an owner removes a member", owner, toksta.ChangeMemberRemoved, leaves, false},
			{"a member leaves", toksta.Actor{Kind: toksta.ActorMember, ID: "mem_b"}, toksta.ChangeMemberLeft, leaves, false},
			{"an owner sets the own password", owner, toksta.ChangeMemberPasswordSet, store.Mutation{}, false},
			{"the operator sets the plan", operator, toksta.ChangePlanSet, store.Mutation{}, false},
		} {
			m := c.rows
			m.Kind, m.AccountID, m.MemberID = c.kind, account, "mem_b"
			if c.kind == toksta.ChangeMemberPasswordSet {
				m.MemberID = "mem_owner"
			}
			err := commit(c.by, m)
			want := toksta.Code("")
			if c.never && account == "acct_closed" {
				want = toksta.CodeConflict
			}
			if toksta.ErrorCode(err) != want && !(err == nil && want == "") {
				t.Errorf("%s, %s: got %v, want %q", account, c.name, err, want)
			}
		}
	}
}
