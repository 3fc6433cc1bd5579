package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// invite makes an invitation to the account as its owner, and returns the code.
func (w *world) invite(t *testing.T, email string, role toksta.MemberRole) string {
	t.Helper()
	out, err := w.Members.Invite(t.Context(), w.actor(), members.InviteRequest{Account: w.account, Email: email, Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return out.Code.Reveal()
}

// stranger adds a person who belongs to no account, and signs the person in.
func (w *world) stranger(t *testing.T, name string) {
	t.Helper()
	id := toksta.MemberID("mem_" + name)
	w.commit(t, store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{{ID: id, Name: name, Email: name + "@example.com"}}})
	w.signInAs(t, id)
}

// Guarantee: opening a link any number of times uses nothing, also by a scanner of mails. The page says
// which account and role are joined and by whose invitation, before anything is pressed. One press
// joins. The code is in no address after the first one, and in no page. A used link leads to the account.
func TestInvitationPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	code := w.invite(t, "bob@example.com", toksta.MemberDeveloper)
	w.stranger(t, "bob")
	before := w.newest(t, "").Seq
	r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, w.url+"/invitation?code="+code, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.send(t, r)
	for range 2 {
		page := w.get(t, "/invitation?code="+code)
		page.shows(t, http.StatusOK, "Join <bdi>Acme</bdi>", "<bdi>Ada</bdi> invites you", "Developer", "bob@example.com")
		if page.path != "/invitation" || strings.Contains(page.body, code) {
			t.Errorf("the code is at %s or in the page", page.path)
		}
		if got := page.Header.Get("Referrer-Policy"); got != "no-referrer" {
			t.Errorf("Referrer-Policy %q", got)
		}
	}
	if c := w.newest(t, ""); c.Seq != before {
		t.Errorf("a change: %+v", c)
	}
	w.post(t, "/invitation", nil).shows(t, http.StatusOK, "Acme")
	if c := w.newest(t, ""); c.Kind != toksta.ChangeMemberJoined || c.MemberID != "mem_bob" || c.Detail["role"] != "developer" {
		t.Errorf("%+v", c)
	}
	w.get(t, "/invitation").shows(t, http.StatusNotFound, "This invitation cannot be used")
	w.get(t, "/invitation?code="+code).shows(t, http.StatusNotFound, "This invitation cannot be used", "Go to your account")
	by, err := w.Members.Invite(t.Context(), toksta.Actor{Kind: toksta.ActorOperator, Name: "root"}, members.InviteRequest{Account: w.account, Role: toksta.MemberViewer})
	if err != nil {
		t.Fatal(err)
	}
	w.get(t, "/invitation?code="+by.Code.Reveal()).shows(t, http.StatusOK, "<bdi>The vendor</bdi> invites you")
	w.signOut(t)
	w.get(t, "/invitation?code="+code).shows(t, http.StatusNotFound, "Go to sign-in")
}

// Guarantee: an invitation to another address adds no member, says so, and survives signing out.
func TestInvitationOfAnotherAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	code := w.invite(t, "bob@example.com", toksta.MemberViewer)
	w.stranger(t, "eve")
	w.get(t, "/invitation?code="+code).shows(t, http.StatusOK, "You are signed in with another address")
	before := w.newest(t, "").Seq
	w.post(t, "/invitation", nil).shows(t, http.StatusUnprocessableEntity, "made for another address", "You are signed in with another address")
	if c := w.newest(t, ""); c.Seq != before {
		t.Errorf("a change: %+v", c)
	}
	out := w.post(t, "/signout", url.Values{"next": {"/invitation"}})
	out.shows(t, http.StatusOK, "Join <bdi>Acme</bdi>", "Sign in to join", "I have no sign-in yet")
	// The form to sign up has the fixed address of the invitation.
	w.get(t, "/signup?invited=1").shows(t, http.StatusOK, "Join <bdi>Acme</bdi>", `value="bob@example.com"`, "readonly")
	w.get(t, "/signup").shows(t, http.StatusOK, "Create an account")
	elsewhere := w.post(t, "/signout", url.Values{"next": {"https://evil.example/invitation"}})
	if elsewhere.path != "/signin?out=1" {
		t.Errorf("signing out leads to %s", elsewhere.path)
	}
}

// Guarantee: guesses at codes are throttled by network, and a valid link costs nothing.
func TestInvitationGuesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	code := w.invite(t, "bob@example.com", toksta.MemberViewer)
	w.signOut(t)
	for range 30 {
		w.get(t, "/invitation?code="+code).shows(t, http.StatusOK, "Join")
	}
	last := response{}
	for range 22 {
		last = w.get(t, "/invitation?code=guess")
	}
	if last.StatusCode != http.StatusTooManyRequests {
		t.Errorf("status %d", last.StatusCode)
	}
}

// Guarantee: a person who is invited and has no sign-in joins by signing up, with the role of the
// invitation, and a link that was passed on by hand proves no address.
func TestSignUpByInvitation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	code := w.invite(t, "bob@example.com", toksta.MemberBilling)
	w.signOut(t)
	w.get(t, "/invitation?code="+code)
	form := w.get(t, "/signup?invited=1").fields()
	form.Set("name", "Bob")
	form.Set("password", password)
	w.post(t, "/signup", form).shows(t, http.StatusOK, "Acme", "Your role in this account, billing")
	bob, err := w.store.MemberByEmail(t.Context(), "bob@example.com")
	if err != nil || !bob.VerifiedAt.IsZero() {
		t.Fatalf("%+v, %v", bob, err)
	}
	if role, err := w.store.Role(t.Context(), w.account, bob.ID); err != nil || role != toksta.MemberBilling {
		t.Errorf("role %q, %v", role, err)
	}
}

// Guarantee: the link of an invitation is shown to its author once and is not stored in the clear. A
// mailed link is not shown to its author, and proves the address of a person who signs up with it, as the audit trail
// states.
func TestInvitePages(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, func(c *Config) { c.PagesURL = "https://keys.example" })
	shown := w.post(t, "/account/members", url.Values{"email": {"bob@example.com"}, "role": {"viewer"}, "by": {"link"}})
	shown.shows(t, http.StatusOK, "Copy the link now", "https://keys.example/invitation?code=")
	_, rest, _ := strings.Cut(shown.body, "/invitation?code=")
	code, _, _ := strings.Cut(rest, "<")
	for _, path := range []string{"/account/members", "/account"} {
		if strings.Contains(w.get(t, path).body, code) {
			t.Errorf("%s shows the code", path)
		}
	}
	w.get(t, "/account/members").shows(t, http.StatusOK, "bob@example.com", "As a viewer")
	wrong := w.post(t, "/account/members", url.Values{"email": {"bob"}, "role": {"admin"}, "by": {"link"}})
	wrong.shows(t, http.StatusUnprocessableEntity, "Give an e-mail address", `value="bob"`, `value="admin" checked`)

	box := &postbox{}
	w.Members.Mail = box
	w.post(t, "/account/members", url.Values{"email": {"bob@example.com"}, "role": {"viewer"}, "by": {"mail"}}).shows(t, http.StatusOK, "on its way by mail")
	if len(box.letters) != 1 || box.letters[0].To != "bob@example.com" || box.letters[0].Inviter != "Ada" {
		t.Fatalf("%+v", box.letters)
	}
	w.signOut(t)
	w.get(t, "/invitation?code="+code).shows(t, http.StatusNotFound, "This invitation cannot be used")
	w.get(t, "/invitation?code="+box.letters[0].Code.Reveal()).shows(t, http.StatusOK, "Join")
	form := w.get(t, "/signup?invited=1").fields()
	form.Set("name", "Bob")
	form.Set("password", password)
	w.post(t, "/signup", form).shows(t, http.StatusOK, "Your role in this account, viewer")
	bob, err := w.store.MemberByEmail(t.Context(), "bob@example.com")
	if c := w.newest(t, ""); err != nil || bob.VerifiedAt.IsZero() || c.Detail["verified"] != "true" {
		t.Errorf("%+v, %v, the change %+v", bob, err, c)
	}
}

// Guarantee: an open invitation is made again with its address and role, and only in its own account. The
// address is in no URL.
func TestInviteAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.invite(t, "bob@example.com", toksta.MemberDeveloper)
	open, err := w.Members.Invitations(t.Context(), w.account)
	if err != nil || len(open) != 1 {
		t.Fatalf("%+v, %v", open, err)
	}
	again := "/account/members/new?again=" + string(open[0].ID)
	w.get(t, "/account/members").shows(t, http.StatusOK, again, "Invite again")
	form := w.get(t, again).fields()
	if form.Get("email") != "bob@example.com" || form.Get("role") != "developer" {
		t.Errorf("the form has %v", form)
	}
	w.post(t, "/account/members", form).shows(t, http.StatusOK, "Copy the link now")
	w.get(t, again).shows(t, http.StatusNotFound, "There is nothing here")
	w.post(t, "/account/new", url.Values{"name": {"Second"}})
	open, err = w.Members.Invitations(t.Context(), w.account)
	if err != nil || len(open) != 1 {
		t.Fatalf("%+v, %v", open, err)
	}
	w.get(t, "/account/members/new?again="+string(open[0].ID)).shows(t, http.StatusNotFound, "There is nothing here")
}

// Guarantee: with a closed policy, people without a sign-in are not offered to sign up, and people
// with one still join, but create no account.
func TestInvitationWithoutSignUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	code := w.invite(t, "bob@example.com", toksta.MemberViewer)
	w.SignIn.Policy = signin.Closed
	w.signOut(t)
	if page := w.get(t, "/invitation?code="+code); strings.Contains(page.body, "/signup") || !strings.Contains(page.body, "Sign in to join") {
		t.Errorf("got %.600s", page.body)
	}
	w.stranger(t, "bob")
	w.get(t, "/invitation?code="+code)
	w.post(t, "/invitation", nil).shows(t, http.StatusOK, "Acme")
	w.post(t, "/account/new", url.Values{"name": {"Own"}}).shows(t, http.StatusForbidden, "by invitation only")
}

// Guarantee: a person joins the account that the page showed, and no other one, whose invitation a
// stranger made the browser open after it.
func TestInvitationOpenedInBetween(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	code := w.invite(t, "bob@example.com", toksta.MemberDeveloper)
	w.stranger(t, "bob")
	w.get(t, "/invitation?code="+code).shows(t, http.StatusOK, `name="account" value="`+string(w.account)+`"`)
	before := w.newest(t, "").Seq
	w.post(t, "/invitation", url.Values{"account": {"acct_other"}}).shows(t, http.StatusUnprocessableEntity, "opened another invitation", "Join <bdi>Acme</bdi>")
	if c := w.newest(t, ""); c.Seq != before {
		t.Errorf("a change: %+v", c)
	}
	w.post(t, "/invitation", url.Values{"account": {string(w.account)}}).shows(t, http.StatusOK, "Acme")
}

// Guarantee: an address does not get any number of mails by being invited again and again. The link can
// still be made, and other addresses get their mails.
func TestInvitationMailsAreLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	box := &postbox{}
	w.Members.Mail = box
	last := response{}
	for _, email := range []string{"bob@example.com", "Bob@Example.com", " bob@example.com", "bob@EXAMPLE.com", "bob@example.com", "bob@example.com", "bob@example.com"} {
		last = w.post(t, "/account/members", url.Values{"email": {email}, "role": {"viewer"}})
	}
	last.shows(t, http.StatusTooManyRequests, "Too many attempts")
	if n := len(box.letters); n != 6 {
		t.Errorf("%d mails", n)
	}
	w.post(t, "/account/members", url.Values{"email": {"bob@example.com"}, "role": {"viewer"}, "by": {"link"}}).shows(t, http.StatusOK, "/invitation?code=")
	w.post(t, "/account/members", url.Values{"email": {"eve@example.com"}, "role": {"viewer"}}).shows(t, http.StatusOK, "on its way by mail")
}
