package web

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a customer changes name, address and account name. The address requires the
// password, and every change is in the audit trail with its old and new value.
func TestChangeProfile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := func(name, email, current string) url.Values {
		return url.Values{"name": {name}, "email": {email}, "current": {current}}
	}
	w.get(t, "/account/profile").shows(t, 200, `value="Ada"`, `value="ada@example.com"`, `value="Acme"`)
	w.post(t, "/account/profile", form(" ", "ada", "")).shows(t, 422, `id="e-name"`, `id="e-email"`)
	w.post(t, "/account/profile", form("the vendor", "ada@example.com", "")).shows(t, 422, `id="e-name"`)
	w.post(t, "/account/profile", form("Ada L", "ada@acme.example", "wrong")).shows(t, 422, `id="e-current"`, `value="ada@acme.example"`)
	if changes := w.changes(t); len(changes) != 0 {
		t.Errorf("rejected forms changed %v", changes)
	}
	w.post(t, "/account/profile", form("Ada", "ada@example.com", "")).shows(t, 200, "Your profile is saved")
	w.post(t, "/account/profile", form("Ada L", "ada@example.com", "")).shows(t, 200, "Your profile is saved", `value="Ada L"`)
	w.post(t, "/account/profile", form("Ada L", "ada@acme.example", password)).shows(t, 200, "Every other device is signed out")
	w.post(t, "/account/profile/account", url.Values{"account": {""}}).shows(t, 422, `id="e-account"`)
	w.post(t, "/account/profile/account", url.Values{"account": {"Acme Ltd"}}).shows(t, 200, "The account is renamed", `value="Acme Ltd"`)
	want := []map[string]string{{"name": "Acme → Acme Ltd"}, {"email": "ada@example.com → ada@acme.example"}, {"name": "Ada → Ada L"}}
	if diff := cmp.Diff(want, w.changes(t)); diff != "" {
		t.Errorf("the audit trail (-want +got)\n%s", diff)
	}
	w.signOut(t)
	w.post(t, "/signin", url.Values{"email": {"ada@example.com"}, "password": {password}}).shows(t, 422, "<h1>Sign in</h1>")
	w.post(t, "/signin", url.Values{"email": {"ada@acme.example"}, "password": {password}}).shows(t, 200, "Acme Ltd")

	w.signOut(t)
	w.post(t, "/signup", url.Values{"name": {"Bob"}, "account": {"Bob"}, "email": {"bob@example.com"}, "password": {password}})
	w.post(t, "/account/profile", form("Bob", "ADA@acme.example", password)).shows(t, 422, "already in use")
}

// changes returns the details of the changes by members, newest first, without sign-ins and
// the sign-up.
func (w *world) changes(t *testing.T) (out []map[string]string) {
	t.Helper()
	all, err := w.store.ListChanges(t.Context(), store.ChangeQuery{Account: w.account, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if c.Kind != toksta.ChangeMemberSignedIn && c.Kind != toksta.ChangeAccountCreated {
			out = append(out, c.Detail)
		}
	}
	return out
}

// Guarantee: with mail, a new address is confirmed by a link. The page does not say whether another
// person has the address. A browser without the session signs in first.
func TestChangeAddressByMail(t *testing.T) {
	t.Parallel()
	box := new(mail.Outbox)
	w := newWorldWith(t, withMail(t, box))
	move := url.Values{"name": {"Ada"}, "email": {"ada@acme.example"}, "current": {password}}
	w.post(t, "/account/profile", move).shows(t, 200, "on its way to the new address", `value="ada@example.com"`)
	link := newestLink(t, box)
	w.signOut(t)
	if page := w.get(t, link); page.path != "/signin" && !strings.HasPrefix(page.path, "/signin?next=%2Faccount%2Fprofile%2Faddress") {
		t.Errorf("the link leads to %s", page.path)
	}
	w.post(t, "/signin", url.Values{"email": {"ada@example.com"}, "password": {password}, "next": {"/account/profile/address"}}).shows(t, 200, "Confirm your new address", "ada@acme.example")
	w.post(t, "/account/profile/address", nil).shows(t, 200, "Every other device is signed out", `value="ada@acme.example"`)
	w.get(t, link).shows(t, 410, "This link does not work", `href="/account/profile"`)
	w.post(t, "/account/profile/address", nil).shows(t, 410, "This link does not work")
}
