package view

import "time"

// MailForm is a page that asks for the address to which a link is mailed: for a new password or to
// sign in.
type MailForm struct {
	Sheet
	Title, Text string
	// Action is the address that receives the form. Next is the page to open after the sign-in.
	Action, Next string
	Email        string
	Errors       Errors
}

// Sent is the page after a request of a mail with a link. It is the same for a known and an
// unknown address.
type Sent struct {
	Sheet
	Email string
	// Text states what the mail is for, and Valid how long its link works: "15 minutes".
	Text, Valid string
	// Note is a further sentence, "" for none.
	Note string
	// Action is the address to which the same request is sent again, with the fields Kept
	// besides the address.
	Action string
	Kept   []Field
	// Again is set if this page was shown before, and the person asked for another mail.
	Again bool
}

// Field is a field of a form that is sent again.
type Field struct{ Name, Value string }

// Verify is the page at /account/verify, on which a signed-in person proves the address.
type Verify struct {
	Sheet
	Email string
	// Until is when the sign-up ends; zero: never.
	Until time.Time
	// HasLink is set if the browser opened the link of the mail: the page has the button that
	// uses it. Sent is set after another mail was requested.
	HasLink, Sent bool
	Errors        Errors
}

// Address is the page at /account/profile/address, on which a person confirms a new address.
type Address struct {
	Sheet
	Old, Email string
}

// SignInLink is the page to which a link to sign in leads.
type SignInLink struct {
	Sheet
	Email string
}

// Reset is the page at /signin/reset, on which a person chooses a new password.
type Reset struct {
	Sheet
	Email       string
	MinPassword int
	Errors      Errors
}
