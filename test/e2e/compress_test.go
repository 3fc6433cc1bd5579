package e2e

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
)

// encoded requests url as a browser does and returns the response, its body as sent,
// and the decoded body.
func encoded(t *testing.T, c *http.Client, r *http.Request) (resp *http.Response, sent, text string) {
	t.Helper()
	r.Header.Set("Accept-Encoding", "gzip, deflate, br")
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	sent, text = string(body), string(body)
	if resp.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(strings.NewReader(sent))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		text = string(plain)
	}
	return resp, sent, text
}

// Guarantee: people on slow networks receive pages and our own long responses
// compressed, caches keep both forms apart, and the page that shows a secret is never
// compressed.
func TestCompression(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t, func(c *config.Config) { c.Signup.Plan = "API_BUILD" })
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar, Transport: &http.Transport{DisableCompression: true}}
	get := func(path string) *http.Request {
		r, err := http.NewRequest(http.MethodGet, n.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	post := func(path string, form url.Values) *http.Request {
		r, err := http.NewRequest(http.MethodPost, n.URL+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r
	}
	_, _, page := encoded(t, c, post("/signup", url.Values{
		"email": {"a@example.com"}, "name": {"A"}, "account": {"A"}, "password": {"correct horse battery staple"},
	}))
	before, _, _ := strings.Cut(page, `app.css"`)
	style := before[strings.LastIndex(before, `"`)+1:] + "app.css"
	for _, path := range []string{"/account", style, "/v1/", "/docs"} {
		resp, sent, text := encoded(t, c, get(path))
		if resp.Header.Get("Content-Encoding") != "gzip" || len(sent)*2 > len(text) || !strings.Contains(resp.Header.Get("Vary"), "Accept-Encoding") {
			t.Errorf("%s: %d bytes of %d, %v", path, len(sent), len(text), resp.Header)
		}
	}
	resp, _, _ := encoded(t, c, get("/health"))
	if resp.Header.Get("Content-Encoding") != "" {
		t.Errorf("a short response is compressed: %v", resp.Header)
	}
	token := func() string {
		_, _, form := encoded(t, c, get("/account/keys/new"))
		_, rest, _ := strings.Cut(form, `name="token" value="`)
		value, _, _ := strings.Cut(rest, `"`)
		return value
	}
	resp, sent, _ := encoded(t, c, post("/account/keys", url.Values{"token": {token()}, "name": {"k"}, "scope": {"all"}, "expires": {"never"}}))
	if !strings.Contains(sent, "tk_live_") || resp.Header.Get("Content-Encoding") != "" || resp.Header.Get("No-Gzip-Compression") != "" {
		t.Errorf("%d %v: %.200s", resp.StatusCode, resp.Header, sent)
	}
}
