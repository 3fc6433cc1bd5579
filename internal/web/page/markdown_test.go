package page

import (
	"strings"
	"testing"
)

// Guarantee: the Markdown of a document becomes paragraphs, lists, code and links, and nothing in
// it runs a script, loads a file or leads to another scheme than http, https and mailto.
func TestMarkdown(t *testing.T) {
	t.Parallel()
	m := newMarkdown()
	for _, c := range []struct{ text, want string }{
		{"Up to **ten** days, see `days`.\n\nNext", "<p>Up to <strong>ten</strong> days, see <code>days</code>.</p>\n<p>Next</p>\n"},
		{"- a\n- b\n\n1. c", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n<ol>\n<li>c</li>\n</ol>\n"},
		{"# Title\n\n```json\n{\"a\": \"<b>\"}\n```", "<p><strong>Title</strong></p>\n<pre><code class=\"language-json\">{&quot;a&quot;: &quot;&lt;b&gt;&quot;}\n</code></pre>\n"},
		{"[guide](https://example.com/a?b=1&c=2)", `<p><a href="https://example.com/a?b=1&amp;c=2" rel="noreferrer">guide</a></p>` + "\n"},
		{"[us](mailto:help@example.com) <help@example.com>", `<p><a href="mailto:help@example.com" rel="noreferrer">us</a> <a href="mailto:help@example.com" rel="noreferrer">help@example.com</a></p>` + "\n"},
		{"[a](javascript:alert(1)) [b](JavaScript:alert(1)) [c](data:text/html,x) [d](/docs) [e](//evil.example) [f](https:x)", "<p>a b c d e f</p>\n"},
		{"<javascript:alert(1)> <https://example.com>", `<p>javascript:alert(1) <a href="https://example.com" rel="noreferrer">https://example.com</a></p>` + "\n"},
		{"![chart](https://example.com/pixel.png)", "<p>chart</p>\n"},
		{"a <img src=x onerror=alert(1)> b", "<p>a &lt;img src=x onerror=alert(1)&gt; b</p>\n"},
		{"<script>\nalert(1)\n</script>", "<p>&lt;script&gt;\nalert(1)\n&lt;/script&gt;</p>\n"},
		{"<!-- a\n--> x", "<p>&lt;!-- a\n--&gt; x</p>\n"},
		{"[x]: https://example.com\n\n[x] & &amp; \x00", "<p><a href=\"https://example.com\" rel=\"noreferrer\">x</a> &amp; &amp; \ufffd</p>\n"},
	} {
		if got := string(m.prose(c.text)); got != c.want {
			t.Errorf("%q\n got %q\nwant %q", c.text, got, c.want)
		}
	}
	first := m.prose("again")
	if second := m.prose("again"); first != second || !strings.Contains(string(first), "again") {
		t.Errorf("%q, then %q", first, second)
	}
}

func FuzzMarkdown(f *testing.F) {
	m := newMarkdown()
	f.Add("[a](javascript:x) <b onclick=x> ![c](d)")
	f.Fuzz(func(t *testing.T, text string) {
		out := strings.ToLower(string(m.prose(text)))
		for _, bad := range []string{"<script", "<img", "<iframe", " onclick=\"", `href="javascript:`} {
			if strings.Contains(out, bad) {
				t.Errorf("%q has %s: %q", text, bad, out)
			}
		}
	})
}
