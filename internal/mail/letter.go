package mail

import (
	_ "embed"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"
)

// Account describes the account of a notice.
type Account struct {
	Product string // the vendor's product, as customers know it
	Name    string
	URL     string // of the account's page
}

// Credits is the balance of an account at one moment.
type Credits struct {
	Remaining int64
	Included  int64 // of a cycle; 0: the plan includes none
	ResetsAt  time.Time
	Overage   bool // calls beyond the credits are admitted and charged at the plan's rate
}

// Limit describes how often an account exceeded one of its limits.
type Limit struct {
	PerMinute                   int
	PerHour, PerDay, Concurrent int // 0: no limit
	Refused                     int64
	Since                       time.Time
}

// text names the limits, as the subject of a sentence has them.
func (l Limit) text() string {
	text := fmt.Sprintf("%s calls a minute", number(int64(l.PerMinute)))
	for _, further := range []struct {
		limit int
		unit  string
	}{{l.PerHour, "an hour"}, {l.PerDay, "a day (UTC)"}, {l.Concurrent, "at the same time"}} {
		if further.limit > 0 {
			text += fmt.Sprintf(", %s %s", number(int64(further.limit)), further.unit)
		}
	}
	return text
}

// LowBalance returns the message that an account has few credits left.
func LowBalance(a Account, c Credits) Message {
	return letter{
		Subject: fmt.Sprintf("%s: %s credits left for %s", a.Product, number(c.Remaining), a.Name),
		Paragraphs: []string{
			fmt.Sprintf("The account %s has %s credits left.", a.Name, number(c.Remaining)),
			"When they are used up, calls that cost credits are refused, or charged as overage where the plan has it.",
			c.resetParagraph(),
		},
		Link: a.URL,
	}.message()
}

// CreditsExhausted returns the message that an account has no credits for further
// calls. It says whether these calls are rejected or charged as overage.
func CreditsExhausted(a Account, c Credits) Message {
	consequence := fmt.Sprintf("Calls that cost more than the %s that are left are refused with status 402.", number(c.Remaining))
	if c.Overage {
		consequence = "Calls go on, and are charged as overage at the plan's rate."
	}
	return letter{
		Subject: fmt.Sprintf("%s: no credits left for %s", a.Product, a.Name),
		Paragraphs: []string{
			fmt.Sprintf("The account %s has used its credits. %s", a.Name, consequence),
			"Calls that cost nothing go on.",
			c.resetParagraph(),
		},
		Link: a.URL,
	}.message()
}

// LimitHit returns the message that an account exceeds its rate limit often.
func LimitHit(a Account, l Limit) Message {
	return letter{
		Subject: fmt.Sprintf("%s: the rate limit of %s is hit often", a.Product, a.Name),
		Paragraphs: []string{
			fmt.Sprintf("Since %s, %s calls of the account %s were refused with status 429.", stamp(l.Since), number(l.Refused), a.Name),
			fmt.Sprintf("Its limit is %s. A response with status 429 says in Retry-After when to try again; spreading calls evenly avoids it.", l.text()),
		},
		Link: a.URL,
	}.message()
}

// Test returns a message with which an operator tests the mail settings.
func Test(product string) Message {
	return letter{
		Subject:    product + ": a test of the mail settings",
		Paragraphs: []string{"This message was sent by an operator to see whether mail arrives. There is nothing to do."},
	}.message()
}

// resetParagraph returns the paragraph about the next included credits, or "" for a
// plan without included credits.
func (c Credits) resetParagraph() string {
	if c.Included == 0 {
		return ""
	}
	return fmt.Sprintf("The %s credits that the plan includes are there again from %s.", number(c.Included), stamp(c.ResetsAt))
}

// letter is a message before its layout. Empty paragraphs and an empty link are
// omitted.
type letter struct {
	Subject    string
	Paragraphs []string
	Link       string
}

//go:embed letter.html
var letterHTML string

var layout = template.Must(template.New("letter").Parse(letterHTML))

// message returns the letter as text and as HTML with the same content.
func (l letter) message() Message {
	var text, html strings.Builder
	for _, p := range l.Paragraphs {
		if p != "" {
			text.WriteString(p + "\n\n")
		}
	}
	if l.Link != "" {
		text.WriteString(l.Link + "\n")
	}
	_ = layout.Execute(&html, l) // a strings.Builder returns no errors
	return Message{Subject: l.Subject, Text: text.String(), HTML: html.String()}
}

// number formats n with thousands separators: 1,234,567.
func number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// stamp formats a time in UTC, to the minute.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
