package web

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/toksta/toksta/internal/notices"
	"github.com/toksta/toksta/internal/web/view"
)

// notice returns a notice in words. The sentence has no full stop, because it is a heading.
func (p *Pages) notice(i notices.Item) view.NoticeRow {
	out := view.NoticeRow{Title: noticeTitle(i, p.author(i)), URL: i.Path(), At: i.At, New: !i.Read}
	var client []string
	for _, part := range []string{i.Browser, i.Address} {
		if part != "" {
			client = append(client, part)
		}
	}
	switch {
	case i.Kind == notices.AddressChanged:
		out.Detail = "From " + i.Old + " to " + i.New
	case len(client) > 0:
		out.Detail = "From " + strings.Join(client, ", ")
	}
	return out
}

// author names the author of a change as the subject of a sentence.
func (p *Pages) author(i notices.Item) string {
	switch {
	case i.Vendor:
		return cmp.Or(p.Brand.Product, "The operator")
	case i.ActedSelf:
		return "You"
	default:
		return i.Actor
	}
}

// noticeTitle returns the sentence of a notice.
func noticeTitle(i notices.Item, author string) string {
	switch i.Kind {
	case notices.KeyCreated:
		return author + " created the key " + i.Key
	case notices.KeyRotated:
		return author + " rotated the key " + i.Key
	case notices.KeyRevoked:
		return author + " revoked the key " + i.Key
	case notices.KeysRevoked:
		return fmt.Sprintf("%s revoked %s at once", author, view.Count(int64(i.Keys), "key"))
	case notices.KeyExpiring:
		return "The key " + i.Key + " expires on " + view.DateTime(i.Date)
	case notices.KeysExpiring:
		return view.Count(int64(i.Keys), "key") + " expire soon, the first on " + view.DateTime(i.Date)
	case notices.KeysUnused:
		return fmt.Sprintf("No call used %s for %s", view.Count(int64(i.Keys), "key"), view.Count(int64(i.Days), "day"))
	case notices.KeyUnused:
		return fmt.Sprintf("No call used the key %s for %s", i.Key, view.Count(int64(i.Days), "day"))
	case notices.CallsRefused:
		return "Calls are refused with 403, because " + i.Why()
	case notices.CreditsLow:
		return view.Count(i.Credits.Remaining, "credit") + " left"
	case notices.CreditsExhausted:
		return "No credits are left"
	case notices.RateLimitHit:
		return view.Count(i.Limit.Refused, "call") + " refused by the rate limit"
	default:
		return personTitle(i, author)
	}
}

// personTitle returns the sentence of a notice about a person.
func personTitle(i notices.Item, author string) string {
	switch i.Kind {
	case notices.MemberJoined:
		return i.Member + " joined the account" + withRole(i)
	case notices.MemberLeft:
		if i.Left {
			return i.Member + " left the account"
		}
		return author + " removed " + i.Member + " from the account"
	case notices.MemberRoleSet:
		return author + " changed the role of " + i.Member + withRole(i)
	case notices.MemberDisabled:
		return author + " disabled " + i.Member
	case notices.MemberEnabled:
		return author + " enabled " + i.Member + " again"
	case notices.OwnerChanged:
		return author + " transferred the ownership to " + i.Member
	case notices.AccountClosed:
		return author + " closed the account"
	case notices.AccountReopened:
		return author + " opened the account again"
	default:
		return rightsTitle(i, author)
	}
}

// rightsTitle returns the sentence of a notice about the rights of the recipient.
func rightsTitle(i notices.Item, author string) string {
	switch i.Kind {
	case notices.RoleChanged:
		return author + " changed your role" + withRole(i)
	case notices.AccessRemoved:
		return author + " removed you from the account " + i.Account
	case notices.AccessDisabled:
		return author + " disabled " + cmp.Or(inAccount(i), "your sign-in")
	case notices.AccessEnabled:
		return author + " enabled " + cmp.Or(inAccount(i), "your sign-in") + " again"
	default:
		return ownTitle(i, author)
	}
}

// ownTitle returns the sentence of a notice about the sign-in of the recipient. It does not say
// "you": another person could have done it in a stolen session.
func ownTitle(i notices.Item, author string) string {
	by := ""
	if !i.ActedSelf {
		by = " by " + author
	}
	switch i.Kind {
	case notices.NewBrowser:
		return "Sign-in from a new browser"
	case notices.PasswordChanged:
		return "Your password was changed" + by
	case notices.AddressChanged:
		return "Your e-mail address was changed" + by
	case notices.FactorAdded:
		return "A passkey or second factor was added to your sign-in" + by
	case notices.FactorRemoved:
		return "A passkey or second factor was removed from your sign-in" + by
	case notices.IdentityLinked:
		return "Your sign-in was linked with a provider" + by
	case notices.IdentityUnlinked:
		return "Your sign-in was unlinked from a provider" + by
	default:
		return "A notice of a newer version"
	}
}

// inAccount names the recipient in the account of the notice, "" without an account.
func inAccount(i notices.Item) string {
	if i.Account == "" {
		return ""
	}
	return "you in the account " + i.Account
}

func withRole(i notices.Item) string {
	if i.Role == "" {
		return ""
	}
	return ": " + string(i.Role)
}

// topicWords returns the topic with its words.
func topicWords(t notices.Topic) view.Topic {
	words := map[notices.Topic][2]string{
		notices.TopicKeys:    {"Changes of keys", "A key is created, rotated or revoked."},
		notices.TopicDates:   {"Keys that expire or are not used", "Before a key expires, and when no call used it for a long time."},
		notices.TopicLimits:  {"Rate limit", "The rate limit refuses many calls."},
		notices.TopicBilling: {"Credits and payment", "Credits are low or used up, or calls are refused because of the billing state."},
		notices.TopicMembers: {"Members", "A person joins, leaves, gets another role, or is disabled or enabled."},
	}
	return view.Topic{Name: string(t), Label: words[t][0], Help: words[t][1]}
}
