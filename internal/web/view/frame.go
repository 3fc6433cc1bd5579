// Package view has the data of each account page: plain values that a handler
// fills in and a template formats. Numbers and times are raw.
package view

import "time"

// Links are addresses of the vendor's other pages. A page leaves out an empty
// address.
type Links struct {
	Docs, Status, Support, Terms string
	More                         []Link // further ones in the footer
}

// Link is a text and its address.
type Link struct {
	Text, URL string
	// Outside marks an address of another site. The link gets an icon.
	Outside bool
	// Away opens the address outside of the frame in which the page is.
	Away bool
}

// Section is the item of the navigation that is shown as the current one.
type Section string

// The sections of the navigation.
const (
	SectionAccount  Section = "account"
	SectionKeys     Section = "keys"
	SectionMembers  Section = "members"
	SectionNotices  Section = "notices"
	SectionSecurity Section = "security"
	SectionPlans    Section = "plans"  // without an item
	SectionSwitch   Section = "switch" // without an item
)

// Frame is the part of a signed-in page around its content.
type Frame struct {
	// Brand is the name of the product, "" for Toksta.
	Brand string
	// AccountName and AccountID identify the account.
	AccountName, AccountID string
	// UserName is the name of the signed-in person. The bar shows its initials.
	UserName string
	// Role is the role of the person in the account, and Can lists what it allows there.
	Role string
	Can  Rights
	// ReadOnly is set if the account is closed. Members can only take access away from each other.
	ReadOnly bool
	Section  Section
	Links    Links
	// Embedded is set for a page in a frame of the vendor's page.
	Embedded bool
	// Scheme is light or dark if a page in a frame always is.
	Scheme string
	// Bound is set for a session that the vendor's back end created: it has no pages about the
	// person.
	Bound bool
	// Unsent is set for a page whose form the person sent before signing in again or confirming. It
	// has not been handled.
	Unsent bool
	// Unread is the number of notices that the person has not read.
	Unread int
	// Now is the reference of relative times and the date in the footer.
	Now time.Time
}

// Rights are the permissions of the signed-in person in the account. A page leaves out what they do
// not allow, and the services reject it.
type Rights struct {
	Keys, Account, Members, Owners, Billing bool
}

// The path of the overview, and the path under which the pages of keys are: for a person who
// is signed in, and in a frame of the vendor's page.
const (
	AccountHome  = "/account"
	EmbeddedHome = "/embed"
)

// Home returns the path of the overview to which the page belongs. The pages of keys are
// below it.
func (f Frame) Home() string {
	if f.Embedded {
		return EmbeddedHome
	}
	return AccountHome
}

// Sheet is the part around the card of a page that needs no account, such as
// the sign-in page.
type Sheet struct {
	Brand  string
	Links  Links
	Scheme string // light or dark if a page in a frame always is
}

// Errors maps the name of a form field to the sentence below it. The empty name
// stands for the form as a whole.
type Errors map[string]string

// Focus returns the field that a page focuses: the first of fields with an error, or the
// first of all if none has one. fields are in the order of the form.
func (e Errors) Focus(fields ...string) string {
	for _, f := range fields {
		if e[f] != "" {
			return f
		}
	}
	return fields[0]
}

// Fact is a label with a value. Note is the quieter text after or below the
// value. Mono displays the note in a monospaced font.
type Fact struct {
	Label, Value, Note string
	Mono               bool
}

// Tone is the color of a badge or a banner.
type Tone string

// The tones.
const (
	ToneOK   Tone = "ok"
	ToneWarn Tone = "warn"
	ToneBad  Tone = "bad"
	ToneInfo Tone = "info"
	ToneOff  Tone = "off"
)

// Badge is a colored dot with a word.
type Badge struct {
	Tone Tone
	Text string
}

// Banner describes a problem of the account, its effect and the remedy. In
// Text, `backticks` mark code and **stars** mark bold text.
type Banner struct {
	Tone        Tone
	Title, Text string
	Action      Link
	Quiet       bool // the action is not the first one of the page
}

// KeyText is the visible part of a secret: its prefix and the first and last
// four characters after it.
type KeyText struct {
	Prefix, First, Last string
}
