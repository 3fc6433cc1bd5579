package text_test

import (
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/text"
)

// Guarantee: a person recognizes their devices in the list of sessions.
func TestBrowser(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0":                                             "Firefox on macOS",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140":          "Edge on Windows",
		"Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36":                         "Chrome on Android",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile Safari/604.1": "Safari on iOS",
		"curl/8.5.0":                  "curl",
		"my-robot/2 (x)":              "my-robot",
		"":                            "Unknown",
		"x" + strings.Repeat("é", 60): "x" + strings.Repeat("é", 39),
	} {
		if got := text.Browser(agent); got != want {
			t.Errorf("Browser(%q) = %q, want %q", agent, got, want)
		}
	}
}

// Guarantee: a program cannot put own words into a mail by its User-Agent field, also not words that are
// made of known names.
func TestKnownBrowsers(t *testing.T) {
	t.Parallel()
	for browser, want := range map[string]bool{
		"Firefox on macOS": true, "curl": true, "Safari on iOS": true,
		"my-robot": false, "": false, "Unknown": false, "Edge Opera": false, "Firefox on ": false, "Firefox on Linux on macOS": false,
		"Firefox on toasters": false, "on macOS": false,
	} {
		if got := text.IsKnownBrowser(browser); got != want {
			t.Errorf("IsKnownBrowser(%q) = %v", browser, got)
		}
	}
}
