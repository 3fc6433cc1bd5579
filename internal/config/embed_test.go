package config

import (
	"strings"
	"testing"
)

// Guarantee: origins and addresses with which a browser could not show a frame, or others could
// read its link, are rejected.
func TestEmbed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"pages_url: 'https://keys.example'\nembed: {origins: ['https://app.example', 'https://app.example:8443']}":        "",
		"embed: {origins: ['http://127.0.0.1:3000']}":                                                                     "",
		"pages_url: 'https://keys.example'\nembed: {origins: ['https://app.example/']}":                                   "not an origin",
		"pages_url: 'https://keys.example'\nembed: {origins: ['*']}":                                                      "not an origin",
		"pages_url: 'https://keys.example'\nembed: {origins: ['https://*.example']}":                                      "not an origin",
		"pages_url: 'https://keys.example'\nembed: {origins: [\"https://a.example; script-src *\"]}":                      "not an origin",
		"pages_url: 'https://keys.example'\nembed: {origins: ['http://app.example']}":                                     "plain HTTP",
		"pages_url: 'http://keys.example'\nsessions: {insecure_cookies: true}\nembed: {origins: ['https://app.example']}": "pages_url",
		"embed: {color_scheme: dark}":                            "",
		"embed: {color_scheme: black}":                           "embed.color_scheme",
		"sessions: {vendor_url: 'https://app.example/api-keys'}": "",
		"sessions: {vendor_url: 'javascript:alert(1)'}":          "sessions.vendor_url",
		"sessions: {vendor_url: 'http://app.example/api-keys'}":  "sessions.vendor_url",
	} {
		_, err := loadText(t, text+"\n")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
