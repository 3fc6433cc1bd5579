package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// createForm sends the form for a new key and returns the response before the redirect.
func (w *world) createForm(t *testing.T, name string) *http.Response {
	t.Helper()
	form := w.get(t, "/account/keys/new").fields()
	form.Set("name", name)
	form.Set("expires", "never")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/account/keys", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range w.browser.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

var secretPattern = regexp.MustCompile(`tk_live_[0-9a-f]{48}`)

// show requests the page at path with the session of the browser and the cookie of a secret.
func (w *world) show(t *testing.T, path string, secret *http.Cookie) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	u, _ := url.Parse(w.url)
	for _, c := range w.browser.Jar.Cookies(u) {
		r.AddCookie(c)
	}
	r.AddCookie(secret)
	answer := httptest.NewRecorder()
	w.Handler().ServeHTTP(answer, r)
	return answer
}

// Guarantee: exactly one response has the secret. It is not cached, and no response after it,
// for another session, for another key or after the time has a secret. The cookie reveals
// nothing by itself.
func TestSecretIsShownOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.createForm(t, "first")
	path := created.Header.Get("Location")
	if created.StatusCode != http.StatusSeeOther || !strings.HasSuffix(path, "/secret") || len(created.Cookies()) != 1 {
		t.Fatalf("the form responds %d to %s with %d cookies", created.StatusCode, path, len(created.Cookies()))
	}
	cookie := created.Cookies()[0]
	if cookie.Path != path || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.MaxAge != 60 || strings.Contains(cookie.Value, "tk_live") {
		t.Errorf("the cookie is %+v", cookie)
	}
	other := w.createForm(t, "second")
	otherPath, otherCookie := other.Header.Get("Location"), other.Cookies()[0]
	rejected := func(what, path string, c *http.Cookie) {
		t.Helper()
		if page := w.show(t, path, c); secretPattern.MatchString(page.Body.String()) || page.Code != 200 || !strings.Contains(page.Body.String(), "This secret was shown once") {
			t.Errorf("%s: %d %s", what, page.Code, secretPattern.FindString(page.Body.String()))
		}
	}
	rejected("the cookie of another key", path, otherCookie)
	rejected("a damaged cookie", path, &http.Cookie{Name: cookie.Name, Value: "AAAA" + cookie.Value[4:]})
	first := w.show(t, path, cookie)
	if !secretPattern.MatchString(first.Body.String()) || first.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("the page of the secret: %d, Cache-Control %q", first.Code, first.Header().Get("Cache-Control"))
	}
	if c := first.Result().Cookies(); len(c) != 1 || c[0].MaxAge >= 0 || c[0].Path != path {
		t.Errorf("the page of the secret deletes no cookie: %v", c)
	}
	rejected("the cookie a second time", path, cookie)
	w.get(t, path).shows(t, 200, "This secret was shown once")

	w.ahead.Store(int64(2 * time.Minute))
	rejected("an expired cookie", otherPath, otherCookie)
	w.ahead.Store(0)
	w.signOut(t)
	w.post(t, "/signin", url.Values{"email": {"ada@example.com"}, "password": {password}})
	rejected("the cookie in another session", otherPath, otherCookie)
}

// Guarantee: the result of a revocation is a page of its own. A key that is not revoked has
// none, whatever the address claims.
func TestRevokedPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.create(t, "CRM sync")
	page := "/account/keys/" + string(k.ID)
	if live := w.get(t, page+"/revoked?nodes=3&ms=9"); live.path != page {
		t.Errorf("the result of a live key is at %s", live.path)
	}
	result := w.post(t, page+"/revoke", url.Values{"name": {"CRM sync"}})
	result.shows(t, 200, "is revoked", "<dt>Change</dt><dd>")
	if result.Request.Method != http.MethodGet || !strings.HasPrefix(result.path, page+"/revoked?") {
		t.Errorf("the result is the response to %s %s", result.Request.Method, result.path)
	}
	w.get(t, page+"/revoked").shows(t, 200, "is revoked", "Every call with it is refused.")
	w.get(t, page).shows(t, 200, `<span class="why">Revoked `)
}
