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

var operator = toksta.Actor{Kind: toksta.ActorOperator, Name: "op"}

// Guarantee: the change log accepts a change of a member only if the member's role in the
// account of the change allows its kind. Without this check in the transaction, a removed member
// could revoke keys until the pages notice.
func TestRolesBoundEveryKindOfChange(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	log := members.Log{Log: db.DirectLog()}
	commit := func(by toksta.Actor, m store.Mutation) error {
		_, err := log.Commit(t.Context(), by, func(context.Context, store.Reader) (store.Mutation, error) { return m, nil })
		return err
	}
	setup := store.Mutation{Kind: toksta.ChangeAccountCreated, Accounts: []toksta.Account{{ID: "acct_a"}, {ID: "acct_b"}}}
	actor := func(role toksta.MemberRole) toksta.Actor {
		return toksta.Actor{Kind: toksta.ActorMember, ID: "mem_" + string(role)}
	}
	roles := append(toksta.MemberRoles(), "removed", "disabled", "disabled_everywhere", "stranger")
	for _, role := range roles {
		id := toksta.MemberID(actor(role).ID)
		m := toksta.Member{ID: id, Email: string(role) + "@example.com"}
		s := toksta.Membership{AccountID: "acct_a", MemberID: id, Role: role}
		if !role.IsValid() {
			s.Role = toksta.MemberOwner
		}
		start := time.UnixMilli(1)
		switch role {
		case "removed":
			s.RemovedAt = start
		case "disabled":
			s.DisabledAt = start
		case "disabled_everywhere":
			m.DisabledAt = start
		case "stranger":
			s.AccountID = "acct_b"
		}
		setup.Members = append(setup.Members, m)
		setup.Memberships = append(setup.Memberships, s)
	}
	if err := commit(operator, setup); err != nil {
		t.Fatal(err)
	}
	for _, kind := range toksta.ChangeKinds() {
		needed, known := members.PermissionFor(kind)
		for _, role := range roles {
			err := commit(actor(role), store.Mutation{Kind: kind, AccountID: "acct_a", MemberID: "mem_other"})
			if want := known && role.Allows(needed); (err == nil) != want {
				t.Errorf("%s by %s: allowed %t, want %t: %v", kind, role, err == nil, want, err)
			}
			if err != nil && toksta.ErrorCode(err) != toksta.CodeForbidden {
				t.Errorf("%s by %s: %v", kind, role, err)
			}
		}
		if err := commit(operator, store.Mutation{Kind: kind, AccountID: "acct_a"}); err != nil {
			t.Errorf("%s by the operator: %v", kind, err)
		}
	}
	own := store.Mutation{Kind: toksta.ChangeMemberPasswordSet, AccountID: "acct_a", MemberID: toksta.MemberID(actor(toksta.MemberViewer).ID)}
	if err := commit(actor(toksta.MemberViewer), own); err != nil {
		t.Errorf("a viewer cannot change the own password: %v", err)
	}
	if err := commit(actor(toksta.MemberOwner), own); err == nil {
		t.Error("an owner changes the password of another member")
	}
	disabled := actor("disabled_everywhere")
	if err := commit(disabled, store.Mutation{Kind: toksta.ChangeMemberPasswordSet, MemberID: toksta.MemberID(disabled.ID)}); toksta.ErrorCode(err) != toksta.CodeForbidden {
		t.Errorf("a person who is disabled everywhere changes the own password: %v", err)
	}
}

// Guarantee: if addresses are verified, a member whose sign-up is not confirmed cannot make a change
// that would keep access for a stranger. A confirmed member, and a member that the operator
// created, can. Revoking a key is always possible.
func TestChangesThatNeedAnAddress(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	setup := store.Mutation{Kind: toksta.ChangeAccountCreated, Accounts: []toksta.Account{{ID: "acct_a"}}}
	soon := time.UnixMilli(1)
	for id, m := range map[toksta.MemberID]toksta.Member{
		"mem_provisional": {ExpiresAt: soon}, "mem_verified": {VerifiedAt: soon}, "mem_created": {},
	} {
		m.ID, m.Email = id, string(id)+"@example.com"
		setup.Members = append(setup.Members, m)
		setup.Memberships = append(setup.Memberships, toksta.Membership{AccountID: "acct_a", MemberID: id, Role: toksta.MemberOwner})
	}
	commit := func(log members.Log, by toksta.Actor, m store.Mutation) error {
		_, err := log.Commit(t.Context(), by, func(context.Context, store.Reader) (store.Mutation, error) { return m, nil })
		return err
	}
	off, on := members.Log{Log: db.DirectLog()}, members.Log{Log: db.DirectLog(), RequireVerified: true}
	if err := commit(on, operator, setup); err != nil {
		t.Fatal(err)
	}
	for kind, needed := range map[toksta.ChangeKind]bool{
		toksta.ChangeKeyCreated: true, toksta.ChangeKeyRotated: true, toksta.ChangeInvitationCreated: true, toksta.ChangeMemberRoleSet: true,
		toksta.ChangeIdentityLinked: true, toksta.ChangeKeyRevoked: false, toksta.ChangeMemberPasswordSet: false,
	} {
		for _, id := range []toksta.MemberID{"mem_provisional", "mem_verified", "mem_created"} {
			by := toksta.Actor{Kind: toksta.ActorMember, ID: string(id)}
			change := store.Mutation{Kind: kind, AccountID: "acct_a", MemberID: id}
			if err := commit(on, by, change); (err != nil) != (needed && id == "mem_provisional") {
				t.Errorf("%s by %s: %v", kind, id, err)
			}
			if err := commit(off, by, change); err != nil {
				t.Errorf("%s by %s without verification: %v", kind, id, err)
			}
		}
	}
}

// Guarantee: if a second factor is required, a member without one changes nothing in an account,
// also past the pages, and can set one up. A removed factor counts no longer.
func TestRequiredFactorBoundsChanges(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	log := members.Log{Log: db.DirectLog(), RequireFactor: true}
	commit := func(by toksta.Actor, m store.Mutation) error {
		m.AccountID = "acct_a"
		_, err := log.Commit(t.Context(), by, func(context.Context, store.Reader) (store.Mutation, error) { return m, nil })
		return err
	}
	ada := toksta.Actor{Kind: toksta.ActorMember, ID: "mem_a"}
	if err := commit(operator, store.Mutation{
		Kind: toksta.ChangeAccountCreated, Accounts: []toksta.Account{{ID: "acct_a"}}, Members: []toksta.Member{{ID: "mem_a", Email: "a@x"}},
		Memberships: []toksta.Membership{{AccountID: "acct_a", MemberID: "mem_a", Role: toksta.MemberOwner}},
	}); err != nil {
		t.Fatal(err)
	}
	p := store.Passkey{ID: "pass_a", MemberID: "mem_a", Credential: []byte{1}, PublicKey: []byte{2}}
	app := store.TOTP{MemberID: "mem_a", Secret: toksta.Hide("AAAA")}
	code := store.RecoveryCode{MemberID: "mem_a"}
	for i, step := range []struct {
		own     store.Mutation
		allowed bool
	}{
		{store.Mutation{Kind: toksta.ChangeFactorAdded, RecoveryCodes: []store.RecoveryCode{code}}, false},
		{store.Mutation{Kind: toksta.ChangeFactorAdded, TOTPs: []store.TOTP{app}}, false},
		{store.Mutation{Kind: toksta.ChangeFactorAdded, Passkeys: []store.Passkey{p}}, true},
		{store.Mutation{Kind: toksta.ChangeFactorRemoved, Passkeys: []store.Passkey{{ID: "pass_a", MemberID: "mem_a", Credential: []byte{1}, PublicKey: []byte{}, RemovedAt: time.UnixMilli(1)}}}, false},
		{store.Mutation{Kind: toksta.ChangeFactorAdded, TOTPs: []store.TOTP{{MemberID: "mem_a", Secret: app.Secret, ConfirmedAt: time.UnixMilli(1)}}}, true},
	} {
		step.own.MemberID = "mem_a"
		if err := commit(ada, step.own); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		for _, kind := range []toksta.ChangeKind{toksta.ChangeKeyCreated, toksta.ChangeKeyRevoked, toksta.ChangeMemberRoleSet} {
			if err := commit(ada, store.Mutation{Kind: kind}); (err == nil) != step.allowed {
				t.Errorf("step %d, %s: %v", i, kind, err)
			}
		}
	}
	if err := commit(operator, store.Mutation{Kind: toksta.ChangeKeyRevoked}); err != nil {
		t.Errorf("the operator: %v", err)
	}
	if err := commit(ada, store.Mutation{Kind: toksta.ChangeFactorRemoved, MemberID: "mem_a", TOTPs: []store.TOTP{{MemberID: "mem_a"}}}); err != nil {
		t.Fatal(err)
	}
	proved := store.Session{MemberID: "mem_a", Provider: "sso", FactorAt: time.UnixMilli(1), ExpiresAt: time.Now().Add(time.Hour)}
	for _, vouched := range []bool{false, true} {
		if err := commit(ada, store.Mutation{Kind: toksta.ChangeKeyCreated}); (err == nil) != vouched {
			t.Errorf("a provider verified a factor: %t: %v", vouched, err)
		}
		if err := db.PutSession(t.Context(), proved); err != nil && !vouched {
			t.Fatal(err)
		}
	}
}
