package mail

import "time"

// Sample is a letter with invented values, for a preview.
type Sample struct {
	name   string
	about  string
	values fields
}

// Name returns the name of the letter's file without its extension.
func (s Sample) Name() string { return s.name }

// About describes the occasion and the recipients of the mail, in one phrase.
func (s Sample) About() string { return s.about }

// Preview writes the letter with its sample values.
func (l *Letters) Preview(s Sample) Message {
	p := l.page(s.values)
	m := l.message(s.name, p)
	m.To = "ada@customer.example"
	return m
}

// Samples returns one sample of each letter.
func Samples() []Sample {
	pages := "https://keys.example.com"
	account := Account{Name: "Northwind Trading", URL: pages + "/account"}
	at := time.Date(2026, 6, 28, 14, 2, 0, 0, time.UTC)
	balance := Credits{Remaining: 412, Included: 5000, ResetsAt: at.AddDate(0, 0, 3)}
	withLink := func(path string) LinkLetter {
		return LinkLetter{
			To: "ada@customer.example", Name: "Ada Byron", Link: pages + path + "#code-of-the-link", ValidFor: 15 * time.Minute,
			Address: "198.51.100.7", Browser: "Firefox on macOS",
		}
	}
	return []Sample{
		{"verify_address", "after a sign-up, to prove the address", withLink("/signup/verify").values()},
		{"address_in_use", "after a sign-up with the address of a member", withLink("/signin").values()},
		{"reset_password", "a person forgot the password", withLink("/signin/reset").values()},
		{"confirm_address", "a member changes the address, to the new one", withLink("/account/security/address").values()},
		{"sign_in_link", "a person signs in by link", withLink("/signin/link").values()},
		{"invitation", "a member invites a person to the account", InvitationLetter{
			To: "ada@customer.example", Inviter: "Grace Hopper", Account: account.Name, Role: "developer",
			Link: pages + "/invitation#code-of-the-link", ExpiresAt: at.AddDate(0, 0, 7),
		}.values()},
		{"credits_low", "the account has few credits left", balance.values(account)},
		{"credits_exhausted", "the account has no credits left", Credits{Included: 5000, ResetsAt: at.AddDate(0, 0, 3)}.values(account)},
		{"rate_limit_hit", "the account exceeds its rate limit often", Limit{PerMinute: 60, PerDay: 5000, Refused: 4321, Since: at}.values(account)},
		{"test", "toksta mail test", nil},
	}
}
