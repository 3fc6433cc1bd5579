package view

import "time"

// SignIn is the sheet at /signin.
type SignIn struct {
	Sheet
	Email string
	// Next is where the person was going; a path of this site.
	Next string
	// SignUp is an address; an empty one is left out.
	SignUp string
	// Notice is a sentence on top, such as after signing out.
	Notice string
	Errors Errors
}

// SignUp is the sheet at /signup.
type SignUp struct {
	Sheet
	// Closed says why no account can be made; the form is then left out.
	Closed               string
	Name, Account, Email string
	// AskInvitation shows the field; InvitationRequired makes it needed.
	AskInvitation, InvitationRequired bool
	Invitation                        string
	// MinPassword is the least number of characters.
	MinPassword int
	Errors      Errors
}

// Confirm asks who is there before something that cannot be undone. It posts
// to /confirm.
type Confirm struct {
	Sheet
	Email string
	// Action is what follows, as in "create a key" or "revoke Enrichment worker".
	Action string
	Next   string
	Cancel string
	Errors Errors
}

// Security is the page at /account/security.
type Security struct {
	Frame
	Email string
	// HasPassword is false for someone who only signs in with a provider.
	HasPassword bool
	MinPassword int
	// Notice is a sentence on top, such as after a change.
	Notice   string
	Sessions []Session
	Errors   Errors
}

// Session is one device that is signed in.
type Session struct {
	Device, From  string
	Started, Seen time.Time
	// Current is the device that asks.
	Current bool
}

// Error is what a person sees instead of a page.
type Error struct {
	Sheet
	Status int
	// Title says what happened, Text what it means for the keys.
	Title, Text string
	RequestID   string
	// RetrySeconds, when not 0, is when the page tries again by itself.
	RetrySeconds int
	Primary      Link
}
