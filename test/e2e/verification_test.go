package e2e

import (
	"bytes"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/mail/mailtest"
)

// Guarantee: with the default of a server that has a mail server, a person signs up with the link in
// a real mail and replaces a forgotten password. No log line has a code of a link or a password.
func TestVerification(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t, mailtest.Options{})
	n := apptest.Start(t, func(c *config.Config) {
		c.Mail = config.Mail{Server: server.Addr, TLS: "none", From: "Acme <keys@acme.example>"}
		c.PagesURL = "https://keys.acme.example"
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	post := func(path string, fields ...string) string {
		t.Helper()
		form := url.Values{}
		for i := 0; i < len(fields); i += 2 {
			form.Set(fields[i], fields[i+1])
		}
		res, err := browser.PostForm(n.URL+path, form)
		if err != nil {
			t.Fatal(err)
		}
		return pageOf(t, res)
	}
	open := func(link string) string {
		t.Helper()
		res, err := browser.Get(n.URL + link)
		if err != nil {
			t.Fatal(err)
		}
		return pageOf(t, res)
	}
	var secrets []string
	mailed := func(i int) string {
		t.Helper()
		link := waitForLink(t, server, i)
		_, code, _ := strings.Cut(link, "code=")
		secrets = append(secrets, code)
		return link
	}
	const first, second = "a long sentence for the first time", "another sentence, after the mail"
	mustShow(t, post("/signup", "email", "ada@customer.example"), "Check your mail")
	mustShow(t, open(mailed(0)), "Your address is confirmed")
	mustShow(t, post("/signup/verify", "name", "Ada", "account", "Acme", "password", first), "API keys")
	mustShow(t, post("/signout"), "You are signed out")
	mustShow(t, post("/signin/forgot", "email", "ada@customer.example"), "Check your mail")
	mustShow(t, open(mailed(1)), "Choose a new password")
	mustShow(t, post("/signin/reset", "password", second), "Your password is set")
	mustShow(t, post("/signin", "email", "ada@customer.example", "password", first), "is wrong")
	mustShow(t, post("/signin", "email", "ada@customer.example", "password", second), "API keys")
	for _, secret := range append(secrets, first, second) {
		if bytes.Contains(n.Log.Bytes(), []byte(secret)) || bytes.Contains(n.Log.Bytes(), []byte(url.QueryEscape(secret))) {
			t.Errorf("the log has the secret %q", secret)
		}
	}
}

// waitForLink waits for a number of mails, and returns the path of the link in the last one.
func waitForLink(t *testing.T, server *mailtest.Server, before int) string {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); len(server.Mails()) <= before; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d mails arrived", len(server.Mails()))
		}
	}
	plain := strings.NewReplacer("=\n", "", "=3D", "=").Replace(server.Mails()[before].Data) // quoted-printable
	found := regexp.MustCompile(`https://keys\.acme\.example(/\S+\?code=[A-Za-z0-9_-]{43})`).FindStringSubmatch(plain)
	if found == nil {
		t.Fatalf("the mail has no link:\n%s", plain)
	}
	return found[1]
}

// pageOf returns the body of a page.
func pageOf(t *testing.T, res *http.Response) string {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// mustShow requires a text on a page.
func mustShow(t *testing.T, page, text string) {
	t.Helper()
	if !strings.Contains(page, text) {
		_, page, _ = strings.Cut(page, "<main")
		t.Fatalf("the page does not show %q:\n%s", text, page)
	}
}
