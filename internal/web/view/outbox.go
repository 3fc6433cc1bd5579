package view

import "time"

// Outbox is the page at /demo/mail: the last mails of the demo, the newest first.
type Outbox struct {
	Sheet
	// Path is the address of the list of mails, AccountURL that of the account pages.
	Path, AccountURL string
	Now              time.Time
	Mails            []OutboxMail
}

// OutboxMail is a mail in the outbox.
type OutboxMail struct {
	Number      int
	At          time.Time
	To, Subject string
	// HTML is the address of the mail's HTML part, "" if it has none.
	HTML string
	// Lines are the lines of the text.
	Lines []MailLine
}

// MailLine is a line of a mail. If the line is only an address of a page, Link is this address.
type MailLine struct {
	Text, Link string
}

// OutboxEntry is the page at /demo/mail/{number}, with one mail.
type OutboxEntry struct {
	Outbox
	Mail OutboxMail
}
