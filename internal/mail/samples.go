package mail

import "time"

// Sample is a letter with invented values, for a preview.
type Sample struct {
	name  string
	about string
	page  func(*Letters) page
}

// Name returns the name of the letter's file without its extension.
func (s Sample) Name() string { return s.name }

// About describes the occasion and the recipients of the mail, in one phrase.
func (s Sample) About() string { return s.about }

// Preview writes the letter with its sample values.
func (l *Letters) Preview(s Sample) Message {
	m := l.message(s.name, s.page(l))
	m.To = sampleTo
	return m
}

// The invented values of the samples.
const (
	samplePages   = "https://keys.example.com"
	sampleTo      = "ada@customer.example"
	sampleAccount = "Northwind Trading"
)

// sampleTime returns the time of all samples. It is a function, because a variable could be
// changed.
func sampleTime() time.Time { return time.Date(2026, 6, 28, 14, 2, 0, 0, time.UTC) }

// Samples returns one sample of each letter.
func Samples() []Sample { return append(signInSamples(), noticeSamples()...) }

func signInSamples() []Sample {
	withLink := func(path string) func(*Letters) page {
		o := LinkLetter{
			To: sampleTo, Name: "Ada Byron", Link: samplePages + path + "?code=code-of-the-link", ValidFor: 15 * time.Minute,
			Address: "198.51.100.7", Browser: "Firefox on macOS",
		}
		return func(l *Letters) page { return l.page(o.values()) }
	}
	invited := InvitationLetter{
		To: sampleTo, Inviter: "Grace Hopper", Account: sampleAccount, Role: "developer",
		Link: samplePages + "/invitation?code=code-of-the-link", ExpiresAt: sampleTime().AddDate(0, 0, 7),
	}
	return []Sample{
		{"verify_address", "after a sign-up, to prove the address", withLink("/signup/verify")},
		{"address_in_use", "after a sign-up with the address of a member", withLink("/signin")},
		{"reset_password", "a person forgot the password", withLink("/signin/reset")},
		{"confirm_address", "a member changes the address, to the new one", withLink("/account/security/address")},
		{"sign_in_link", "a person signs in by link", withLink("/signin/link")},
		{"invitation", "a member invites a person to the account", func(l *Letters) page { return l.page(invited.values()) }},
		{"test", "toksta mail test", func(l *Letters) page { return l.page(nil) }},
	}
}

// noticeSamples returns the samples of notices: those about an account, which can be switched off
// by topic, and those about the recipient.
func noticeSamples() []Sample {
	at := sampleTime()
	key := NoticeLetter{Actor: "Grace Hopper", Key: "Production"}
	member := NoticeLetter{Actor: "Grace Hopper", Member: "Alan Turing", Role: "developer"}
	own := NoticeLetter{Address: "198.51.100.7", Browser: "Firefox on macOS"}
	moved := own
	moved.Old, moved.New = "ada@old.example", sampleTo
	var out []Sample
	add := func(kind, about string, o NoticeLetter, stops bool) {
		o.To, o.Account, o.At, o.Link = sampleTo, sampleAccount, at, samplePages+"/account"
		if stops {
			o.Unsubscribe = samplePages + "/unsubscribe?token=sample"
		}
		out = append(out, Sample{kind, about, func(l *Letters) page { return l.noticePage(o) }})
	}
	add("key_created", "a key was created", key, true)
	add("key_rotated", "a key was rotated", key, true)
	add("key_revoked", "a key was revoked", key, true)
	add("keys_revoked", "many keys were revoked at once", NoticeLetter{Vendor: true, Keys: 12}, true)
	add("key_expiring", "a key expires in some days", NoticeLetter{Key: "Production", Date: at.AddDate(0, 0, 7), Days: 7}, true)
	add("keys_expiring", "many keys expire in some days", NoticeLetter{Keys: 12, Date: at.AddDate(0, 0, 7), Days: 7}, true)
	add("key_unused", "a key was not used for some time", NoticeLetter{Key: "Old importer", Days: 90}, true)
	add("keys_unused", "many keys were not used for some time", NoticeLetter{Keys: 12, Days: 90}, true)
	add("calls_refused", "the first call that billing refuses", NoticeLetter{Why: "the last payment failed"}, true)
	add("credits_low", "the account has few credits left", NoticeLetter{Credits: &Credits{Remaining: 412, Included: 5000, ResetsAt: at.AddDate(0, 0, 3)}}, true)
	add("credits_exhausted", "the account has no credits left", NoticeLetter{Credits: &Credits{Included: 5000, ResetsAt: at.AddDate(0, 0, 3)}}, true)
	add("rate_limit_hit", "the account exceeds its rate limit often", NoticeLetter{Limit: &Limit{PerMinute: 60, PerDay: 5000, Refused: 4321, Since: at}}, true)
	add("member_joined", "a person joined the account", member, true)
	add("member_left", "a member left or was removed", NoticeLetter{Actor: "Grace Hopper", Member: "Alan Turing", Keys: 3}, true)
	add("member_role_set", "another member has a new role", member, true)
	add("member_disabled", "another member was disabled", member, true)
	add("member_enabled", "another member was enabled again", member, true)
	add("ownership_transferred", "an owner transferred the ownership", member, false)
	add("account_closed", "the account was closed, to all its members", NoticeLetter{Actor: "Grace Hopper"}, false)
	add("account_reopened", "a closed account was opened again, to all its members", NoticeLetter{Vendor: true}, false)
	add("role_changed", "the recipient has a new role", NoticeLetter{Actor: "Grace Hopper", Role: "viewer"}, false)
	add("access_removed", "the recipient was removed from the account", NoticeLetter{Actor: "Grace Hopper"}, false)
	add("access_disabled", "the recipient was disabled in the account, or everywhere", NoticeLetter{Actor: "Grace Hopper"}, false)
	add("access_enabled", "the recipient was enabled again", NoticeLetter{Actor: "Grace Hopper"}, false)
	add("new_browser", "a sign-in from a new browser", own, false)
	add("password_changed", "the password was changed", own, false)
	add("address_changed", "the address was changed, to the old and the new one", moved, false)
	add("factor_added", "a passkey or second factor was added", own, false)
	add("factor_removed", "a passkey or second factor was removed", own, false)
	add("identity_linked", "an identity of a provider was linked", own, false)
	add("identity_unlinked", "an identity of a provider was unlinked", own, false)
	return out
}
