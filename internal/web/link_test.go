package web

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/brand"
	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/signin"
)

// directMail writes each mail at once and puts it into an outbox.
type directMail struct {
	*mail.Outbox
	t *testing.T
}

func (d directMail) Post(m mail.Message) {
	if err := d.Send(d.t.Context(), m); err != nil {
		d.t.Error(err)
	}
}

func (d directMail) Compose(write func(context.Context) (mail.Message, error)) bool {
	m, err := write(d.t.Context())
	if err != nil {
		d.t.Error(err)
	}
	if m.To != "" {
		d.Post(m)
	}
	return true
}

// withMail returns a change of the configuration that keeps mails in the outbox.
func withMail(t *testing.T, box *mail.Outbox, alter ...func(*signin.Service)) func(*Config) {
	t.Helper()
	letters, err := mail.NewLetters(mail.LettersConfig{Look: brand.Look{Product: "Skies"}, PagesURL: "https://keys.example"})
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) {
		c.SignIn.Mail, c.SignIn.Letters, c.SignIn.PagesURL = directMail{box, t}, letters, "https://keys.example"
		for _, f := range alter {
			f(c.SignIn)
		}
	}
}

// newestLink returns the path, with the code, of the link in the newest mail.
func newestLink(t *testing.T, box *mail.Outbox) string {
	t.Helper()
	mails := box.List()
	if len(mails) == 0 {
		t.Fatal("there is no mail")
	}
	found := regexp.MustCompile(`https://keys\.example(/\S+\?code=\S+)`).FindStringSubmatch(mails[0].Text)
	if found == nil {
		t.Fatalf("the mail to %s has no link:\n%s", mails[0].To, mails[0].Text)
	}
	return found[1]
}

// noRedirect sends a request and returns the first response.
func (w *world) noRedirect(t *testing.T, method, path string, headers map[string]string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	client := *w.browser
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res
}

const newPassword = "an even longer sentence, just made up"

// Guarantee: a forgotten password is replaced by a link in a mail. The code of the link leaves the
// address bar before the page is shown, and is sent to no other site. GET and HEAD, as scanners of
// mails send them, do not use the link.
func TestResetPages(t *testing.T) {
	t.Parallel()
	box := new(mail.Outbox)
	w := newWorldWith(t, withMail(t, box))
	w.signOut(t)
	w.get(t, "/signin").shows(t, 200, `href="/signin/forgot"`)
	w.get(t, "/signin?next=/account/profile").shows(t, 200, `href="/signin/forgot?next=%2faccount%2fprofile"`)
	w.get(t, "/signin/forgot?next=/account/profile").shows(t, 200, `name="next" value="/account/profile"`, `href="/signin?next=%2faccount%2fprofile"`)
	w.get(t, "/signin/forgot").shows(t, 200, "Mail me a link")
	w.post(t, "/signin/forgot", url.Values{"email": {"ada@"}}).shows(t, 422, "Give an e-mail address", `value="ada@"`)
	w.post(t, "/signin/forgot", url.Values{"email": {"ada@example.com"}}).shows(t, 200, "Check your mail", "15 minutes")
	link := newestLink(t, box)
	for _, method := range []string{"HEAD", "GET", "GET"} {
		res := w.noRedirect(t, method, link, nil)
		cookie := res.Header.Get("Set-Cookie")
		if res.StatusCode != 303 || res.Header.Get("Location") != "/signin/reset" || res.Header.Get("Referrer-Policy") != "no-referrer" ||
			!strings.Contains(cookie, "HttpOnly; SameSite=Lax") {
			t.Errorf("%s of the link: %d to %q, %v", method, res.StatusCode, res.Header.Get("Location"), res.Header)
		}
	}
	page := w.get(t, link)
	page.shows(t, 200, "Choose a new password", "ada@example.com")
	if strings.Contains(page.path, "code") || strings.Contains(page.body, strings.SplitN(link, "=", 2)[1]) {
		t.Errorf("the page at %s still has the code", page.path)
	}
	w.post(t, "/signin/reset", url.Values{"password": {"short"}}).shows(t, 422, "at least 12 characters", "ada@example.com")
	done := w.post(t, "/signin/reset", url.Values{"password": {newPassword}, "next": {"https://evil.example"}})
	done.shows(t, 200, "Your password is set. Sign in with it.")
	if done.path != "/signin?done=password" {
		t.Errorf("the reset leads to %s", done.path)
	}
	w.get(t, link).shows(t, 410, "This link does not work", `href="/signin/forgot"`)
	w.post(t, "/signin/reset", url.Values{"password": {newPassword}}).shows(t, 410, "This link does not work")
	w.post(t, "/signin", url.Values{"email": {"ada@example.com"}, "password": {newPassword}}).shows(t, 200, "API keys")
}

// Guarantee: a person who forgot the password returns to the page from which the sign-in was asked for, and
// to no other site. Guesses by others do not delay the person in the browser of the reset.
func TestReturnAfterReset(t *testing.T) {
	t.Parallel()
	box := new(mail.Outbox)
	w := newWorldWith(t, withMail(t, box))
	w.signOut(t)
	w.browser.Jar, _ = cookiejar.New(nil)
	for range 6 {
		w.post(t, "/signin", url.Values{"email": {"ada@example.com"}, "password": {"wrong"}})
	}
	w.post(t, "/signin", url.Values{"email": {"ada@example.com"}, "password": {password}}).shows(t, 429, "Too many attempts", "With a new password by mail")
	for next, want := range map[string]string{
		"/account/profile":      "/signin?done=password&next=%2Faccount%2Fprofile",
		"//evil.example":        "/signin?done=password",
		"https://evil.example/": "/signin?done=password",
	} {
		form := url.Values{"email": {"ada@example.com"}, "next": {next}}
		w.post(t, "/signin/forgot", form).shows(t, 200, "Check your mail", `name="next"`)
		w.get(t, newestLink(t, box))
		if done := w.post(t, "/signin/reset", url.Values{"password": {newPassword}}); done.path != want {
			t.Errorf("with %q, the reset leads to %q", next, done.path)
		}
	}
	w.post(t, "/signin/forgot", url.Values{"email": {"ada@example.com"}})
	w.post(t, "/signin/forgot", url.Values{"email": {"ada@example.com"}}).shows(t, 429, "Too many attempts", "A link that was mailed to you")
	form := url.Values{"email": {"ada@example.com"}, "password": {newPassword}, "next": {"/account/profile"}}
	w.post(t, "/signin", form).shows(t, 200, "<h1>Profile</h1>")
}

// Guarantee: without a mail server, no page offers a link in a mail.
func TestNoLinksWithoutMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if page := w.get(t, "/signin"); strings.Contains(page.body, "/signin/forgot") {
		t.Error("the sign-in page offers a mail")
	}
	w.get(t, "/signin/forgot").shows(t, 404, "There is nothing here")
	w.post(t, "/signin/forgot", url.Values{"email": {"ada@example.com"}}).shows(t, 404, "There is nothing here")
}

// Guarantee: a link in a mail starts with the configured address, also if the request names
// another host.
func TestHostDoesNotReachMails(t *testing.T) {
	t.Parallel()
	box := new(mail.Outbox)
	w := newWorldWith(t, withMail(t, box))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/signin/forgot", strings.NewReader("email=ada%40example.com"))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "evil.example"
	for name, value := range map[string]string{
		"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin",
		"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example", "X-Forwarded-Proto": "http", "Origin": "http://evil.example",
	} {
		r.Header.Set(name, value)
	}
	w.send(t, r).shows(t, 200, "Check your mail")
	newestLink(t, box)
	if m := box.List()[0]; strings.Contains(m.Text+m.HTML+m.Subject, "evil") {
		t.Errorf("the mail names the host of the request:\n%s", m.Text)
	}
}
