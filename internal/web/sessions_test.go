package web

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/signin"
)

// Guarantee: a person sees each own session with browser, address, way of signing in and account,
// and ends it alone. The handle of another person's session ends nothing.
func TestSessionsEndOneByOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const page, end = "/account/security", "/account/security/sessions/end-one"
	credentials := url.Values{"email": {"ada@example.com"}, "password": {password}}
	first := w.browser.Jar
	w.signOut(t)
	w.post(t, "/signin", credentials)
	second := w.browser.Jar
	w.get(t, page).shows(t, 200, "2 devices", "203.0.113.7", "with the password", "in <bdi>Acme</bdi>", "This device")
	handles := w.handles(t)
	w.signOut(t)
	w.post(t, "/signup", url.Values{"name": {"Bob"}, "account": {"Bob"}, "email": {"bob@example.com"}, "password": {password}})
	foreign := w.browser.Jar
	w.get(t, page).shows(t, 200, "1 device<")
	bob := w.handles(t)[0]
	w.post(t, end, url.Values{"session": {handles[0]}}).shows(t, 200, "<h1>Sign-in and sessions</h1>")

	w.browser.Jar = second
	w.post(t, end, url.Values{"session": {bob}})
	w.get(t, page).shows(t, 200, "2 devices") // the newest session, of this browser, is the first
	w.post(t, end, url.Values{"session": {handles[1]}}).shows(t, 200, "The device is signed out", "1 device<")
	w.post(t, end, url.Values{"session": {handles[1]}}).shows(t, 200, "1 device<") // has ended already
	w.browser.Jar = first
	w.get(t, page).shows(t, 200, "<h1>Sign in</h1>")
	w.browser.Jar = second
	w.post(t, end, url.Values{"session": {handles[0]}}).shows(t, 200, "You are signed out")
	w.get(t, page).shows(t, 200, "<h1>Sign in</h1>")
	w.browser.Jar = foreign
	w.get(t, page).shows(t, 200, "1 device<")
}

// handles returns the handles of the listed sessions.
func (w *world) handles(t *testing.T) (out []string) {
	t.Helper()
	for _, part := range strings.Split(w.get(t, "/account/security").body, `name="session" value="`)[1:] {
		handle, _, _ := strings.Cut(part, `"`)
		out = append(out, handle)
	}
	return out
}

// Guarantee: no cookie that another person placed in the browser, or read from it, is the session
// after the person has signed in, confirmed or changed the password, nor any other session. Over TLS the cookies have the
// prefix with which no other host can place them.
func TestSessionFixation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	site, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	cookie := func(name string) string {
		for _, c := range w.browser.Jar.Cookies(site) {
			if c.Name == name {
				return c.Value
			}
		}
		return ""
	}
	plant := func(value string) {
		w.browser.Jar.SetCookies(site, []*http.Cookie{{Name: w.cookieName(), Value: value, Path: "/"}})
	}
	opens := func(value string) bool {
		jar := w.browser.Jar
		defer func() { w.browser.Jar = jar }()
		w.browser.Jar, _ = cookiejar.New(nil)
		plant(value)
		return w.get(t, "/account").path == "/account"
	}
	own := cookie(w.cookieName()) // of a session that the attacker has
	w.post(t, "/signup", url.Values{"name": {"Eve"}, "account": {"Eve"}, "email": {"eve@example.com"}, "password": {password}})
	for _, planted := range []string{own, strings.Repeat("A", 43), cookie(w.cookieName())} {
		plant(planted)
		w.post(t, "/signin", url.Values{"email": {"eve@example.com"}, "password": {password}}).shows(t, 200, "Eve")
		if cookie(w.cookieName()) == planted || opens(planted) {
			t.Error("the planted cookie is a session after signing in")
		}
	}
	for _, step := range []struct {
		path string
		form url.Values
	}{
		{"/confirm", url.Values{"password": {password}}},
		{"/account/security/password", url.Values{"current": {password}, "password": {"another " + password}}},
	} {
		before := cookie(w.cookieName())
		w.post(t, step.path, step.form)
		if after := cookie(w.cookieName()); after == before || opens(before) || !opens(after) {
			t.Errorf("%s: the cookie changes: %v; the old one opens the account: %v, the new one: %v", step.path, after != before, opens(before), opens(after))
		}
	}
}

// Guarantee: over TLS each cookie of a sign-in is __Host-, Secure, HttpOnly and SameSite, and that of
// the browser lasts longer than the session.
func TestCookieAttributes(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, func(c *Config) { c.SecureCookies = true })
	w.browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	w.signOut(t)
	res := w.post(t, "/signin", url.Values{"email": {"ada@example.com"}, "password": {password}})
	found := map[string]time.Duration{}
	for _, c := range res.Cookies() {
		if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("the cookie %+v", c)
		}
		found[c.Name] = time.Until(c.Expires)
	}
	if len(found) != 2 || found["__Host-account_browser"] < 399*24*time.Hour || found["__Host-account_session"] > 31*24*time.Hour {
		t.Errorf("signing in set %v", found)
	}
}

// Guarantee: the list of sessions names each way in which one can start.
func TestEveryMethodHasWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, m := range []signin.Method{
		signin.MethodPassword, signin.MethodLink, signin.MethodPasskey, signin.MethodProvider, signin.MethodVendor, signin.MethodEmbedded,
	} {
		if w.methodWords(m, "acme") == "" {
			t.Errorf("%s has no words", m)
		}
	}
}
