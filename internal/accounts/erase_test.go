package accounts_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/accounts"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// people creates a closed account with two people, of whom one belongs to a second account.
func (w *world) people(t *testing.T) (closed, other toksta.Account) {
	t.Helper()
	made, err := w.Create(t.Context(), operator, accounts.CreateRequest{Name: "Acme", ExternalID: "crm-1", Metadata: map[string]string{"contact": "Ada"}})
	if err != nil {
		t.Fatal(err)
	}
	closed, other = made.Account, w.create(t)
	membership := func(account toksta.AccountID, member toksta.MemberID) toksta.Membership {
		return toksta.Membership{AccountID: account, MemberID: member, Role: toksta.MemberOwner, CreatedAt: w.now}
	}
	w.commit(t, store.Mutation{
		Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{
			{ID: "mem_ada", Email: "ada@example.com", Name: "Ada", PasswordHash: "hash", CreatedAt: w.now, Consent: "terms", ConsentAt: w.now},
			{ID: "mem_bob", Email: "bob@example.com", Name: "Bob", CreatedAt: w.now},
		},
		Memberships: []toksta.Membership{membership(closed.ID, "mem_ada"), membership(closed.ID, "mem_bob"), membership(other.ID, "mem_bob")},
	})
	for i, member := range []toksta.MemberID{"mem_ada", "mem_bob"} {
		for j, account := range []toksta.AccountID{closed.ID, other.ID} {
			s := store.Session{ID: digest(fmt.Sprint(i, j)), MemberID: member, AccountID: account, ExpiresAt: w.now}
			if err := w.store.PutSession(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
	}
	out, err := w.Close(t.Context(), operator, closed.ID)
	if err != nil {
		t.Fatal(err)
	}
	return out.Account, other
}

// Guarantee: an erasure empties the rows of the account and of the people who belong to no other account,
// whose addresses are free again. A person who belongs to another account only leaves this one.
func TestEraseKeepsPeopleOfOtherAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, other := w.people(t)
	out, err := w.Erase(t.Context(), operator, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if out.Members != 1 || out.Rows["sessions"] != 3 || out.Receipt.Change.Kind != toksta.ChangeAccountErased {
		t.Errorf("erased %+v", out)
	}
	want := a
	want.Name, want.ExternalID, want.Metadata = string(a.ID), "", nil
	want.Seq, want.ErasedAt = out.Receipt.Change.Seq, out.Account.ErasedAt
	if diff := cmp.Diff(want, out.Account); diff != "" || out.Account.ErasedAt.IsZero() {
		t.Errorf("the account (-want +got):\n%s", diff)
	}
	ada, err := w.store.Member(t.Context(), "mem_ada")
	if diff := cmp.Diff(toksta.Member{ID: "mem_ada", CreatedAt: w.now, DisabledAt: w.now}, ada); diff != "" || err != nil {
		t.Errorf("Ada (-want +got): %v\n%s", err, diff)
	}
	if _, err := w.store.MemberByEmail(t.Context(), "ada@example.com"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the address of Ada is not free: %v", err)
	}
	bob, err := w.store.MemberByEmail(t.Context(), "bob@example.com")
	if err != nil || bob.Name != "Bob" || !bob.DisabledAt.IsZero() {
		t.Errorf("Bob: %+v, %v", bob, err)
	}
	if role, err := w.store.Role(t.Context(), other.ID, "mem_bob"); err != nil || role != toksta.MemberOwner {
		t.Errorf("Bob's role in the other account: %q, %v", role, err)
	}
	if left, err := w.Members(t.Context(), a.ID); err != nil || len(left) > 0 {
		t.Errorf("members: %+v, %v", left, err)
	}
	// A repetition must not reach a person who belonged to another account at the erasure.
	w.commit(t, store.Mutation{
		Kind: toksta.ChangeMemberLeft, MemberID: "mem_bob", AccountID: other.ID,
		Memberships: []toksta.Membership{{AccountID: other.ID, MemberID: "mem_bob", Role: toksta.MemberOwner, RemovedAt: w.now}},
	})
	if again, err := w.Erase(t.Context(), operator, a.ID); err != nil || again.Members != 0 {
		t.Errorf("repeated: %+v, %v", again, err)
	}
	if bob, err := w.store.MemberByEmail(t.Context(), "bob@example.com"); err != nil || bob.Name != "Bob" {
		t.Errorf("Bob after the repetition: %+v, %v", bob, err)
	}
}

// Guarantee: an open account is not erased, and an erased one does not change again: a name would be new
// personal data, and reopening would hide the erasure.
func TestEraseRejects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	open := w.create(t)
	_, err := w.Erase(t.Context(), operator, open.ID)
	wantError(t, err, toksta.CodeConflict, "Close it first")
	_, err = w.Erase(t.Context(), operator, "acct_none")
	wantError(t, err, toksta.CodeNotFound, "acct_none")
	a, _ := w.people(t)
	if _, err := w.Erase(t.Context(), operator, a.ID); err != nil {
		t.Fatal(err)
	}
	_, err = w.Rename(t.Context(), operator, accounts.RenameRequest{Account: a.ID, Name: "Acme again"})
	wantError(t, err, toksta.CodeConflict, "erased")
	_, err = w.Reopen(t.Context(), operator, a.ID)
	wantError(t, err, toksta.CodeConflict, "erased")
}

// Guarantee: an erasure that fails at any step is not shown as done, and a repetition completes it.
func TestEraseContinues(t *testing.T) {
	t.Parallel()
	failed := errors.New("the database is gone")
	for step := 1; ; step++ {
		w := newWorld(t)
		a, _ := w.people(t)
		w.commit(t, store.Mutation{Kind: toksta.ChangeInvitationCreated, Invitations: []store.Invitation{{Code: digest("old"), Email: "Ada@Example.com"}}})
		broken := &failingErasing{w.Erasing, step, failed}
		w.Erasing = broken
		_, err := w.Erase(t.Context(), operator, a.ID)
		if err == nil {
			if step < 4 {
				t.Fatalf("only %d steps can fail", step-1)
			}
			return
		}
		if got, getErr := w.Get(t.Context(), a.ID); !errors.Is(err, failed) || getErr != nil || !got.ErasedAt.IsZero() {
			t.Errorf("step %d: %v, erased at %v, %v", step, err, got.ErasedAt, getErr)
		}
		w.Erasing = broken.Erasing
		if out, err := w.Erase(t.Context(), operator, a.ID); err != nil || out.Account.ErasedAt.IsZero() {
			t.Errorf("step %d, repeated: %+v, %v", step, out, err)
		}
		if i, err := w.store.Invitation(t.Context(), digest("old")); err != nil || i.Email != "" || i.RevokedAt.IsZero() {
			t.Errorf("step %d: the invitation of the person has the address %q, revoked at %v, %v", step, i.Email, i.RevokedAt, err)
		}
	}
}

// failingErasing fails at the call with the number at.
type failingErasing struct {
	store.Erasing
	at  int
	err error
}

func (f *failingErasing) fails() bool {
	f.at--
	return f.at == 0
}

func (f *failingErasing) Erase(ctx context.Context, e store.Erasure) (map[string]int64, error) {
	if f.fails() {
		return nil, f.err
	}
	return f.Erasing.Erase(ctx, e)
}

func (f *failingErasing) MarkErased(ctx context.Context, account toksta.AccountID) error {
	if f.fails() {
		return f.err
	}
	return f.Erasing.MarkErased(ctx, account)
}

// lateInvitation makes an invitation to an address after the first call of Erase.
type lateInvitation struct {
	store.Erasing
	invite func()
}

func (l *lateInvitation) Erase(ctx context.Context, e store.Erasure) (map[string]int64, error) {
	rows, err := l.Erasing.Erase(ctx, e)
	if invite := l.invite; invite != nil {
		l.invite = nil
		invite()
	}
	return rows, err
}

// Guarantee: an invitation that another account makes to the person during the erasure is emptied too, and
// revoked: without its address, any person with the link could use it.
func TestEraseFindsLateInvitations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, other := w.people(t)
	erasing := w.Erasing
	late := func(code string) {
		w.Erasing = &lateInvitation{erasing, func() {
			w.commit(t, store.Mutation{Kind: toksta.ChangeInvitationCreated, Invitations: []store.Invitation{
				{Code: digest(code), AccountID: other.ID, Email: code + "@example.com", ExpiresAt: w.now},
			}})
		}}
	}
	late("ada")
	if _, err := w.Erase(t.Context(), operator, a.ID); err != nil {
		t.Fatal(err)
	}
	w.commit(t, store.Mutation{
		Kind: toksta.ChangeMemberLeft, MemberID: "mem_bob", AccountID: other.ID,
		Memberships: []toksta.Membership{{AccountID: other.ID, MemberID: "mem_bob", Role: toksta.MemberOwner, RemovedAt: w.now}},
	})
	late("bob")
	if _, err := w.ErasePerson(t.Context(), operator, "mem_bob"); err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"ada", "bob"} {
		if i, err := w.store.Invitation(t.Context(), digest(code)); err != nil || i.Email != "" || i.RevokedAt.IsZero() {
			t.Errorf("the invitation of %s: %+v, %v", code, i, err)
		}
	}
}

// Guarantee: a person is erased only after the person has left all accounts. Then the address is free, and the
// name is neither in the person's keys nor in the change log of an account that stays. Other names stay.
func TestErasePerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.create(t)
	ada := toksta.Actor{Kind: toksta.ActorMember, ID: "mem_ada", Name: "Ada", Address: "192.0.2.1", Agent: "browser"}
	bob := toksta.Actor{Kind: toksta.ActorMember, ID: "mem_bob", Name: "Bob"}
	membership := toksta.Membership{AccountID: a.ID, MemberID: "mem_ada", Role: toksta.MemberOwner, CreatedAt: w.now}
	made := func(id toksta.KeyID, by toksta.Actor) toksta.Key {
		return toksta.Key{
			ID: id, AccountID: a.ID, Name: "nightly", CreatedBy: by.Name, CreatedByID: toksta.MemberID(by.ID),
			Generations: []toksta.Generation{{Digest: digest(string(id)), Number: 1}},
		}
	}
	w.commit(t, store.Mutation{
		Kind: toksta.ChangeMemberCreated, AccountID: a.ID, MemberID: "mem_ada", Detail: map[string]string{"email": "ada@example.com"},
		Members: []toksta.Member{{ID: "mem_ada", Email: "ada@example.com", Name: "Ada", CreatedAt: w.now}}, Memberships: []toksta.Membership{membership},
	})
	for id, by := range map[toksta.KeyID]toksta.Actor{"key_ada": ada, "key_bob": bob} {
		_, err := w.store.Commit(t.Context(), by, func(context.Context, store.Reader) (store.Mutation, error) {
			return store.Mutation{Kind: toksta.ChangeKeyCreated, AccountID: a.ID, KeyID: id, Keys: []toksta.Key{made(id, by)}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.ErasePerson(t.Context(), operator, "mem_ada")
	wantError(t, err, toksta.CodeConflict, string(a.ID))
	_, err = w.ErasePerson(t.Context(), operator, "mem_none")
	wantError(t, err, toksta.CodeNotFound, "mem_none")
	membership.RemovedAt = w.now
	w.commit(t, store.Mutation{Kind: toksta.ChangeMemberRemoved, AccountID: a.ID, MemberID: "mem_ada", Memberships: []toksta.Membership{membership}})
	out, err := w.ErasePerson(t.Context(), operator, "mem_ada")
	if err != nil || out.Rows["keys"] != 1 || out.Receipt.Change.Kind != toksta.ChangeMemberErased {
		t.Errorf("erased %+v, %v", out, err)
	}
	if _, err := w.store.MemberByEmail(t.Context(), "ada@example.com"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the address is not free: %v", err)
	}
	for id, want := range map[toksta.KeyID]string{"key_ada": "mem_ada", "key_bob": "Bob"} {
		if k, err := w.store.Key(t.Context(), a.ID, id); err != nil || k.CreatedBy != want || k.Name != "nightly" || !k.RevokedAt.IsZero() {
			t.Errorf("%s: %+v, %v", id, k, err)
		}
	}
	if text := fmt.Sprint(w.changes(t)); strings.Contains(text, "Ada") || strings.Contains(text, "192.0.2.1") || strings.Contains(text, "ada@") || !strings.Contains(text, "Bob") {
		t.Errorf("the change log: %s", text)
	}
	if again, err := w.ErasePerson(t.Context(), operator, "mem_ada"); err != nil || len(again.Rows) > 0 || again.Receipt.Change.Seq != 0 {
		t.Errorf("repeated: %+v, %v", again, err)
	}
}
