package web

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/signin"
)

// These tests are generated from the table of routes: a new route is in each of them, or in a
// list of exceptions with its reason.

// newFullWorld returns a world with every route that the configuration can switch on, and the ids
// for their paths.
func newFullWorld(t *testing.T) (*world, ids) {
	t.Helper()
	w := newWorldWith(t, withEverything(t))
	places := w.places(t)
	places["/embed/keys/"], places["/demo/mail/"], places["/account/security/passkeys/"], places["/signin/with/"] = places["/account/keys/"], "1", "pk_none", "acme"
	w.browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return w, places
}

// withEverything returns a configuration that switches on every route.
func withEverything(t *testing.T) func(*Config) {
	t.Helper()
	withMails := withMail(t, new(mail.Outbox))
	return func(c *Config) {
		withMails(c)
		withPasskeys(t)(c)
		c.SignIn.Links, c.SignIn.Providers = true, []signin.Provider{idleProvider("acme"), idleProvider("hub")}
		c.EmbedOrigins, c.VendorURL, c.Plans.Public, c.Outbox = []string{"https://app.example"}, "https://app.example", true, new(mail.Outbox)
	}
}

// Guarantee: each route asks for a session, except those that are listed as open. In a frame,
// the page says that the session has ended.
func TestEveryRouteNeedsASession(t *testing.T) {
	t.Parallel()
	w, places := newFullWorld(t)
	w.signOut(t)
	for _, pattern := range w.table.patterns {
		method, path, _ := strings.Cut(pattern, " ")
		res := w.request(t, method, places.path(t, pattern), nil)
		location := res.Header.Get("Location")
		asks := res.StatusCode == http.StatusSeeOther && strings.HasPrefix(location, "/signin?next=")
		ended := strings.HasPrefix(path, "/embed") && (location == "/embed" || res.StatusCode == http.StatusUnauthorized && strings.Contains(res.body, "data-ended"))
		if open := isOpen[pattern] != ""; open && asks || !open && !asks && !ended {
			t.Errorf("%s: without a session %d %s, in the list of open routes: %v", pattern, res.StatusCode, location, open)
		}
	}
	for pattern := range isOpen {
		if !slices.Contains(w.table.patterns, pattern) {
			t.Errorf("%s: no such route: take it off the list", pattern)
		}
	}
}

// fromOtherSites lists the forms that other sites may send, with the reason.
var fromOtherSites = map[string]string{}

// Guarantee: no form is accepted from another site, according to Sec-Fetch-Site or, in older
// browsers, Origin: also not those that sign in, which would sign a person in as another person,
// and the one that signs out.
func TestNoFormFromOtherSites(t *testing.T) {
	t.Parallel()
	w, places := newFullWorld(t)
	before := w.otherChanges(t)
	for _, pattern := range slices.Sorted(maps.Keys(w.table.forms)) {
		path := places.path(t, pattern)
		for name, headers := range map[string]map[string]string{
			"Sec-Fetch-Site cross-site": {"Sec-Fetch-Site": "cross-site"},
			"Sec-Fetch-Site same-site":  {"Sec-Fetch-Site": "same-site"},
			"Origin":                    {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
			"Origin null":               {"Sec-Fetch-Site": "", "Origin": "null"},
		} {
			res := w.request(t, http.MethodPost, path, headers)
			if rejected := res.StatusCode == http.StatusForbidden && strings.Contains(res.body, "another site"); rejected == (fromOtherSites[pattern] != "") {
				t.Errorf("%s, %s: status %d", pattern, name, res.StatusCode)
			}
		}
	}
	if after := w.otherChanges(t); after != before || w.get(t, "/account").StatusCode != http.StatusOK {
		t.Errorf("%d changes were made, or the session has ended", after-before)
	}
}

// Guarantee: no other page can frame a page, and no response is interpreted as another type,
// cached, or read by another site. Exceptions are pages that are made for frames.
func TestEveryResponseIsGuarded(t *testing.T) {
	t.Parallel()
	w, places := newFullWorld(t)
	for _, pattern := range append(slices.Clone(w.table.patterns), "GET /account/none", "PUT /signin") {
		method, path, _ := strings.Cut(pattern, " ")
		h := w.request(t, method, places.path(t, pattern), nil).Header
		policy := h.Get("Content-Security-Policy")
		_, ancestors, _ := strings.Cut(policy, "frame-ancestors ")
		framed := strings.HasPrefix(path, "/embed")
		switch {
		case framed && (ancestors != "https://app.example" && !strings.HasPrefix(ancestors, "https://app.example;") || h.Get("X-Frame-Options") != ""):
			t.Errorf("%s: frame-ancestors %s", pattern, ancestors)
		case !framed && (!strings.HasPrefix(ancestors, "'none'") || h.Get("X-Frame-Options") != "DENY"):
			t.Errorf("%s: frame-ancestors %s, X-Frame-Options %s", pattern, ancestors, h.Get("X-Frame-Options"))
		}
		if strings.Contains(policy, "unsafe") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") == "" {
			t.Errorf("%s: %v", pattern, h)
		}
		public := strings.HasPrefix(path, "/assets/") || path == "/embed/v1.js"
		if !public && (h.Get("Cache-Control") != "no-store" || h.Get("Cross-Origin-Resource-Policy") != "same-origin" || h.Get("Access-Control-Allow-Origin") != "") {
			t.Errorf("%s: %v", pattern, h)
		}
	}
}

// otherSites are addresses that some browsers take for another site.
var otherSites = []string{
	"https://evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/account\\@evil.example", "/account\r\nLocation: //evil.example",
	"/\t/evil.example", "https:evil.example", "javascript:alert(1)", "/accounts//evil.example/../..", "//evil.example/account", "account.evil.example", "/%2f/evil.example",
	"/account/../signin/vendor?code=x", "/account/%2e%2e/invitation?code=x", `/account/..\..\signin/vendor?code=x`, "/accounts",
}

// Guarantee: no redirect leaves the site, whatever address a request states to return to.
func TestNoOpenRedirect(t *testing.T) {
	t.Parallel()
	w, places := newFullWorld(t)
	check := func(pattern, next string, res response) {
		t.Helper()
		location := res.Header.Get("Location")
		// Browsers take "//", "/\\" and "/", tab, "/" for the start of a host.
		if location != "" && (location[0] != '/' || strings.HasPrefix(location, "//") || strings.ContainsAny(location, "\\\t\r\n")) {
			t.Errorf("%s with %q redirects to %q", pattern, next, location)
		}
	}
	for _, pattern := range w.table.patterns {
		method, path, _ := strings.Cut(pattern, " ")
		if isOpen[pattern] == "" && !strings.Contains(path, "{") && path != "/confirm" {
			continue // with a session, no such page redirects to a stated address; without one, see below
		}
		for _, next := range otherSites {
			query := "?" + url.Values{"next": {next}, "return_to": {next}, "code": {next}, "draft": {next}}.Encode()
			check(pattern, next, w.request(t, method, places.path(t, pattern)+query, nil))
		}
	}
	credentials := url.Values{"email": {"ada@example.com"}, "password": {password}}
	for _, path := range []string{"/signin", "/confirm"} {
		for _, next := range otherSites {
			credentials.Set("next", next)
			res := w.post(t, path, credentials)
			if res.StatusCode != http.StatusSeeOther {
				t.Fatalf("%s responds %d", path, res.StatusCode)
			}
			check("POST "+path, next, res)
			if res.Header.Get("Location") != "/account" {
				t.Errorf("%s with %q leads to %s, which is no page of the account", path, next, res.Header.Get("Location"))
			}
		}
	}
}

// request sends a request of the browser with more headers; "" removes one.
func (w *world) request(t *testing.T, method, path string, headers map[string]string) response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Sec-Fetch-Dest", "iframe")
	for name, value := range headers {
		r.Header.Set(name, value)
		if value == "" {
			r.Header.Del(name)
		}
	}
	return w.send(t, r)
}
