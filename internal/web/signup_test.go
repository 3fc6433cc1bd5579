package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: with verification before the sign-in, the page asks for the address, and for the
// rest after the link. The form after the link keeps its fields, and the address of the link cannot
// be changed. The person is signed in.
func TestSignUpWithVerification(t *testing.T) {
	t.Parallel()
	box := new(mail.Outbox)
	w := emptyWorld(t, withMail(t, box, func(s *signin.Service) { s.Verification = signin.VerifyBeforeSignIn }))
	page := w.get(t, "/signup")
	page.shows(t, 200, "Mail me a link")
	if strings.Contains(page.body, `name="password"`) || strings.Contains(page.body, `name="name"`) {
		t.Error("the form asks for more than the address")
	}
	w.post(t, "/signup", url.Values{"email": {"ada"}}).shows(t, 422, "Give an e-mail address", `value="ada"`)
	w.post(t, "/signup", url.Values{"email": {"ada@example.com"}}).shows(t, 200, "Check your mail", "24 hours", `value="ada@example.com"`)
	// A complete form without a link, as a program could send it, makes no member.
	form := url.Values{"name": {"Ada"}, "account": {"Acme"}, "email": {"eve@example.com"}, "password": {password}}
	w.post(t, "/signup", form).shows(t, 422, "Open the link in the mail")
	link := newestLink(t, box)
	w.noRedirect(t, http.MethodHead, link, nil)
	opened := w.get(t, link)
	opened.shows(t, 200, "Your address is confirmed", "ada@example.com", "readonly")
	if opened.path != "/signup/verify" {
		t.Errorf("the page is at %s", opened.path)
	}
	short := url.Values{"name": {"Ada"}, "account": {"Acme"}, "email": {"eve@example.com"}, "password": {"short"}}
	w.post(t, "/signup/verify", short).shows(t, 422, "at least 12", `value="Acme"`, `value="ada@example.com"`)
	done := w.post(t, "/signup/verify", form)
	done.shows(t, 200, "API keys", "Acme")
	m, err := w.store.MemberByEmail(t.Context(), "ada@example.com")
	if err != nil || m.VerifiedAt.IsZero() {
		t.Errorf("%+v, %v", m, err)
	}
	w.get(t, link).shows(t, 410, "This link does not work", `href="/signup"`)
}

// Guarantee: an invitation is kept over the mail, and one whose link was mailed to its address
// needs no second mail.
func TestInvitationsWithVerification(t *testing.T) {
	t.Parallel()
	box := new(mail.Outbox)
	w := emptyWorld(t, withMail(t, box, func(s *signin.Service) { s.Verification = signin.VerifyBeforeSignIn }))
	invite := func(req members.InviteRequest) string {
		t.Helper()
		made, err := w.Members.Invite(t.Context(), toksta.Actor{Kind: toksta.ActorOperator}, req)
		if err != nil {
			t.Fatal(err)
		}
		return made.Code.Reveal()
	}
	code := invite(members.InviteRequest{Email: "ada@example.com"})
	w.get(t, "/signup?invitation="+code).shows(t, 200, "Mail me a link", "ada@example.com")
	w.post(t, "/signup", url.Values{"email": {"eve@example.com"}, "invitation": {code}}).shows(t, 422, "This invitation is not valid")
	sent := w.post(t, "/signup", url.Values{"email": {"ada@example.com"}, "invitation": {code}})
	sent.shows(t, 200, "Check your mail", `name="invitation"`)
	page := w.get(t, newestLink(t, box))
	page.shows(t, 200, "Your address is confirmed", `name="invitation"`)
	form := page.fields()
	form.Set("name", "Ada")
	form.Set("password", password)
	w.post(t, "/signup/verify", form).shows(t, 200, "API keys")
	if _, err := w.Members.Offer(t.Context(), toksta.Hide(code)); err == nil {
		t.Error("the invitation can be used again")
	}
}

// Guarantee: with verification before keys, a person is signed in at once and cannot create a
// key until the link is used in the session. The page says so and sends the mail again. A browser
// without the session signs in first, and the code is not in the address of the return.
func TestVerificationBeforeKeys(t *testing.T) {
	t.Parallel()
	box := new(mail.Outbox)
	w := emptyWorld(t, func(c *Config) {
		withMail(t, box)(c)
		c.SignIn.Verification = signin.VerifyBeforeKeys
		log := members.Log{Log: c.Keys.Log.(members.Log).Log, RequireVerified: true}
		c.Keys.Log, c.SignIn.Log = log, log
	})
	form := url.Values{"name": {"Ada"}, "account": {"Acme"}, "email": {"ada@example.com"}, "password": {password}}
	w.post(t, "/signup", form).shows(t, 200, "Confirm your address", "Send again", "Confirm your address first")
	w.get(t, "/account/keys/new").shows(t, 200, "Confirm your address first")
	create := url.Values{"token": {strings.Repeat("A", 26)}, "name": {"Production"}, "scope": {"all"}, "expires": {"never"}}
	w.post(t, "/account/keys", create).shows(t, 422, "Confirm your address first")
	w.post(t, "/account/verify/send", nil).shows(t, 200, "A new mail is on its way")
	if n := len(box.List()); n != 2 {
		t.Fatalf("%d mails", n)
	}
	link := newestLink(t, box)
	w.signOut(t)
	signIn := w.get(t, link)
	signIn.shows(t, 200, "Sign in")
	if signIn.path != "/signin?next=%2Faccount%2Fverify" {
		t.Errorf("the link leads to %s", signIn.path)
	}
	w.post(t, "/signin", url.Values{"email": {"ada@example.com"}, "password": {password}, "next": {"/account/verify"}}).shows(t, 200, "Confirm address")
	done := w.post(t, "/account/verify", nil)
	done.shows(t, 200, "API keys")
	if strings.Contains(done.body, "Confirm your address") {
		t.Error("the page still asks for the confirmation")
	}
	w.post(t, "/account/keys", create).shows(t, 200, "Production")
	w.post(t, "/account/verify", nil).shows(t, 410, "This link does not work")
}

// Guarantee: the link of one person confirms nothing in the session of another one.
func TestVerificationOfAnotherPerson(t *testing.T) {
	t.Parallel()
	box := new(mail.Outbox)
	w := emptyWorld(t, withMail(t, box, func(s *signin.Service) { s.Verification = signin.VerifyBeforeKeys }))
	form := url.Values{"name": {"Ada"}, "email": {"ada@example.com"}, "password": {password}}
	w.post(t, "/signup", form)
	link := newestLink(t, box)
	w.signOut(t)
	form.Set("email", "eve@example.com")
	w.post(t, "/signup", form)
	page := w.get(t, link)
	page.shows(t, 200, "Open the link in the mail to <bdi>eve@example.com</bdi>")
	w.post(t, "/account/verify", nil).shows(t, 410, "This link does not work")
	for _, email := range []string{"ada@example.com", "eve@example.com"} {
		if m, err := w.store.MemberByEmail(t.Context(), email); err != nil || !m.VerifiedAt.IsZero() {
			t.Errorf("%s: %+v, %v", email, m, err)
		}
	}
}
