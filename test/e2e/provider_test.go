package e2e

import (
	"bufio"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// certified is a certified provider, beside a server that uses it under the name acme.
type certified struct {
	*apptest.Node
	issuer, pages string
	browser       *http.Client
}

// startCertified starts both. It skips the test if the provider is not installed.
func startCertified(t *testing.T, alter func(*config.Provider, *config.Config)) *certified {
	t.Helper()
	dir := filepath.Join("..", "oidc")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "oidc-provider")); err != nil {
		const message = "the tests of sign-in providers need test/oidc/node_modules: run `make deps`"
		if os.Getenv("TOKSTA_TEST_REQUIRE") == "1" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	port := freePorts(t, 1)[0]
	c := &certified{pages: "http://localhost:" + port}
	run := exec.Command("node", "provider.mjs", c.pages, "acme")
	run.Dir, run.Stderr = dir, t.Output()
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = run.Process.Kill()
		_ = run.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() && c.issuer == "" {
		if strings.HasPrefix(lines.Text(), "http://") {
			c.issuer = lines.Text()
			break
		}
	}
	if c.issuer == "" {
		t.Fatal("the provider did not start")
	}
	c.Node = apptest.Start(t, func(cfg *config.Config) {
		cfg.Listen.Public, cfg.PublicURL, cfg.PagesURL, cfg.Signup.Policy = "127.0.0.1:"+port, c.pages, c.pages, "open"
		p := config.Provider{
			Label: "Acme SSO", Kind: "oidc", Issuer: c.issuer, ClientID: "toksta", ClientSecret: "the client secret",
			Scopes: []string{"openid", "profile", "email", "groups"}, Signup: "open", VerifiedClaim: "email_verified",
		}
		if alter != nil {
			alter(&p, cfg)
		}
		cfg.SignIn.Providers = map[string]config.Provider{"acme": p}
	})
	c.newBrowser(t)
	return c
}

func (c *certified) newBrowser(t *testing.T) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.browser = &http.Client{Jar: jar}
}

// shown is a page after all redirects.
type shown struct {
	*http.Response
	body string
}

func (c *certified) send(t *testing.T, method, address string, form url.Values) shown {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := c.browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return shown{response, string(body)}
}

// follow goes to the address to which a page leads, and through the provider's forms as a person who
// gives the name and agrees.
func (c *certified) follow(t *testing.T, page shown, name string) shown {
	t.Helper()
	_, to, leads := strings.Cut(page.Header.Get("Refresh"), "url=")
	if !leads {
		t.Fatalf("%s does not lead to the provider: %d\n%.600s", page.Request.URL, page.StatusCode, page.body)
	}
	page = c.send(t, http.MethodGet, to, nil)
	for range 4 {
		action := regexp.MustCompile(`<form[^>]*action="([^"]*)"`).FindStringSubmatch(page.body)
		prompt := regexp.MustCompile(`name="prompt" value="([^"]*)"`).FindStringSubmatch(page.body)
		if prompt == nil || action == nil || !strings.HasPrefix(page.Request.URL.String(), c.issuer) {
			break
		}
		target, err := page.Request.URL.Parse(html.UnescapeString(action[1]))
		if err != nil {
			t.Fatal(err)
		}
		page = c.send(t, http.MethodPost, target.String(), url.Values{"prompt": {prompt[1]}, "login": {name}, "password": {"any"}})
	}
	return page
}

func (c *certified) signIn(t *testing.T, name string) shown {
	t.Helper()
	return c.follow(t, c.send(t, http.MethodPost, c.pages+"/signin/with/acme", url.Values{"next": {"/account/security"}}), name)
}

// is checks that a page of the account pages is shown, with a text.
func (c *certified) is(t *testing.T, page shown, path, text string) {
	t.Helper()
	if page.Request.URL.Path != path || !strings.Contains(page.body, text) {
		t.Errorf("the browser is at %s, want %s with %q:\n%.1500s", page.Request.URL, path, text, page.body)
	}
}

// Guarantee: a certified provider signs people up and in by discovery and PKCE, also after it changed
// its key; its back channel ends the session at once, and signing out here leads to it.
func TestCertifiedProvider(t *testing.T) {
	t.Parallel()
	c := startCertified(t, func(p *config.Provider, _ *config.Config) { p.SignOut = true })
	c.is(t, c.signIn(t, "ada"), "/account/security", "ada@acme.example")

	c.send(t, http.MethodGet, c.issuer+"/rotate", nil)
	c.newBrowser(t)
	c.is(t, c.signIn(t, "ada"), "/account/security", "ada@acme.example")

	// The person signs out at the provider, whose back channel ends the session here.
	end := c.send(t, http.MethodGet, c.issuer+"/session/end", nil)
	token := regexp.MustCompile(`name="xsrf" value="([^"]*)"`).FindStringSubmatch(end.body)
	if token == nil {
		t.Fatalf("the provider does not ask to confirm: %.600s", end.body)
	}
	c.send(t, http.MethodPost, c.issuer+"/session/end/confirm", url.Values{"xsrf": {token[1]}, "logout": {"yes"}})
	c.is(t, c.send(t, http.MethodGet, c.pages+"/account", nil), "/signin", "Continue with")

	// Signing out here leads to the provider and back.
	c.is(t, c.signIn(t, "ada"), "/account/security", "ada@acme.example")
	out := c.send(t, http.MethodPost, c.pages+"/signout", nil)
	_, to, leads := strings.Cut(out.Header.Get("Refresh"), "url=")
	if !leads || !strings.HasPrefix(to, c.issuer+"/session/end?client_id=toksta") {
		t.Fatalf("signing out leads to %q", to)
	}
	end = c.send(t, http.MethodGet, to, nil)
	if token = regexp.MustCompile(`name="xsrf" value="([^"]*)"`).FindStringSubmatch(end.body); token == nil {
		t.Fatalf("the provider does not ask to confirm: %.600s", end.body)
	}
	c.is(t, c.send(t, http.MethodPost, c.issuer+"/session/end/confirm", url.Values{"xsrf": {token[1]}, "logout": {"yes"}}), "/signin", "You are signed out.")
}

// Guarantee: an address that a certified provider did not verify makes no account, and groups give roles.
func TestCertifiedClaims(t *testing.T) {
	t.Parallel()
	c := startCertified(t, nil)
	c.is(t, c.signIn(t, "unverified"), "/signin/with/acme/callback", "has not verified your e-mail address")
	log := string(c.Log.Bytes())
	for _, secret := range []string{"the client secret", "code=", "state="} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	if !strings.Contains(log, `"reason":"address_not_verified"`) {
		t.Errorf("the log lacks the reason:\n%s", log)
	}
	c = startCertified(t, func(p *config.Provider, _ *config.Config) {
		p.Signup, p.Accounts = "closed", []config.ProviderAccount{{Claim: "groups", Value: "graces", Account: "acme", Role: toksta.MemberDeveloper}}
	})
	made, err := c.Operator().CreateAccount(t.Context(), client.CreateAccountRequest{Name: "Acme Corp", Plan: "API_ENTERPRISE", ExternalID: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	c.is(t, c.signIn(t, "ada"), "/signin/with/acme/callback", "signing up with Acme SSO is closed")
	c.newBrowser(t)
	c.is(t, c.signIn(t, "grace"), "/account/security", "grace@acme.example")
	c.is(t, c.send(t, http.MethodGet, c.pages+"/account", nil), "/account", string(made.Account.ID))
}

// Guarantee: the journey of a person with a provider on another site works in a real browser, by keyboard
// and without JavaScript.
func TestBrowserProvider(t *testing.T) {
	dir := browserTests(t)
	c := startCertified(t, nil)
	run := exec.Command("node", "oidc.mjs")
	run.Dir = dir
	run.Env = append(os.Environ(), "TOKSTA_BASE="+c.pages, "OIDC_ISSUER="+c.issuer)
	out, err := run.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("oidc.mjs failed: %v", err)
	}
}
