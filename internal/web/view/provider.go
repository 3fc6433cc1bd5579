package view

import "time"

// Providers are the buttons of the sign-in providers. All send the same fields.
type Providers struct {
	List             []Provider
	Next, Invitation string
	// Consent is asked for on the sign-up page only.
	Consent Consent
	// Errors is empty: errors of Consent are shown above the form.
	Errors Errors
	// Or announces a further way below the buttons.
	Or bool
}

// Provider is the button of a sign-in provider; the form is sent to URL.
type Provider struct{ Label, URL string }

// Departure is the page that leads to another site.
type Departure struct {
	Sheet
	To, URL string
}

// LinkedProvider is a provider on the page /account/security.
type LinkedProvider struct {
	Name, Label string
	Linked      bool
	Email       string // at the provider, when it was linked
	Since       time.Time
}
