package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/web/page"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a form that is too long, truncated or not text changes nothing and
// is an error of the client, so that it does not fill the log with failures.
func TestFormsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	p, err := New(Config{SignIn: new(signin.Service)})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		body *http.Request
		want int
	}{
		"too long": {httptest.NewRequest("POST", "/signin", strings.NewReader("email="+strings.Repeat("a", maxForm))), http.StatusRequestEntityTooLarge},
		"zero":     {httptest.NewRequest("POST", "/signin", strings.NewReader("email=a%00b")), http.StatusBadRequest},
		"no text":  {httptest.NewRequest("POST", "/signin", strings.NewReader("email=%ff")), http.StatusBadRequest},
		"cut off":  {httptest.NewRequest("POST", "/signin", iotest.ErrReader(http.ErrBodyReadAfterClose)), http.StatusBadRequest},
	} {
		c.body.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		p.Handler().ServeHTTP(answer, c.body)
		if answer.Code != c.want || answer.Header().Get("Content-Security-Policy") != page.Policy || answer.Header().Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("%s: status %d, want %d as a page", name, answer.Code, c.want)
		}
	}
}

// Guarantee: too many attempts at a password get 429 with the time to wait, on
// each form that asks for a password.
func TestTooManyAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wrong := url.Values{"email": {"ada@example.com"}, "password": {"wrong"}, "current": {"wrong"}}
	for _, form := range [][]string{{"/account/security/password", "/confirm"}, {"/signin"}} {
		for range 8 {
			w.post(t, form[0], wrong)
		}
		for _, path := range form {
			last := w.post(t, path, wrong)
			last.shows(t, http.StatusTooManyRequests, "Too many attempts")
			if seconds, err := strconv.Atoi(last.Header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 60 {
				t.Errorf("%s: Retry-After %q", path, last.Header.Get("Retry-After"))
			}
		}
	}
	if first := w.post(t, "/signin", url.Values{"email": {"bob@example.com"}}); first.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a first attempt responds %d", first.StatusCode)
	}
}

// Guarantee: a wrong method gets 405 with the allowed methods, an unknown
// address 404, and no other site may load a page or an asset.
func TestMethods(t *testing.T) {
	t.Parallel()
	p, err := New(Config{SignIn: new(signin.Service)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"PUT", "/account", 405, "GET, HEAD"},
		{"DELETE", "/account/keys/key_1", 405, "GET, HEAD"},
		{"GET", "/account/keys", 405, "POST"},
		{"GET", "/signout", 405, "POST"},
		{"PATCH", "/signin", 405, "GET, HEAD, POST"},
		{"POST", "/account/keys/key_1/rotate/x", 404, ""},
		{"GET", "/account/nothing/here", 404, ""},
		{"PUT", p.assets.URL("app.css"), 405, "GET, HEAD"},
		{"GET", p.assets.URL("app.css"), 200, ""},
	} {
		response := httptest.NewRecorder()
		p.Handler().ServeHTTP(response, httptest.NewRequest(c.method, c.path, nil))
		if response.Code != c.status || response.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: %d, Allow %q", c.method, c.path, response.Code, response.Header().Get("Allow"))
		}
		if got := response.Header().Get("Cross-Origin-Resource-Policy"); got != "same-origin" {
			t.Errorf("%s %s: Cross-Origin-Resource-Policy %q", c.method, c.path, got)
		}
	}
}

// Guarantee: a form reports the errors of all its fields together, and focuses the first
// of them.
func TestErrorsOfAllFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := w.get(t, "/account/keys/new").fields()
	form.Set("name", " ")
	form.Set("scope", "only")
	form.Set("expires", "day")
	form.Set("ips", "203.0.113.0/33")
	page := w.post(t, "/account/keys", form)
	page.shows(t, 422, `id="e-name"`, `id="e-scope"`, `id="e-day"`, `id="e-ips"`)
	if n := strings.Count(page.body, " autofocus"); n != 1 || !strings.Contains(page.body, `autofocus aria-invalid="true" aria-describedby="e-name"`) {
		t.Errorf("%d fields have the focus, want the name", n)
	}
	w.signOut(t)
	w.post(t, "/signup", url.Values{"name": {""}, "account": {"\x7f"}, "email": {"ada"}, "password": {"short"}}).
		shows(t, 422, `id="e-name"`, `id="e-account"`, `id="e-email"`, `id="e-password"`)
}

// Guarantee: the page of an invitation names the account that the person joins, and asks
// for no name of an account. An invitation that cannot be used is an error of its field.
func TestInvitationNamesTheAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	invited, err := w.Members.Invite(t.Context(), toksta.Actor{Kind: toksta.ActorOperator}, members.InviteRequest{Account: w.account, Email: "bob@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	w.signOut(t)
	w.get(t, "/signup?invitation=wrong").shows(t, 422, "This invitation is not valid", `name="account"`)
	link := "/signup?invitation=" + invited.Code.Reveal()
	page := w.get(t, link)
	page.shows(t, 200, "<h1>Join <bdi>Acme</bdi></h1>", `value="bob@example.com" autocomplete="username" required readonly`)
	if strings.Contains(page.body, `name="account"`) {
		t.Error("the page asks for the name of an account")
	}
	form := page.fields()
	form.Set("name", "Bob")
	w.post(t, "/signup", form).shows(t, 422, "<h1>Join <bdi>Acme</bdi></h1>", `id="e-password"`)
	form.Set("password", password)
	w.post(t, "/signup", form).shows(t, 200, "Acme")
	w.signOut(t)
	w.get(t, link).shows(t, 422, "This invitation is not valid")
}
