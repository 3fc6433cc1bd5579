package web

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/signin/oidc"
	"github.com/toksta/toksta/internal/signin/oidc/oidctest"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// idleProvider returns a provider that does not respond.
func idleProvider(name string) signin.Provider {
	return signin.Provider{Name: name, Label: strings.ToUpper(name), SignUp: signin.Open, Protocol: oidc.New(oidc.Config{
		Kind: oidc.OpenID, Issuer: "http://127.0.0.1:1", VerifiedClaim: "email_verified",
	})}
}

// link links the owner of the account to a provider.
func (w *world) link(t *testing.T, provider string) {
	t.Helper()
	_, err := w.store.Commit(t.Context(), w.actor(), func(context.Context, store.Reader) (store.Mutation, error) {
		return store.Mutation{Kind: toksta.ChangeIdentityLinked, Identities: []store.Identity{
			{Provider: provider, Subject: "s-1", MemberID: w.owner, Email: "ada@acme.example", CreatedAt: time.Now()},
		}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// providerWorld is a world with the provider acme, which signs in Ada.
type providerWorld struct {
	*world
	acme *oidctest.Provider
}

// newProviderWorld returns a world without people.
func newProviderWorld(t *testing.T, alter func(*signin.Provider, *Config)) *providerWorld {
	t.Helper()
	w := &providerWorld{acme: oidctest.Start(t)}
	w.acme.Claims = map[string]any{"sub": "s-1", "email": "ada@example.com", "email_verified": true, "name": "Ada", "sid": "one"}
	w.world = emptyWorld(t, func(c *Config) {
		p := signin.Provider{Name: "acme", Label: "Acme SSO", SignUp: signin.Open, Protocol: oidc.New(oidc.Config{
			Kind: oidc.OpenID, Issuer: w.acme.URL, ClientID: oidctest.ClientID, ClientSecret: toksta.Hide(oidctest.ClientSecret),
			RedirectURL: "https://keys.example.com/signin/with/acme/callback", Scopes: []string{"openid"}, VerifiedClaim: "email_verified",
		})}
		if alter != nil {
			alter(&p, c)
		}
		c.SignIn.Providers = []signin.Provider{p}
	})
	return w
}

// leads returns the address to which a page goes on, and checks that the link has the same one.
func (w *providerWorld) leads(t *testing.T, page response) string {
	t.Helper()
	_, to, _ := strings.Cut(page.Header.Get("Refresh"), "url=")
	link := regexp.MustCompile(`href="(http[^"]*)"[^>]*><span>Continue`).FindStringSubmatch(page.body)
	if page.StatusCode != http.StatusOK || to == "" || link == nil || html.UnescapeString(link[1]) != to {
		t.Fatalf("%s: status %d, goes on to %q, the link is %q", page.path, page.StatusCode, to, link)
	}
	return to
}

// back opens the address to which the provider sends the browser, on the test server.
func (w *providerWorld) back(t *testing.T, address string) response {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return w.get(t, u.RequestURI())
}

func (w *providerWorld) signIn(t *testing.T) response {
	t.Helper()
	return w.back(t, w.acme.SignIn(w.leads(t, w.post(t, "/signin/with/acme", url.Values{"next": {"/account/security"}}))))
}

// Guarantee: a person signs up and in by a provider without a password, links and unlinks it, and the
// pages never lead the browser to a provider without a press of a button.
func TestProviderJourney(t *testing.T) {
	t.Parallel()
	w := newProviderWorld(t, nil)
	w.get(t, "/signin").shows(t, 200, `formaction="/signin/with/acme"`, "Continue with <bdi>Acme SSO</bdi>", `name="password"`)
	in := w.signIn(t)
	in.shows(t, 200, "Sign-in and sessions", "ada@example.com", "Unlink")
	if in.path != "/account/security" || strings.Contains(in.path, "code") {
		t.Errorf("the person arrives at %s", in.path)
	}
	in.shows(t, 200, ", with Acme SSO<")
	w.get(t, "/account").shows(t, 200, "<dt>Signed in with</dt><dd>Acme SSO</dd>")
	// It is the only way to sign in.
	w.post(t, "/account/security/providers/unlink", url.Values{"provider": {"acme"}}).shows(t, 422, "your last way to sign in")
	w.post(t, "/account/security/password", url.Values{"password": {password}})
	w.post(t, "/account/security/providers/unlink", url.Values{"provider": {"acme"}}).shows(t, 200, "The sign-in is unlinked", "Not linked")
	// The address is verified on both sides, so the provider is linked again.
	w.signOut(t)
	w.signIn(t).shows(t, 200, "Unlink")
	w.post(t, "/account/security/providers/unlink", url.Values{"provider": {"acme"}}).shows(t, 200, "Not linked")
	// From inside of a session, also another address is linked.
	w.acme.Claims["email"], w.acme.Claims["sub"] = "ada@elsewhere.example", "s-2"
	w.back(t, w.acme.SignIn(w.leads(t, w.post(t, "/account/security/providers/link", url.Values{"provider": {"acme"}})))).
		shows(t, 200, "The sign-in is linked", "ada@elsewhere.example")
	w.signOut(t)
	w.signIn(t).shows(t, 200, "ada@example.com")
}

// Guarantee: another site can neither start a sign-in nor finish one in the browser of a victim.
func TestProviderCSRF(t *testing.T) {
	t.Parallel()
	w := newProviderWorld(t, nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/signin/with/acme", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w.send(t, r).shows(t, 403, "another site")
	w.get(t, "/signin/with/acme").shows(t, 405, "does not take GET")
	attackers := w.acme.SignIn(w.leads(t, w.post(t, "/signin/with/acme", nil)))
	w.signOut(t) // the victim's browser
	w.back(t, attackers).shows(t, 422, "started in another browser")
	w.post(t, "/signin/with/acme", nil) // the victim has started a sign-in too
	w.back(t, attackers).shows(t, 422, "started in another browser")
	if page := w.get(t, "/account"); page.path != "/signin?next=%2Faccount" {
		t.Errorf("the victim is signed in: %s", page.path)
	}
}

// Guarantee: a failure of a provider shows the sign-in page with the other ways, and an unknown
// provider is not found.
func TestProviderFailures(t *testing.T) {
	t.Parallel()
	w := newProviderWorld(t, func(_ *signin.Provider, c *Config) {})
	w.acme.Respond = func(rw http.ResponseWriter, _ *http.Request) bool {
		rw.WriteHeader(http.StatusBadGateway)
		return true
	}
	down := w.post(t, "/signin/with/acme", nil)
	down.shows(t, 503, "Acme SSO cannot be used at the moment", `name="password"`)
	if down.Header.Get("Retry-After") != "60" {
		t.Errorf("Retry-After %q", down.Header.Get("Retry-After"))
	}
	w.post(t, "/signin/with/other", nil).shows(t, 404, "nothing here")
	w.get(t, "/signin/with/other/callback").shows(t, 404, "nothing here")
	w = newProviderWorld(t, nil)
	w.acme.Spoil = func(t *oidctest.Token) { t.Claims["nonce"] = "x" }
	w.signIn(t).shows(t, 422, "Signing in with Acme SSO did not work", `name="password"`)
	w.acme.Spoil = nil
	w.acme.Claims["email_verified"] = false
	w.signIn(t).shows(t, 422, "Acme SSO has not verified your e-mail address")
	started := w.leads(t, w.post(t, "/signin/with/acme", nil))
	u, err := url.Parse(started)
	if err != nil {
		t.Fatal(err)
	}
	w.get(t, "/signin/with/acme/callback?"+url.Values{"state": {u.Query().Get("state")}, "iss": {w.acme.URL}, "error": {"access_denied"}}.Encode()).
		shows(t, 422, "was stopped at Acme SSO")
}

// Guarantee: without passwords, the pages offer only the providers, and no form for a password works.
func TestProvidersOnly(t *testing.T) {
	t.Parallel()
	w := newProviderWorld(t, func(_ *signin.Provider, c *Config) {
		withMail(t, new(mail.Outbox))(c)
		c.SignIn.PasswordOff = true
	})
	for _, path := range []string{"/signin", "/signup"} {
		if page := w.get(t, path); strings.Contains(page.body, "password") || !strings.Contains(page.body, "Acme SSO") {
			t.Errorf("%s offers a password, or no provider", path)
		}
	}
	form := url.Values{"name": {"Eve"}, "email": {"eve@example.com"}, "password": {password}}
	w.post(t, "/signup", form).shows(t, 422, "not possible here")
	w.post(t, "/signin", form).shows(t, 422, "not possible here")
	w.post(t, "/signin/forgot", form).shows(t, 404, "There is nothing here")
	w.post(t, "/signin/reset", form).shows(t, 404, "There is nothing here")
	page := w.signIn(t)
	page.shows(t, 200, "Linked sign-ins")
	if strings.Contains(page.body, `name="password"`) {
		t.Error("the page offers to set a password")
	}
}

// Guarantee: a person accepts the terms before an account is made.
func TestProviderConsent(t *testing.T) {
	t.Parallel()
	w := newProviderWorld(t, func(_ *signin.Provider, c *Config) {
		c.SignIn.Terms, c.Consent.Text = "I accept the terms.", "I accept the terms."
	})
	asked := w.signIn(t)
	asked.shows(t, 200, "accept the terms and continue again", "I accept the terms.", "Acme SSO")
	if all, err := w.store.ListAccounts(t.Context(), store.Page{}); err != nil || len(all) != 0 {
		t.Fatalf("%d accounts were made, %v", len(all), err)
	}
	w.back(t, w.acme.SignIn(w.leads(t, w.post(t, "/signin/with/acme", url.Values{"consent": {"yes"}}))))
	m, err := w.store.MemberByEmail(t.Context(), "ada@example.com")
	if err != nil || m.Consent != "I accept the terms." {
		t.Errorf("%+v, %v", m, err)
	}
}

// Guarantee: a logout token ends the sessions of the provider's session at once, once, and nothing else
// does. Signing out leads to the provider where the vendor wants it.
func TestProviderLogout(t *testing.T) {
	t.Parallel()
	w := newProviderWorld(t, func(p *signin.Provider, c *Config) { p.SignsOut, c.SignIn.PagesURL = true, "https://keys.example.com" })
	w.signIn(t)
	logout := func(token string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/signin/with/acme/logout", strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return w.send(t, r).StatusCode
	}
	if status := logout("forged"); status != http.StatusBadRequest {
		t.Errorf("a forged token: %d", status)
	}
	w.get(t, "/account").shows(t, 200, "Ada")
	token := w.acme.LogoutToken(map[string]any{"sid": "one"})
	if status := logout(token); status != http.StatusOK {
		t.Errorf("a logout token: %d", status)
	}
	if page := w.get(t, "/account"); !strings.HasPrefix(page.path, "/signin") {
		t.Errorf("the session still shows %s", page.path)
	}
	w.signIn(t)
	if status := logout(token); status != http.StatusBadRequest {
		t.Errorf("a replayed token: %d", status)
	}
	w.get(t, "/account").shows(t, 200, "Ada")
	to := w.leads(t, w.post(t, "/signout", nil))
	if want := "client_id=toksta&post_logout_redirect_uri=https%3A%2F%2Fkeys.example.com%2Fsignin%2Fout"; to != w.acme.URL+"/end?"+want {
		t.Errorf("signing out leads to %s", to)
	}
	w.get(t, "/signin/out").shows(t, 200, "You are signed out.")
	if page := w.get(t, "/account"); !strings.HasPrefix(page.path, "/signin") {
		t.Errorf("the session still shows %s", page.path)
	}
}
