package web

import (
	"strings"
	"testing"
)

// Guarantee: each route that receives a form declares it, with a page that exists, so that no
// form is lost when the session ends before it is sent.
func TestEveryFormIsDeclared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	table := w.table
	pages := map[string]bool{}
	for _, pattern := range table.patterns {
		if path, found := strings.CutPrefix(pattern, "GET "); found {
			pages[path] = true
		}
	}
	for _, pattern := range table.patterns {
		if strings.HasPrefix(pattern, "GET ") {
			continue
		}
		f, declared := table.forms[pattern]
		if !declared || !strings.HasPrefix(pattern, "POST ") {
			t.Errorf("%s: register a page with GET by Handle and a form with POST by Form", pattern)
			continue
		}
		if !pages[f.page] {
			t.Errorf("%s: no page has the path %q that the form declares", pattern, f.page)
		}
	}
}

// isOpen lists the routes that need no session, with the reason.
var isOpen = map[string]string{
	"GET /{$}":                     "redirects to the account",
	"GET /favicon.ico":             "an icon",
	"GET " + changePasswordPath:    "redirects to the page of the password",
	"GET /robots.txt":              "for crawlers",
	"GET /assets/":                 "style, script and fonts",
	"GET /signin":                  "signs in",
	"POST /signin":                 "signs in",
	"GET /signin/forgot":           "for people who cannot sign in",
	"POST /signin/forgot":          "for people who cannot sign in",
	"GET /signin/reset":            "the link in the mail is the proof",
	"POST /signin/reset":           "the link in the mail is the proof",
	"GET /signin/link":             "for people who cannot sign in",
	"POST /signin/link":            "for people who cannot sign in",
	"GET /signin/link/open":        "the link in the mail is the proof",
	"POST /signin/link/open":       "the link in the mail is the proof",
	"GET /signin/second-factor":    "the pending sign-in is the proof",
	"GET /signin/vendor":           "the link of the vendor's back end is the proof",
	"GET /signin/vendor/enter":     "the link of the vendor's back end is the proof",
	"POST /signin/vendor/enter":    "the link of the vendor's back end is the proof",
	"POST /signin/second-factor":   "the pending sign-in is the proof",
	"GET /invitation":              "the code of the invitation is the proof",
	"GET /embed/v1.js":             "a script for the vendor's page",
	"GET /embed/start":             "the link of the vendor's back end is the proof",
	"GET /embed/enter":             "the link of the vendor's back end is the proof",
	"GET /account/plans":           "the vendor publishes the plans",
	"GET /signup":                  "signs up",
	"POST /signup":                 "signs up",
	"GET /signup/verify":           "the link in the mail is the proof",
	"POST /signup/verify":          "the link in the mail is the proof",
	"GET /unsubscribe":             "the link in the mail is the proof",
	"POST /unsubscribe":            "the link in the mail is the proof",
	"POST /signout":                "ends the session of the cookie, if there is one",
	"GET /demo/mail":               "only in the demo, whose mails have invented receivers",
	"GET /demo/mail/{number}":      "only in the demo, whose mails have invented receivers",
	"GET /demo/mail/{number}/html": "only in the demo, whose mails have invented receivers",

	"POST /signin/passkey/options":       "a challenge",
	"POST /signin/passkey":               "signs in",
	"POST /signin/second-factor/options": "the pending sign-in is the proof",
	"POST /signin/second-factor/passkey": "the pending sign-in is the proof",

	"POST /signin/with/{provider}":         "leads to the provider",
	"GET /signin/with/{provider}/callback": "the provider's response, with the cookie of the browser, is the proof",
	"POST /signin/with/{provider}/logout":  "the signature of the provider is the proof",
	"GET /signin/out":                      "redirects to the sign-in page",
}
