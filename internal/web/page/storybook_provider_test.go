package page

import (
	"time"

	"github.com/toksta/toksta/internal/web/view"
)

// storyConsent is the box that a person must check to sign up.
func storyConsent() view.Consent {
	return view.Consent{Text: "I accept the terms, and I have no other account.", URL: "https://weather.example/terms"}
}

// storyProviders returns the buttons of three providers.
func storyProviders(p view.Providers) view.Providers {
	p.List = []view.Provider{
		{Label: "Fjordlight SSO", URL: "/signin/with/fjordlight"}, {Label: "GitHub", URL: "/signin/with/github"}, {Label: "Google", URL: "/signin/with/google"},
	}
	return p
}

// providerStories returns the pages that offer sign-in providers.
func providerStories() []story {
	down := view.Errors{"": "Fjordlight SSO cannot be used at the moment. Try again in a minute, or sign in another way."}
	last := view.Errors{"": "This is your last way to sign in. Set a password or link another sign-in before you unlink this one."}
	return []story{
		{"signin-providers", "signin", view.SignIn{
			Sheet: storySheet, SignUp: "/signup", Forgot: "/signin/forgot", Passkeys: true, Notice: "You are signed out.",
			Providers: storyProviders(view.Providers{Next: "/account", Or: true}),
		}},
		{"signin-only-providers", "signin", view.SignIn{
			Sheet: storySheet, SignUp: "/signup", NoPassword: true, Providers: storyProviders(view.Providers{}), Errors: down,
		}},
		{"signup-providers", "signup", view.SignUp{
			Sheet: storySheet, MinPassword: 12, Warning: "You have no sign-in here yet. To create one, accept the terms and continue again.",
			Consent: storyConsent(), Providers: storyProviders(view.Providers{Consent: storyConsent(), Or: true}),
		}},
		{"departure", "departure", view.Departure{Sheet: storySheet, To: "Fjordlight SSO", URL: "https://id.fjordlight.example/authorize"}},
		{"security-providers", "security", view.Security{
			Frame: storyFrame(view.SectionSecurity), Email: "mara@fjordlight.example", MinPassword: 12, NoPassword: true, ProviderErrors: last,
			Sessions: []view.Session{{Handle: "a1", Device: "Firefox on macOS", From: "198.51.100.20", Method: "with Fjordlight SSO", Account: "Fjordlight Studio", Started: day(6, 3), Seen: storyNow, Current: true}},
			Providers: []view.LinkedProvider{
				{Name: "fjordlight", Label: "Fjordlight SSO", Linked: true, Email: "mara@fjordlight.example", Since: storyNow.Add(-200 * time.Hour)},
				{Name: "github", Label: "GitHub"},
			},
		}},
	}
}
