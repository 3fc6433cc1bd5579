package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/signin"
)

// Guarantee: a person signs in by a link in a mail, in the browser that asked for it, and comes to the
// requested page; an address of another site is ignored. Another browser is told where to open the
// link, and does not use it.
func TestSignInLinkPages(t *testing.T) {
	t.Parallel()
	box := new(mail.Outbox)
	w := newWorldWith(t, withMail(t, box, func(s *signin.Service) { s.Links = true }))
	w.signOut(t)
	w.get(t, "/signin?next=/account/security").shows(t, 200, `href="/signin/link?next=%2faccount%2fsecurity"`)
	w.get(t, "/signin/link?next=/account/security").shows(t, 200, "Sign in by mail", `value="/account/security"`)
	w.post(t, "/signin/link", url.Values{"email": {"ada@"}}).shows(t, 422, "Give an e-mail address")
	w.post(t, "/signin/link", url.Values{"email": {"ada@example.com"}, "next": {"/account/security"}}).shows(t, 200, "Check your mail", "Open it in this browser")
	link, asked := newestLink(t, box), w.browser.Jar
	w.signOut(t)
	w.get(t, link).shows(t, 410, "in the browser in which you asked", `href="/signin/link"`)
	w.post(t, "/signin/link/open", nil).shows(t, 410, "This link does not work")
	w.browser.Jar = asked
	w.noRedirect(t, http.MethodHead, link, nil)
	page := w.get(t, link)
	page.shows(t, 200, "as <bdi>ada@example.com</bdi>")
	if page.path != "/signin/link/open" {
		t.Errorf("the page is at %s", page.path)
	}
	done := w.post(t, "/signin/link/open", nil)
	done.shows(t, 200, "Sign-in and sessions")
	if done.path != "/account/security" {
		t.Errorf("the sign-in leads to %s", done.path)
	}
	w.get(t, link).shows(t, 410, "This link does not work")

	w.signOut(t)
	w.post(t, "/signin/link", url.Values{"email": {"ada@example.com"}, "next": {"https://evil.example/account"}}).shows(t, 200, "Check your mail")
	w.get(t, newestLink(t, box))
	if done := w.post(t, "/signin/link/open", nil); done.path != "/account" {
		t.Errorf("the sign-in leads to %s", done.path)
	}
}

// Guarantee: without the setting, no page offers links to sign in.
func TestSignInLinksAreOptional(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, withMail(t, new(mail.Outbox)))
	if strings.Contains(w.get(t, "/signin").body, "/signin/link") {
		t.Error("the sign-in page offers a link")
	}
	w.get(t, "/signin/link").shows(t, 404, "There is nothing here")
}
