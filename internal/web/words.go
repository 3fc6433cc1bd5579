package web

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// words has the texts of the pages about one reason for a rejection.
type words struct {
	// Cause describes a past rejection, Fix the remedy. In both texts, backticks
	// mark code.
	Cause, Fix string
	// Label replaces the reason's wire name, if set.
	Label string
	// Blocked is set for a reason that blocks all keys of an account.
	Blocked *blockedWords
}

// blockedWords are the texts about an account whose keys are blocked.
type blockedWords struct {
	Row    string // below the badge of a key
	Title  string // of the banner
	Effect string // of the banner, below the title
	Create string // beside a disabled Create key
	Tone   view.Tone
	Next   func(*Pages) step // of the banner
}

// wordsOf returns the texts of the pages about a reason. Responses of the API
// have the text of [toksta.Reason.Message] instead.
func wordsOf(reason toksta.Reason, s *toksta.Standing) words {
	switch reason {
	case toksta.ReasonKeyRevoked:
		return words{Label: "revoked secret sent", Cause: "A secret that was rotated out or revoked is still in use somewhere.", Fix: "Put the new secret into the service that sends it."}
	case toksta.ReasonKeyExpired:
		return words{Label: "expired key sent", Cause: "The key was used after it had expired.", Fix: "Create a new key."}
	case toksta.ReasonPlanFree:
		return words{Cause: "The plan has no API access.", Fix: "Choose a plan with API access.", Blocked: &blockedWords{
			Row:    "No API in " + s.Plan.Name,
			Title:  fmt.Sprintf("The %s plan has no API access, so keys cannot be created.", s.Plan.Name),
			Effect: "Choose a plan with API access. **Create key** opens as soon as the plan is active.",
			Create: fmt.Sprintf("Not available on the %s plan.", s.Plan.Name),
			Tone:   view.ToneInfo, Next: (*Pages).choosePlan,
		}}
	case toksta.ReasonBillingPastDue:
		return words{Cause: "Billing was past due.", Fix: "Pay the open invoice: the key then works again.", Blocked: &blockedWords{
			Row:    "Billing is past due",
			Title:  "Billing is past due" + since(s) + ".",
			Effect: "No key is revoked: they work again as soon as the invoice is paid.",
			Create: "New keys can be created as soon as the invoice is paid.",
			Tone:   view.ToneBad, Next: (*Pages).settleBilling,
		}}
	case toksta.ReasonAPIAccessDisabled:
		return words{Cause: "API access was switched off for the account.", Fix: "Ask support to switch it on.", Blocked: &blockedWords{
			Row:    "API access is off",
			Title:  "API access is switched off for this account.",
			Effect: "No key is revoked: they work again as soon as access is switched on.",
			Create: "New keys can be created as soon as API access is switched on.",
			Tone:   view.ToneBad, Next: (*Pages).contactSupport,
		}}
	case toksta.ReasonScopeInsufficient:
		return words{Cause: "The key is not scoped to the endpoint's family.", Fix: "Use a key with that scope, or create one."}
	case toksta.ReasonAddressNotAllowed:
		return words{Cause: "The key was sent from an address that is not on its list.", Fix: "Send it from an allowed address, or create a key for the new one."}
	case toksta.ReasonRateLimited:
		return limitWords(s.PerMinute, "calls a minute that all keys share were used up")
	case toksta.ReasonRateLimitedHourly:
		return limitWords(s.PerHour, "calls an hour that all keys share were used up")
	case toksta.ReasonRateLimitedDaily:
		return limitWords(s.PerDay, "calls a day (UTC) that all keys share were used up")
	case toksta.ReasonConcurrencyLimited:
		w := limitWords(s.Concurrent, "calls at the same time that all keys share were in progress")
		w.Fix = "Wait for a response before the next call, or move to a plan with a higher limit."
		return w
	case toksta.ReasonInsufficientCredits:
		return words{Cause: "The credits left were below the cost of the call.", Fix: "Buy credits, or wait for the next billing cycle."}
	}
	if strings.HasSuffix(string(reason), string(toksta.NotEntitled(""))) {
		return words{Cause: "The plan does not reach the endpoint's family.", Fix: "Use a plan that has it, or stop the call."}
	}
	// ReasonSubscriptionInactive, or the vendor's own reason of a status.
	return words{Cause: "The subscription was not active.", Fix: "Renew the subscription: the key then works again.", Blocked: &blockedWords{
		Row:    "Subscription is not active",
		Title:  "The subscription is not active" + since(s) + ".",
		Effect: "No key is revoked: they work again as soon as the subscription is active.",
		Create: "New keys can be created as soon as the subscription is active.",
		Tone:   view.ToneBad, Next: (*Pages).settleBilling,
	}}
}

// limitWords returns the texts about calls beyond a limit. If the account no longer has
// the limit, they do not mention its number.
func limitWords(limit int, cause string) words {
	number := "The "
	if limit > 0 {
		number += view.Num(int64(limit)) + " "
	}
	return words{Cause: number + cause + ".", Fix: "Wait for `Retry-After`, or move to a plan with a higher limit."}
}

// blockedWordsOf returns the texts about a blocked account. A closed account has its own, whatever
// its plan. For a reason without such texts, it returns the texts about an inactive subscription.
func blockedWordsOf(s *toksta.Standing) blockedWords {
	if closed := s.Account.ClosedAt; !closed.IsZero() {
		return blockedWords{
			Row:    "Account is closed",
			Title:  "This account was closed on " + view.DateTime(closed) + ".",
			Effect: "All its keys are revoked: calls with them get `401 UNAUTHORIZED`. Members can still read the account.",
			Create: "A closed account has no keys.",
			Tone:   view.ToneWarn, Next: (*Pages).contactSupport,
		}
	}
	return *cmp.Or(wordsOf(s.Blocked, s).Blocked, wordsOf(toksta.ReasonSubscriptionInactive, s).Blocked)
}

// banner returns the banner of an account whose keys are blocked, whose credits are
// used up or whose subscription is about to end, otherwise nil.
func (p *Pages) banner(s *toksta.Standing, lack *usage.Shortage) *view.Banner {
	var b view.Banner
	switch {
	case s.Blocked != "":
		w := blockedWordsOf(s)
		b = view.Banner{Tone: w.Tone, Title: w.Title, Text: w.Effect}
		if w.Tone == view.ToneBad {
			b.Text = fmt.Sprintf("Every call gets `403 FORBIDDEN` with `%s`. %s", s.Blocked, w.Effect)
		}
		p.offer(&b, w.Next(p))
	case lack != nil:
		b = shortageBanner(lack)
		p.offer(&b, p.buyCredits())
	case s.Account.Status == toksta.StatusCanceling:
		b = view.Banner{Tone: view.ToneWarn, Title: "The subscription ends with this billing cycle.", Text: "Keys work until then."}
		p.offer(&b, p.choosePlan())
	default:
		return nil
	}
	return &b
}

// since returns " since" and the time at which the account's status began, "" if
// it is not known.
func since(s *toksta.Standing) string {
	if s.Account.StatusSince.IsZero() {
		return ""
	}
	return " since " + view.DateTime(s.Account.StatusSince)
}

// blocked returns the sentence beside a disabled Create key, "" if a key can be
// created. live is the account's number of live keys.
func (p *Pages) blocked(s *toksta.Standing, live int) string {
	switch {
	case s.Blocked != "":
		return blockedWordsOf(s).Create
	case live >= p.Catalog.MaxKeys:
		return fmt.Sprintf("The account has %d of %d live keys. Revoke one to create another.", live, p.Catalog.MaxKeys)
	default:
		return ""
	}
}

// statusBadge returns the badge of the subscription.
func statusBadge(s *toksta.Standing) view.Badge {
	switch {
	case !s.Account.ClosedAt.IsZero():
		return view.Badge{Tone: view.ToneOff, Text: "Closed"}
	case s.Blocked == toksta.ReasonPlanFree:
		return view.Badge{Tone: view.ToneOff, Text: "No API access"}
	case s.Account.Status == toksta.StatusCanceling:
		return view.Badge{Tone: view.ToneWarn, Text: "Canceling"}
	case s.Blocked == "" || s.Blocked == toksta.ReasonAPIAccessDisabled:
		return view.Badge{Tone: view.ToneOK, Text: sentence(string(s.Account.Status))}
	default:
		return view.Badge{Tone: view.ToneBad, Text: sentence(string(s.Account.Status))}
	}
}

// rejection explains one reason for which calls of a key were rejected.
func rejection(reason toksta.Reason, s *toksta.Standing) view.Rejection {
	w := wordsOf(reason, s)
	r := view.Rejection{Status: httpauth.Status(reason.Code()), Reason: string(reason), Cause: w.Cause, Fix: w.Fix}
	if w.Label != "" {
		r.Reason, r.Words = "", w.Label
	}
	return r
}
