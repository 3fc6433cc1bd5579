package signin

import (
	"errors"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// moveTo asks for a link for a new address.
func (w *world) moveTo(tb testing.TB, id Identity, email, password string) error {
	tb.Helper()
	return w.ChangeProfile(tb.Context(), home, id, ProfileRequest{Name: id.Member.Name, Email: email, Current: toksta.Hide(password)})
}

// Guarantee: with mail, a new address counts once the link to it is used in a session of the member.
// Then it is verified, all other sessions and the links to the old address have ended, and the
// change log has both addresses.
func TestChangeAddressByLink(t *testing.T) {
	t.Parallel()
	w, box := newMailWorld(t)
	in := w.signUp(t, "ada@example.com")
	other, err := w.SignIn(t.Context(), home, "ada@example.com", toksta.Hide(testPassword))
	if err != nil {
		t.Fatal(err)
	}
	reset := w.resetCode(t, box, "ada@example.com")
	wantError(t, w.moveTo(t, in.Identity, "ada@acme.example", ""), toksta.CodeValidation, "Type the current password")
	if err := w.moveTo(t, in.Identity, "ada@acme.example", testPassword); err != nil {
		t.Fatal(err)
	}
	path, code := box.code("ada@acme.example")
	if path != AddressPath {
		t.Errorf("the link leads to %s", path)
	}
	if m, err := w.Store.MemberByEmail(t.Context(), "ada@example.com"); err != nil || m.ID != in.Member.ID {
		t.Errorf("before the link is used: %+v, %v", m, err)
	}
	eve := w.signUp(t, "eve@example.com")
	wantError(t, w.ChangeAddressByLink(t.Context(), home, eve.Identity, code), toksta.CodeForbidden, "used before")
	for range 2 {
		if next, err := w.NextAddress(t.Context(), in.Identity, code); err != nil || next != "ada@acme.example" {
			t.Errorf("the link is for %q, %v", next, err)
		}
	}
	if err := w.ChangeAddressByLink(t.Context(), home, in.Identity, code); err != nil {
		t.Fatal(err)
	}
	wantError(t, w.ChangeAddressByLink(t.Context(), home, in.Identity, code), toksta.CodeForbidden, "used before")
	id, err := w.Authenticate(t.Context(), in.Cookie)
	if err != nil || id.Member.Email != "ada@acme.example" || !id.Member.VerifiedAt.Equal(w.now) {
		t.Errorf("%+v, %v", id.Member, err)
	}
	if w.isSignedIn(t, other.Cookie) {
		t.Error("another session continues")
	}
	wantError(t, w.reset(t, reset), toksta.CodeForbidden, "used before")
	ticket, _ := secretID(reset)
	if _, err := w.Tickets.Ticket(t.Context(), ticket); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the link to the old address is kept: %v", err)
	}
	changes, err := w.store.ListChanges(t.Context(), store.ChangeQuery{Limit: 1})
	if err != nil || changes[0].Kind != toksta.ChangeMemberProfileSet || changes[0].Detail["email"] != "ada@example.com → ada@acme.example" {
		t.Errorf("%+v, %v", changes, err)
	}
}

// Guarantee: a recent sign-in takes the place of the password, but only if the address is confirmed
// by mail.
func TestRecentSessionForAddress(t *testing.T) {
	t.Parallel()
	w, box := newMailWorld(t)
	w.Recent = 15 * time.Minute
	in := w.signUp(t, "ada@example.com")
	w.now = w.now.Add(15*time.Minute - time.Millisecond)
	if err := w.moveTo(t, in.Identity, "ada@acme.example", ""); err != nil {
		t.Errorf("in a recent session: %v", err)
	}
	box.code("ada@acme.example")
	w.now = w.now.Add(time.Millisecond)
	wantError(t, w.moveTo(t, in.Identity, "ada@acme.example", ""), toksta.CodeValidation, "Type the current password")
	w.now, w.Mail = w.now.Add(-15*time.Minute), nil
	wantError(t, w.moveTo(t, in.Identity, "ada@acme.example", ""), toksta.CodeValidation, "Type the current password")
}

// Guarantee: an address of another member is not disclosed: the result is the same, and no mail is
// sent. If the address is taken while the link waits, the link changes nothing.
func TestChangeToATakenAddress(t *testing.T) {
	t.Parallel()
	w, box := newMailWorld(t)
	in := w.signUp(t, "ada@example.com")
	w.signUp(t, "eve@example.com")
	if err := w.moveTo(t, in.Identity, "EVE@example.com", testPassword); err != nil || len(box.mails) > 0 {
		t.Errorf("%d mails, %v", len(box.mails), err)
	}
	if err := w.moveTo(t, in.Identity, "bob@example.com", testPassword); err != nil {
		t.Fatal(err)
	}
	_, code := box.code("bob@example.com")
	w.signUp(t, "bob@example.com")
	wantError(t, w.ChangeAddressByLink(t.Context(), home, in.Identity, code), toksta.CodeForbidden, "belongs to another person")
	if id, err := w.Authenticate(t.Context(), in.Cookie); err != nil || id.Member.Email != "ada@example.com" {
		t.Errorf("%+v, %v", id.Member, err)
	}
}
