package view

import "time"

// SignIn is the page at /signin.
type SignIn struct {
	Sheet
	Email string
	// Next is the page to return to, a path of this site.
	Next string
	// SignUp is the address of the sign-up page, "" to leave it out.
	SignUp string
	// Forgot is the address of the page for a new password, "" to leave it out.
	Forgot string
	// ByMail is the address of the page that mails a link to sign in, "" to leave it out.
	ByMail string
	// Notice is a sentence above the form, for example after signing out.
	Notice string
	// Warning is a sentence above the form about a sign-in that must be started again.
	Warning   string
	Providers Providers
	// Passkeys is set if people can sign in with passkeys, NoPassword if they cannot with address
	// and password.
	Passkeys, NoPassword bool
	Errors               Errors
}

// SecondFactor is the page at /signin/second-factor. It asks a person who proved a first factor
// for a code.
type SecondFactor struct {
	Sheet
	Next string
	// Passkey, App and Recovery report whether the person has a passkey, an authenticator app
	// and unused recovery codes.
	Passkey, App, Recovery bool
	Errors                 Errors
}

// SignUp is the page at /signup.
type SignUp struct {
	Sheet
	// Closed is a sentence why no account can be created. If it is set, the
	// form is left out.
	Closed               string
	Name, Account, Email string
	// AskInvitation shows the field for the code. InvitationRequired makes it
	// mandatory.
	AskInvitation, InvitationRequired bool
	Invitation                        string
	// Invited is set if the invitation can be used: the form then sends its code in a
	// hidden field. Joins is the name of the account that the person joins, "" for a new
	// one. EmailFixed is set if only Email can use the invitation.
	Invited, EmailFixed bool
	Joins               string
	// Action is the address that receives the form. MailFirst leaves out all fields except the
	// address and the invitation: the others follow after the person has opened a link. Proved is
	// set for the form after the link.
	Action            string
	MailFirst, Proved bool
	// MinPassword is the smallest number of characters of a password.
	MinPassword int
	Consent     Consent
	// Warning is a sentence above the form, if a sign-in by a provider was not complete.
	Warning   string
	Providers Providers
	// NoPassword leaves out the form for address and password.
	NoPassword bool
	Errors     Errors
}

// Consent is a box that a person must check. Without a text there is no box.
type Consent struct {
	Text, URL string
	Accepted  bool
}

// Confirm asks a person to prove presence before a key is created, rotated or
// revoked, by one of the ways that the person has. It posts to /confirm.
type Confirm struct {
	Sheet
	Email string
	// Action describes the next step: "create a key".
	Action string
	Next   string
	Cancel string
	// The ways that the person has. Recovery are unused recovery codes, which confirm only with
	// Factor set: then the person must prove a factor, and the password does not suffice.
	HasPassword, Passkey, App, Recovery, Factor bool
	Errors                                      Errors
}

// ProfileEdit is the page at /account/profile. Its first form changes Name and Email, its
// second one the name of the account.
type ProfileEdit struct {
	Frame
	Name, Email, Account string
	// Closed is set if the account is closed.
	Closed bool
	// HasPassword is false for a person who signs in only with a provider, and so cannot
	// confirm another address.
	HasPassword bool
	// ByMail is set if a new address is confirmed by a link in a mail.
	ByMail bool
	// Notice is a sentence above the forms, for example after a change.
	Notice                string
	Errors, AccountErrors Errors
}

// Security is the page at /account/security.
type Security struct {
	Frame
	Email string
	// HasPassword is false for a person who signs in only with a provider.
	HasPassword bool
	MinPassword int
	// NoPassword leaves out the form for the password.
	NoPassword bool
	// Providers are the sign-in providers; ProviderErrors are about their forms.
	Providers      []LinkedProvider
	ProviderErrors Errors
	// Notice is a sentence above the forms, for example after a change.
	Notice   string
	Sessions []Session
	Factors  Factors
	Errors   Errors
}

// Session is one signed-in device.
type Session struct {
	Handle        string // in the form that ends the session
	Device, From  string
	Method        string // how the person signed in, such as "with a passkey"
	Account       string // the name of the account that it shows, "" for none
	Started, Seen time.Time
	// Current is set for the device that sent the request.
	Current bool
}

// Error is the error page.
type Error struct {
	Sheet
	Status int
	// Title describes the problem, Text its consequence for the keys.
	Title, Text string
	RequestID   string
	// RetrySeconds, if not 0, is the time after which the page loads again by
	// itself.
	RetrySeconds int
	Primary      Link
}
