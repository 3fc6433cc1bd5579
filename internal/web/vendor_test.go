package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// decided returns a Decide with a result that depends on nothing.
func decided(m store.Mutation) store.Decide {
	return func(context.Context, store.Reader) (store.Mutation, error) { return m, nil }
}

// createIn creates a key in an account as the vendor.
func (w *world) createIn(t *testing.T, account toksta.AccountID, name string) toksta.Key {
	t.Helper()
	c, err := w.Keys.Create(t.Context(), vendor, keys.CreateRequest{Account: account, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return c.Key
}

// Guarantee: a session that the vendor's back end created opens the pages in boundRoutes and no
// other page that needs a session, for every route of the pages. No page shows the person's
// address, and the sessions of the person elsewhere continue.
func TestBoundSessionOpensOnlyItsPages(t *testing.T) {
	t.Parallel()
	w := newEmbedded(t)
	a := w.agent()
	check(t, "the account", a.follow(t, signin.VendorPath+"?code="+w.code(t, signin.VendorRequest{}))).shows(http.StatusOK, "Acme", "Sign out")
	key := w.create(t, "Shown")
	known := map[string]bool{}
	for _, pattern := range w.routes().patterns {
		known[pattern] = true
		method, path, _ := strings.Cut(pattern, " ")
		if path != "/confirm" && path != "/account" && !strings.HasPrefix(path, "/account/") {
			continue // needs no session, or is for frames
		}
		target := path
		for strings.Contains(target, "{") {
			from, rest, _ := strings.Cut(target, "{")
			_, rest, _ = strings.Cut(rest, "}")
			target = from + string(key.ID) + rest
		}
		res := a.do(t, method+" "+target, url.Values{"name": {"Changed"}})
		body := res.Body.String()
		switch forbidden := res.Code == http.StatusForbidden && strings.Contains(body, "for the keys of this account only"); {
		case forbidden == boundRoutes[pattern]:
			t.Errorf("%s: status %d, but boundRoutes says %v", pattern, res.Code, boundRoutes[pattern])
		case strings.Contains(body, "lin@example.com"):
			t.Errorf("%s shows the address of the person", pattern)
		}
	}
	for pattern := range boundRoutes {
		if !known[pattern] && pattern != "GET "+plansPath {
			t.Errorf("boundRoutes has %s, which is no page", pattern)
		}
	}
}

// Guarantee: a link moves its code out of the address, and works once. Opened beside a running
// session of another person, it replaces that session only after the person agrees in a form that
// no other site can send. A running session of the same person that can do more stays.
func TestVendorLinkInWindow(t *testing.T) {
	t.Parallel()
	w := newEmbedded(t)
	running := func() *agent {
		a := w.agent()
		res := a.do(t, "POST /signin", url.Values{"email": {"ada@example.com"}, "password": {password}})
		if res.Code != http.StatusSeeOther {
			t.Fatalf("signing in: status %d", res.Code)
		}
		return a
	}
	a := running()
	before := a.cookies["account_session"].Value
	start := a.do(t, "GET "+signin.VendorPath+"?code="+w.code(t, signin.VendorRequest{Next: "/account/keys/new"}), nil)
	if at := start.Header().Get("Location"); at != vendorEnterPath || start.Header().Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("the link redirects to %s", at)
	}
	code := a.cookies["vendor_code"]
	if code == nil || !code.HttpOnly || code.SameSite != http.SameSiteLaxMode {
		t.Fatalf("the cookie of the code is %v", code)
	}
	asked := a.do(t, "GET "+vendorEnterPath, nil)
	check(t, "beside another session", asked).shows(http.StatusOK, "Open <bdi>Acme</bdi>?", "Ada", "Lin")
	if a.cookies["account_session"].Value != before {
		t.Error("the link replaced a running session without asking")
	}
	check(t, "sent by another site", a.do(t, "POST "+vendorEnterPath, nil, "Sec-Fetch-Site", "cross-site")).shows(http.StatusForbidden, "another site")
	if a.cookies["account_session"].Value != before {
		t.Error("another site replaced a running session")
	}
	opened := a.do(t, "POST "+vendorEnterPath, nil)
	if at := opened.Header().Get("Location"); opened.Code != http.StatusSeeOther || at != "/account/keys/new" || a.cookies["account_session"].Value == before {
		t.Errorf("after the person agreed: status %d to %s", opened.Code, at)
	}
	check(t, "agreed twice", a.do(t, "POST "+vendorEnterPath, nil)).shows(http.StatusUnauthorized, "does not work any more")
	old := w.agent()
	old.cookies["account_session"] = &http.Cookie{Name: "account_session", Value: before, Path: "/"}
	if res := old.do(t, "GET /account", nil); res.Code != http.StatusSeeOther {
		t.Errorf("the replaced session continues: status %d", res.Code)
	}

	same := running()
	before = same.cookies["account_session"].Value
	check(t, "beside the own session", same.follow(t, signin.VendorPath+"?code="+w.code(t, signin.VendorRequest{Member: w.owner}))).shows(http.StatusOK, "ada@example.com")
	if same.cookies["account_session"].Value != before {
		t.Error("the link replaced a session of the same person that can do more")
	}

	for _, c := range []struct {
		method  string
		headers []string
	}{{"HEAD", nil}, {"GET", []string{"Sec-Purpose", "prefetch"}}} {
		preview, code := w.agent(), w.code(t, signin.VendorRequest{})
		if res := preview.do(t, c.method+" "+signin.VendorPath+"?code="+code, nil, c.headers...); res.Code != http.StatusNoContent || len(preview.cookies) > 0 {
			t.Errorf("%s %v: status %d, cookies %v", c.method, c.headers, res.Code, preview.cookies)
		}
		check(t, "after a preview", preview.follow(t, signin.VendorPath+"?code="+code)).shows(http.StatusOK, "Acme")
	}
	framed := w.agent()
	check(t, "a link for a frame", framed.follow(t, signin.VendorPath+"?code="+w.code(t, signin.VendorRequest{Embedded: true}))).shows(http.StatusUnauthorized, "does not work any more")
}
