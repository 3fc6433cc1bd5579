package web

import (
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/mail"
)

// Guarantee: the mails of the demo are shown as text and, in a frame without scripts, as HTML.
// Markup in a subject or a text is text, and a link opens in the whole window.
func TestOutboxPages(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, func(c *Config) { c.Outbox = new(mail.Outbox) })
	w.get(t, "/demo/mail").shows(t, 200, "No mail yet")
	m := mail.Message{To: "ada@example.com", Subject: "<b>Hi</b>", Text: "<script>x</script>\n\nhttps://keys.example/a?b=c&d\n", HTML: "<html><head><title>Hi</title></head><body><script>x</script></body></html>"}
	if err := w.Outbox.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	w.get(t, "/demo/mail").shows(t, 200, `<a href="/demo/mail/1"><bdi>&lt;b&gt;Hi&lt;/b&gt;</bdi></a>`, "ada@example.com")
	page := w.get(t, "/demo/mail/1")
	page.shows(t, 200, "&lt;script&gt;x&lt;/script&gt;", `<a href="https://keys.example/a?b=c&amp;d">`, `src="/demo/mail/1/html" sandbox="allow-top-navigation-by-user-activation"`)
	if got := page.Header.Get("Content-Security-Policy"); !strings.Contains(got, "frame-src 'self'") || !strings.Contains(got, "frame-ancestors 'none'") {
		t.Errorf("policy of the page: %s", got)
	}
	part := w.get(t, "/demo/mail/1/html")
	part.shows(t, 200, `<head><base target="_top">`)
	if got := part.Header.Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") || !strings.Contains(got, "sandbox") || strings.Contains(got, "allow-scripts") {
		t.Errorf("policy of the mail: %s", got)
	}
	for _, path := range []string{"/demo/mail/2", "/demo/mail/x", "/demo/mail/2/html"} {
		w.get(t, path).shows(t, 404, "There is nothing here")
	}
}

// Guarantee: outside of the demo there is no page with mails, and its path belongs to the API.
func TestNoOutboxOutsideOfTheDemo(t *testing.T) {
	t.Parallel()
	newWorld(t).get(t, "/demo/mail").shows(t, 404, "There is nothing here")
	if Owns("/demo/mail") {
		t.Error("the pages own the path")
	}
}
