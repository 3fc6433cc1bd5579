package mail_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/toksta/toksta/internal/brand"
	"github.com/toksta/toksta/internal/mail"
)

var (
	account = mail.NoticeLetter{Account: "Ada & Co <b>", Link: "https://keys.acme.example/account", Unsubscribe: "https://keys.acme.example/u"}
	balance = mail.Credits{Remaining: 1234567, Included: 5000, ResetsAt: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}
)

// letters returns the letters of the product Acme API.
func letters(t *testing.T, c mail.LettersConfig) *mail.Letters {
	t.Helper()
	c.Look.Product, c.PagesURL = "Acme API", "https://keys.acme.example"
	out, err := mail.NewLetters(c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// withCredits returns the values of a mail about a balance.
func withCredits(c mail.Credits) mail.NoticeLetter {
	out := account
	out.Credits = &c
	return out
}

// withLimit returns the values of a mail about a limit.
func withLimit(o mail.Limit) mail.NoticeLetter {
	out := account
	out.Limit = &o
	return out
}

// Guarantee: a mail about an event contains the account, the numbers and the link, as text and as
// HTML, and names cannot become markup.
func TestEventLetters(t *testing.T) {
	t.Parallel()
	l := letters(t, mail.LettersConfig{})
	limit := mail.Limit{PerMinute: 60, Refused: 4321, Since: time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)}
	for name, c := range map[string]struct {
		message mail.Message
		says    []string
	}{
		"low balance": {l.Notice("credits_low", withCredits(balance)), []string{"1,234,567", "5,000", "1 December 2026, 00:00 UTC"}},
		"overage":     {l.Notice("credits_exhausted", withCredits(mail.Credits{Overage: true})), []string{"go on", "overage"}},
		"exhausted":   {l.Notice("credits_exhausted", withCredits(mail.Credits{Remaining: 2500})), []string{"more than the 2,500", "402"}},
		"none left":   {l.Notice("credits_exhausted", withCredits(mail.Credits{Remaining: -2500})), []string{"Calls that cost credits are refused with status 402."}},
		"limit":       {l.Notice("rate_limit_hit", withLimit(limit)), []string{"Its limit is 60 calls a minute.", "4,321", "24 November 2026, 09:30 UTC", "429"}},
		"limits":      {l.Notice("rate_limit_hit", withLimit(mail.Limit{PerMinute: 60, PerHour: 1000, PerDay: 5000, Concurrent: 4})), []string{"60 calls a minute, 1,000 an hour, 5,000 a day (UTC), 4 at the same time."}},
	} {
		m := c.message
		for _, want := range append(c.says, account.Account, account.Link) {
			if !strings.Contains(m.Text, want) {
				t.Errorf("%s: the text lacks %q:\n%s", name, want, m.Text)
			}
		}
		for _, want := range append(c.says, "Ada &amp; Co &lt;b&gt;", `href="`+account.Link) {
			if !strings.Contains(m.HTML, want) {
				t.Errorf("%s: the HTML lacks %q:\n%s", name, want, m.HTML)
			}
		}
		if strings.Contains(m.HTML, "<b>") || !strings.Contains(m.Subject, account.Account) || !strings.Contains(m.Subject, "Acme API") {
			t.Errorf("%s: subject %q, HTML %s", name, m.Subject, m.HTML)
		}
	}
}

// Guarantee: a mail with a link has the whole link in the text and in the HTML, and says how
// long it is valid and from where it was asked for. Mails load nothing from other machines.
func TestLinkLetters(t *testing.T) {
	t.Parallel()
	l := letters(t, mail.LettersConfig{SupportURL: "https://acme.example/help"})
	o := mail.LinkLetter{
		To: "ada@customer.example", Name: "Ada", Link: "https://keys.acme.example/signin/reset?a=1&b=2#secret", ValidFor: 15 * time.Minute,
		Address: "198.51.100.7", Browser: "Firefox on macOS",
	}
	all := map[string]mail.Message{
		"verify": l.VerifyAddress(o), "reset": l.ResetPassword(o), "confirm": l.ConfirmAddress(o), "in use": l.AddressInUse(o), "link": l.SignInLink(o),
	}
	for name, m := range all {
		says := []string{"198.51.100.7", "Firefox on macOS", "https://acme.example/help"}
		if name != "in use" {
			says = append(says, "15 minutes")
		}
		for _, want := range says {
			if !strings.Contains(m.Text, want) || !strings.Contains(m.HTML, want) {
				t.Errorf("%s lacks %q:\n%s", name, want, m.Text)
			}
		}
		if !strings.Contains(m.Text, "\n"+o.Link+"\n") || !strings.Contains(m.HTML, `href="https://keys.acme.example/signin/reset?a=1&amp;b=2#secret"`) || m.To != o.To {
			t.Errorf("%s has not the link:\n%s\n%s", name, m.Text, m.HTML)
		}
		if strings.Contains(m.Subject, "secret") || strings.Contains(m.HTML, "src=") || strings.Contains(m.HTML, "url(") {
			t.Errorf("%s: subject %q, HTML %s", name, m.Subject, m.HTML)
		}
	}
	if m := all["verify"]; strings.Contains(m.Text+m.HTML, "Hello") {
		t.Error("anybody can send a name of their choice to an address")
	}
	m := l.Invitation(mail.InvitationLetter{To: o.To, Inviter: "Grace", Account: "Acme", Role: "developer", Link: o.Link, ExpiresAt: balance.ResetsAt})
	for _, want := range []string{"Grace invites you to the account Acme", "developer", "1 December 2026, 00:00 UTC", o.Link} {
		if !strings.Contains(m.Text, want) {
			t.Errorf("the invitation lacks %q:\n%s", want, m.Text)
		}
	}
}

// linked matches text that a mail program turns into a link: an address with a scheme, a host
// name and a mail address.
var linked = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*:(//)?[^\s\d\x{200c}]|\bwww\.[^\s\x{200c}]|[\p{L}\d-]+[.\x{3002}\x{ff0e}\x{ff61}][\p{L}][\p{L}\d-]*|[^\s]@[\p{L}\d]`)

// Guarantee: text that people typed stays text in a mail. It cannot become a link, a line, a
// header, a button or markup, whichever value of a letter it is.
func TestNamesStayNames(t *testing.T) {
	t.Parallel()
	l := letters(t, mail.LettersConfig{})
	for _, name := range []string{
		"http://evil.example", "https:evil.example/a?b=c", "evil.example", "www.evil.example", "xn--evil-abc.example", "pay@evil.example", "mailto:pay@evil.example",
		"evil。example", "evil．example", "evil\u200b.example", "tel:call", "A\r\nBcc: eve", "A\n\n[Pay](http://evil.example)", "A\u2028B", "A\x00B", "\u202eelpmaxe.live",
		"<a href='http://evil.example'>x</a>", "{{.Link}}", "> Fact: evil",
	} {
		m := l.Invitation(mail.InvitationLetter{To: "ada@customer.example", Inviter: name, Account: name, Role: name, Link: "https://keys.acme.example/i", ExpiresAt: balance.ResetsAt})
		own := l.Invitation(mail.InvitationLetter{To: "ada@customer.example", Inviter: "X", Account: "X", Role: "X", Link: "https://keys.acme.example/i", ExpiresAt: balance.ResetsAt})
		if got, want := strings.Count(m.Text, "\n"), strings.Count(own.Text, "\n"); got != want {
			t.Errorf("%q has %d lines, not %d:\n%s", name, got, want, m.Text)
		}
		text := strings.ReplaceAll(m.Text+m.Subject, "https://keys.acme.example/i", "")
		if at := linked.FindString(regexp.MustCompile(`(?m)^(Account|Role|Invited by|Your address|See the invitation):|Acme API:`).ReplaceAllString(text, "")); at != "" {
			t.Errorf("%q becomes the link %q:\n%s", name, at, text)
		}
		if strings.Count(m.HTML, "<a ") != strings.Count(own.HTML, "<a ") || strings.ContainsAny(m.Subject, "\r\n\x00\u2028\u202e") {
			t.Errorf("%q: subject %q, HTML %s", name, m.Subject, m.HTML)
		}
	}
	for name, want := range map[string]string{
		"Acme Inc.": "Acme Inc.", "Version 2.5 at 14:02": "Version 2.5 at 14:02", "Ada: keys": "Ada: keys", "日本 & Söhne": "日本 & Söhne",
		strings.Repeat("x", 200): strings.Repeat("x", 119) + "…",
	} {
		if m := l.Notice("rate_limit_hit", mail.NoticeLetter{Account: name, Limit: &mail.Limit{}}); !strings.Contains(m.Text, "account "+want+" were") {
			t.Errorf("%q is changed:\n%s", name, m.Text)
		}
	}
}

// Guarantee: the vendor's templates replace the shipped ones one by one. A template that cannot
// work is reported with its name when it is read. The look of the vendor is in each mail.
func TestOwnTemplates(t *testing.T) {
	t.Parallel()
	accent, err := brand.ParseColor("#087e3b")
	if err != nil {
		t.Fatal(err)
	}
	l := letters(t, mail.LettersConfig{
		LogoURL: "https://acme.example/logo.png", Look: brand.Look{Accent: &accent},
		Templates: fstest.MapFS{
			"test.letter": {Data: []byte("Subject: Hej {{.Product}}\r\nReason: Because.\r\n\r\nFörsta raden\r\nandra raden.\r\n\r\n{{if .Product}}{{end}}\r\n\r\n[Öppna]({{.PagesURL}}/account)\r\n")},
			"layout.txt":  {Data: []byte("ACME\n{{range .Letter.Blocks}}{{.Paragraph}}\n{{end}}")},
		},
	})
	m := l.Test()
	if m.Subject != "Hej Acme API" || m.Text != "ACME\nFörsta raden andra raden.\n" || !strings.Contains(m.HTML, `href="https://keys.acme.example/account"`) {
		t.Errorf("subject %q, text %q, HTML %s", m.Subject, m.Text, m.HTML)
	}
	if !strings.Contains(m.HTML, `src="https://acme.example/logo.png"`) || !strings.Contains(m.HTML, "background: #087e3b") {
		t.Errorf("neither logo nor accent: %s", m.HTML)
	}
	if m := l.Notice("credits_low", withCredits(balance)); !strings.Contains(m.Text, "ACME") || !strings.Contains(m.Subject, "credits left") {
		t.Errorf("a shipped letter is not used: %+v", m)
	}
	for file, source := range map[string]string{
		"tset.letter":           "Subject: a\nReason: b\n\nc",
		"test.html":             "<p>",
		"test.letter":           "Hello",
		"invitation.letter":     "Subject: a\nReason: b\n\n{{.Acount}}",
		"credits_low.letter":    "Subject: a\nReason: b\n\n{{if .Account}}",
		"sign_in_link.letter":   "Subject: {{if .None}}a{{end}}\nReason: b\n\nc",
		"layout.html":           "{{.Letter.Nothing}}",
		"layout.txt":            "{{range}}",
		"address_in_use.letter": "Subject: a\nReason: b\n\n> no value",
	} {
		if _, err := mail.NewLetters(mail.LettersConfig{Templates: fstest.MapFS{file: {Data: []byte(source)}}}); err == nil ||
			!strings.Contains(err.Error(), strings.TrimSuffix(file, ".html")) && !strings.HasPrefix(file, "layout") {
			t.Errorf("%s was accepted, or is not named: %v", file, err)
		}
	}
}

// Guarantee: every letter has a sample, and the mail of each is complete: a subject, a reason for
// the mail, and no empty part.
func TestSamples(t *testing.T) {
	t.Parallel()
	l := letters(t, mail.LettersConfig{SupportURL: "https://acme.example/help"})
	names := map[string]bool{}
	for _, s := range mail.Samples() {
		names[s.Name()] = true
		m := l.Preview(s)
		if m.Subject == "" || m.To == "" || s.About() == "" || !strings.Contains(m.Text, "\nYou get this mail because ") {
			t.Errorf("%s: %+v", s.Name(), m)
		}
		if strings.Contains(m.Text, "\n\n\n") || strings.Contains(m.Text, "  ") || strings.Contains(m.HTML, `"></p>`) || strings.Contains(m.HTML+m.Text, "ZgotmplZ") || strings.Contains(m.Text, "<no value>") {
			t.Errorf("%s has an empty part:\n%s\n%s", s.Name(), m.Text, m.HTML)
		}
	}
	if have := mail.LetterNames(); !slices.Equal(have, slices.Sorted(maps.Keys(names))) {
		t.Errorf("letters %v, samples %v", have, names)
	}
}
