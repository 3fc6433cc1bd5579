// Package view holds what each account page shows: plain values that a handler
// fills in and a template reads. Numbers and times are raw; templates format them.
package view

import "time"

// Links are the vendor's pages outside of the account. An empty one is left out.
type Links struct {
	Docs, Status, Support, Terms string
}

// Link is a way on: a word and where it leads.
type Link struct {
	Text, URL string
	// Outside marks an address of another site; it gets an icon.
	Outside bool
}

// Section names the navigation word that is shown as the current one.
type Section string

// The sections of the navigation.
const (
	SectionAccount  Section = "account"
	SectionKeys     Section = "keys"
	SectionSecurity Section = "security"
)

// Frame is what every signed-in page shows around its content.
type Frame struct {
	// Brand is the product's name; empty means Toksta.
	Brand string
	// AccountName and AccountID name the account whose keys are shown.
	AccountName, AccountID string
	// UserName is the person signed in; its initials stand in the bar.
	UserName string
	Section  Section
	Links    Links
	// Now is the time that "minutes ago" and the footer's date refer to.
	Now time.Time
}

// Sheet is what the single-card pages show around their card.
type Sheet struct {
	Brand string
	Links Links
}

// Errors maps a form field's name to the sentence under it; the empty name is
// the form as a whole.
type Errors map[string]string

// Fact is a label with its value; Note is the quieter text behind or below it.
// Mono sets the note in the mono face.
type Fact struct {
	Label, Value, Note string
	Mono               bool
}

// Tone colours a badge or a banner.
type Tone string

// The tones: what is fine, needs attention, is refused, is information, is over.
const (
	ToneOK   Tone = "ok"
	ToneWarn Tone = "warn"
	ToneBad  Tone = "bad"
	ToneInfo Tone = "info"
	ToneOff  Tone = "off"
)

// Badge is a dot and a word.
type Badge struct {
	Tone Tone
	Text string
}

// Banner says what is wrong, its effect and end, and the way out. In Text,
// `backticks` set code and **stars** set weight.
type Banner struct {
	Tone        Tone
	Title, Text string
	Action      Link
}

// KeyText is the part of a secret that may be shown: its prefix and the first
// and last four characters behind it.
type KeyText struct {
	Prefix, First, Last string
}
