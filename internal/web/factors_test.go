package web

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/signin/passkey"
	"github.com/toksta/toksta/internal/signin/passkey/passkeytest"
	"github.com/toksta/toksta/internal/store"
)

// withPasskeys switches passkeys on.
func withPasskeys(t *testing.T) func(*Config) {
	return func(c *Config) {
		var err error
		if c.SignIn.Passkeys, err = passkey.New(passkey.Config{Domain: "acme.example", Origin: "https://acme.example", Name: "Acme"}); err != nil {
			t.Fatal(err)
		}
	}
}

// app is an authenticator app.
type app struct{ secret string }

// code returns the code of the world's present time step.
func (a app) code(w *world) string {
	key, _ := base32.StdEncoding.DecodeString(a.secret)
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, uint64(w.Now().Unix()/30))
	sum := mac.Sum(nil)
	from := sum[19] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[from:])&0x7fffffff%1_000_000)
}

// setUpApp sets up an authenticator app on the pages and returns it with the recovery codes.
func (w *world) setUpApp(t *testing.T) (app, []string) {
	t.Helper()
	page := w.get(t, appPath)
	_, rest, _ := strings.Cut(page.body, `<pre id="secret"`)
	key, _, _ := strings.Cut(rest, "</pre>")
	groups := regexp.MustCompile(`>([A-Z2-7]{4})<`).FindAllStringSubmatch(key, -1)
	if len(groups) != 8 {
		t.Fatalf("%s has no secret:\n%s", page.path, page.body)
	}
	a := app{}
	for _, g := range groups {
		a.secret += g[1]
	}
	page.shows(t, 200, `<svg class="qr"`)
	w.post(t, appPath, url.Values{"code": {"12345"}}).shows(t, 422, "6 digits", groups[0][1], groups[7][1])
	done := w.post(t, appPath, url.Values{"code": {a.code(w)}})
	done.shows(t, 200, "Store your recovery codes now")
	w.ahead.Add(int64(30 * time.Second))
	return a, regexp.MustCompile(`[A-Z2-7]{4}(?:-[A-Z2-7]{4}){3}`).FindAllString(done.body, -1)
}

// signIn sends the password.
func (w *world) signIn(t *testing.T) response {
	t.Helper()
	return w.post(t, "/signin", url.Values{"email": {"ada@example.com"}, "password": {password}, "next": {"/account/profile"}})
}

// With an authenticator app the password leads to the page for the code, and the code to the page
// that was asked for. The secret and the recovery codes are shown once.
func TestSecondFactorPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, codes := w.setUpApp(t)
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes", len(codes))
	}
	for _, path := range []string{appPath, securityPath, codesPath, appPath + "/remove"} {
		if page := w.get(t, path); strings.Contains(page.body, a.secret) || strings.Contains(page.body, `id="secret"`) || strings.Contains(page.body, codes[0]) {
			t.Errorf("%s shows a secret again", path)
		}
	}
	w.get(t, securityPath).shows(t, 200, "10 of 10 left")
	w.signOut(t)
	step := w.signIn(t)
	step.shows(t, 200, "One more step")
	if w.get(t, "/account").path != "/signin?next=%2Faccount" {
		t.Error("the pending sign-in opens the account")
	}
	next := step.fields().Get("next")
	w.post(t, "/signin/second-factor", url.Values{"code": {"000 000"}, "next": {next}}).shows(t, 422, "This code is wrong")
	if in := w.post(t, "/signin/second-factor", url.Values{"code": {a.code(w)}, "next": {next}}); in.path != "/account/profile" {
		t.Errorf("the code leads to %s", in.path)
	}
	w.signOut(t)
	w.signIn(t)
	w.post(t, "/signin/second-factor", url.Values{"code": {strings.ToLower(codes[4])}}).shows(t, 200, "API keys")
	w.get(t, securityPath).shows(t, 200, "9 of 10 left")
	w.signOut(t)
	w.post(t, "/signin/second-factor", url.Values{"code": {codes[5]}}).shows(t, 200, "took too long")
}

// A factor is removed and added only after a recent proof with a factor: the password does not
// suffice, also not if it is sent anyway.
func TestFactorGuard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, codes := w.setUpApp(t)
	w.ahead.Add(int64(2 * time.Hour))
	asked := w.get(t, appPath+"/remove")
	asked.shows(t, 200, "to <bdi>remove the authenticator app</bdi>", `name="code"`)
	if strings.Contains(asked.body, `name="password"`) {
		t.Error("the page offers the password")
	}
	again := w.post(t, "/confirm", url.Values{"password": {password}, "next": {appPath + "/remove"}})
	if !strings.HasPrefix(again.path, "/confirm?with=factor") {
		t.Errorf("the password leads to %s", again.path)
	}
	w.post(t, appPath+"/remove", nil).shows(t, 200, `name="code"`)
	w.post(t, "/confirm", url.Values{"code": {"000000"}, "with": {"factor"}, "next": {appPath + "/remove"}}).shows(t, 422, "This code is wrong", `name="with" value="factor"`)
	w.post(t, "/confirm", url.Values{"code": {a.code(w)}, "with": {"factor"}, "next": {codesPath}}).shows(t, 200, "Make new recovery codes?")
	renewed := w.post(t, codesPath, nil)
	renewed.shows(t, 200, "Store your recovery codes now")
	if strings.Contains(renewed.body, codes[0]) {
		t.Error("an earlier code is shown")
	}
	w.get(t, appPath+"/remove").shows(t, 200, "Your recovery codes stop working")
	w.post(t, appPath+"/remove", nil).shows(t, 200, "The authenticator app is removed")
	w.signOut(t)
	if in := w.signIn(t); in.path != "/account/profile" {
		t.Errorf("the password leads to %s after the removal", in.path)
	}
}

// If a second factor is required, a person without one sees no other page and changes no key until
// it is set up. A session that began without the factor must prove it.
func TestRequiredFactorPages(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, func(c *Config) {
		withPasskeys(t)(c)
		c.SignIn.RequireFactor = true
	})
	set := []string{missingPath, appPath, passkeysPath + "/new"}
	checked := 0
	for _, pattern := range w.table.patterns {
		method, path, _ := strings.Cut(pattern, " ")
		path = strings.ReplaceAll(path, "{id}", "key_x")
		if isOpen[pattern] != "" || slices.Contains(set, path) || strings.HasPrefix(path, "/confirm") || strings.Contains(path, "/security/") || strings.HasPrefix(path, "/embed") {
			continue
		}
		checked++
		got := w.get(t, path)
		if method == http.MethodPost {
			got = w.post(t, path, nil)
		}
		if got.path != missingPath {
			t.Errorf("%s leads to %s", pattern, got.path)
		}
	}
	if checked < 15 {
		t.Errorf("only %d routes are checked", checked)
	}
	w.get(t, "/account").shows(t, 200, "Set up a second factor")
	a, _ := w.setUpApp(t)
	w.get(t, "/account").shows(t, 200, "API keys")
	// The passwords of other sessions are not enough either.
	w.signOut(t)
	w.signIn(t).shows(t, 200, "One more step")
	w.post(t, "/signin/second-factor", url.Values{"code": {a.code(w)}}).shows(t, 200, "API keys")
	w.post(t, appPath+"/remove", nil)
	w.get(t, "/account").shows(t, 200, "Sign in")
	w.signIn(t).shows(t, 200, "Set up a second factor")
}

// A session that began before a second factor was required must prove the factor.
func TestSessionWithoutFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.browser.Jar
	w.signOut(t)
	w.signIn(t)
	a, _ := w.setUpApp(t)
	w.SignIn.RequireFactor = true
	w.browser.Jar = old
	w.get(t, "/account/profile").shows(t, 200, `name="code"`)
	got := w.post(t, "/confirm", url.Values{"code": {a.code(w)}, "with": {"factor"}, "next": {"/account/profile"}})
	if got.path != "/account/profile" {
		t.Errorf("the code leads to %s", got.path)
	}
}

// ceremony asks for a challenge and returns the response of the authenticator.
func (w *world) ceremony(t *testing.T, path string, authenticate func([]byte) (string, error)) string {
	t.Helper()
	c := w.post(t, path, nil)
	if c.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s: %s", path, c.body)
	}
	response, err := authenticate([]byte(c.body))
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// A passkey is added, used to sign in without a name and to confirm, renamed and removed.
func TestPasskeyPages(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, withPasskeys(t))
	a := &passkeytest.Authenticator{Origin: "https://acme.example", Domain: "acme.example"}
	w.get(t, passkeysPath+"/new").shows(t, 200, "data-missing")
	w.post(t, passkeysPath, url.Values{"name": {"Phone"}, "response": {"{}"}}).shows(t, 422, "took too long", `value="Phone"`)
	response := w.ceremony(t, passkeysPath+"/options", a.Create)
	w.post(t, passkeysPath, url.Values{"name": {"Phone & <b>"}, "response": {response}}).shows(t, 200, "The passkey is added", "Phone &amp; &lt;b&gt;")
	w.signOut(t)
	w.post(t, "/signin/passkey", url.Values{"response": {response}}).shows(t, 422, "took too long")
	in := w.post(t, "/signin/passkey", url.Values{"response": {w.ceremony(t, "/signin/passkey/options", a.Get)}, "next": {"/account/profile"}})
	if in.path != "/account/profile" {
		t.Errorf("the passkey leads to %s", in.path)
	}
	w.ahead.Add(int64(2 * time.Hour))
	list, err := w.store.ListPasskeys(t.Context(), w.owner)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	page := passkeysPath + "/" + list[0].ID
	w.get(t, page).shows(t, 200, "Passkey <bdi>Phone &amp;")
	w.post(t, page, url.Values{"name": {""}}).shows(t, 422, html.EscapeString("Phone & <b>"))
	w.post(t, page, url.Values{"name": {"Work phone"}}).shows(t, 200, "new name", "Work phone")
	asked := w.post(t, page+"/remove", nil)
	asked.shows(t, 200, "to <bdi>remove a passkey</bdi>", "/confirm/passkey")
	if strings.Contains(asked.body, `name="password"`) || strings.Contains(asked.body, `name="code"`) {
		t.Error("the page offers ways that do not suffice")
	}
	confirmed := w.post(t, "/confirm/passkey", url.Values{"response": {w.ceremony(t, "/confirm/options", a.Get)}, "with": {"factor"}, "next": {page}})
	if confirmed.path != page {
		t.Errorf("the passkey leads to %s", confirmed.path)
	}
	w.SignIn.PasswordOff = true
	w.post(t, page+"/remove", nil).shows(t, 422, "your last way to sign in", "Work phone")
	w.SignIn.PasswordOff = false
	w.post(t, page+"/remove", nil).shows(t, 200, "The passkey is removed")
	w.get(t, page).shows(t, 404, "nothing here")
	w.signOut(t)
	w.post(t, "/signin/passkey", url.Values{"response": {w.ceremony(t, "/signin/passkey/options", a.Get)}}).shows(t, 422, "not known here")
}

// The cookies of a pending sign-in and of challenges are bound to the host and hidden from scripts.
func TestFactorCookies(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, withPasskeys(t))
	w.setUpApp(t)
	w.SecureCookies = true
	w.browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for path, form := range map[string]url.Values{
		"/signin":                 {"email": {"ada@example.com"}, "password": {password}},
		"/signin/passkey/options": nil,
	} {
		res := w.post(t, path, form)
		found := false
		for _, c := range res.Cookies() {
			found = found || strings.HasPrefix(c.Name, "__Host-account_signin") || strings.HasPrefix(c.Name, "__Host-account_passkey")
			if !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite < http.SameSiteLaxMode {
				t.Errorf("%s: the cookie %s is %+v", path, c.Name, c)
			}
		}
		if !found {
			t.Errorf("%s sets %v", path, res.Cookies())
		}
	}
}

// Passkeys of another person cannot be seen, renamed or removed.
func TestForeignPasskeys(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, withPasskeys(t))
	a := &passkeytest.Authenticator{Origin: "https://acme.example", Domain: "acme.example"}
	w.post(t, passkeysPath, url.Values{"name": {"Phone"}, "response": {w.ceremony(t, passkeysPath+"/options", a.Create)}})
	list, err := w.store.ListPasskeys(t.Context(), w.owner)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	w.signOut(t)
	w.post(t, "/signup", url.Values{"name": {"Eve"}, "account": {"Evil"}, "email": {"eve@example.com"}, "password": {password}})
	page := passkeysPath + "/" + list[0].ID
	for _, got := range []response{w.get(t, page), w.post(t, page, url.Values{"name": {"Mine"}}), w.post(t, page+"/remove", nil)} {
		if got.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", got.path, got.StatusCode)
		}
	}
	if again, err := w.store.ListPasskeys(t.Context(), w.owner); err != nil || len(again) != 1 || again[0].Name != "Phone" {
		t.Errorf("%+v, %v", again, err)
	}
	state, err := w.store.FactorState(t.Context(), w.owner)
	if err != nil || state != (store.FactorState{Passkeys: 1}) {
		t.Errorf("%+v, %v", state, err)
	}
}
