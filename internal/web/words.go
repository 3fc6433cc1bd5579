package web

import (
	"fmt"

	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// banner says why no key of the account is admitted, and what ends it; nil
// when keys work.
func (p *Pages) banner(s *toksta.Standing) *view.Banner {
	billing := view.Link{Text: "Settle billing", URL: p.Brand.BillingURL, Outside: true}
	plans := view.Link{Text: "Choose a plan", URL: p.Brand.BillingURL, Outside: true}
	b := &view.Banner{Tone: view.ToneBad, Action: billing}
	answer := fmt.Sprintf("Every key answers `403 FORBIDDEN` with `%s`. ", s.Blocked)
	switch s.Blocked {
	case "":
		if s.Account.Status != toksta.StatusCanceling {
			return nil
		}
		b.Tone, b.Action = view.ToneWarn, plans
		b.Title, b.Text = "The subscription ends with this billing cycle.", "Keys work until then."
	case toksta.ReasonPlanFree:
		b.Tone, b.Action = view.ToneInfo, plans
		b.Title = fmt.Sprintf("The %s plan has no API access, so keys cannot be created.", s.Plan.Name)
		b.Text = "Choose a plan with API access. **Create key** opens as soon as the plan is active."
	case toksta.ReasonBillingPastDue:
		b.Title = "Billing is past due" + since(s) + "."
		b.Text = answer + "No key is revoked: they work again as soon as the invoice is paid."
	case toksta.ReasonAPIAccessDisabled:
		b.Title, b.Action = "API access is switched off for this account.", view.Link{Text: "Contact support", URL: p.Brand.SupportURL, Outside: true}
		b.Text = answer + "No key is revoked: they work again as soon as access is switched on."
	default:
		b.Title = "The subscription is not active" + since(s) + "."
		b.Text = answer + "No key is revoked: they work again as soon as the subscription is active."
	}
	if b.Action.URL == "" {
		b.Action = view.Link{}
	}
	return b
}

// since is empty for an account whose state was never reported.
func since(s *toksta.Standing) string {
	if s.Account.StatusSince.IsZero() {
		return ""
	}
	return " since " + view.DateTime(s.Account.StatusSince)
}

// blocked is the sentence beside a disabled Create key; "" when it is enabled.
func (p *Pages) blocked(s *toksta.Standing, live int) string {
	switch s.Blocked {
	case "":
		if live >= p.Catalog.MaxKeys {
			return fmt.Sprintf("The account has %d of %d live keys. Revoke one to create another.", live, p.Catalog.MaxKeys)
		}
		return ""
	case toksta.ReasonPlanFree:
		return fmt.Sprintf("Not available on the %s plan.", s.Plan.Name)
	case toksta.ReasonBillingPastDue:
		return "New keys can be created when billing is settled."
	case toksta.ReasonAPIAccessDisabled:
		return "New keys can be created when API access is switched on."
	default:
		return "New keys can be created when the subscription is active."
	}
}

// statusBadge is the subscription's state in a word.
func statusBadge(s *toksta.Standing) view.Badge {
	switch {
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

// refusal explains one reason for which calls of a key were refused: reason,
// then fix.
func refusal(reason toksta.Reason, s *toksta.Standing) view.Refusal {
	r := view.Refusal{Status: statusOf(reason), Reason: string(reason)}
	switch reason {
	case toksta.ReasonRateLimited:
		r.What = fmt.Sprintf("The %s calls a minute that all keys share were used up.", view.Num(int64(s.PerMinute)))
		r.Fix = "Wait for `Retry-After`, or move to a plan with a higher limit."
	case toksta.ReasonInsufficientCredits:
		r.What, r.Fix = "The credits left were below the cost of the call.", "Buy credits, or wait for the next billing cycle."
	case toksta.ReasonScopeInsufficient:
		r.What, r.Fix = "The key is not scoped to the endpoint's family.", "Use a key with that scope, or create one."
	case toksta.ReasonAddressNotAllowed:
		r.What, r.Fix = "The key was sent from an address that is not on its list.", "Send it from an allowed address, or create a key for the new one."
	case toksta.ReasonPlanFree:
		r.What, r.Fix = "The plan has no API access.", "Choose a plan with API access."
	case toksta.ReasonBillingPastDue:
		r.What, r.Fix = "Billing was past due.", "Settle the open invoice: the key then works again."
	case toksta.ReasonSubscriptionInactive:
		r.What, r.Fix = "The subscription was not active.", "Renew the subscription: the key then works again."
	case toksta.ReasonAPIAccessDisabled:
		r.What, r.Fix = "API access was switched off for the account.", "Ask support to switch it on."
	case toksta.ReasonKeyRevoked:
		r.Reason, r.Words = "", "revoked secret sent"
		r.What, r.Fix = "A secret that was rotated out or revoked is still in use somewhere.", "Put the new secret into the service that sends it."
	case toksta.ReasonKeyExpired:
		r.Reason, r.Words = "", "expired key sent"
		r.What, r.Fix = "The key was used after it had expired.", "Create a new key."
	default:
		r.What, r.Fix = "The plan does not reach the endpoint's family.", "Use a plan that has it, or stop the call."
	}
	return r
}

// statusOf returns the HTTP status that a reason is answered with.
func statusOf(reason toksta.Reason) int {
	code := toksta.CodeForbidden
	switch reason {
	case toksta.ReasonKeyRevoked, toksta.ReasonKeyExpired, toksta.ReasonKeyUnknown:
		code = toksta.CodeUnauthorized
	case toksta.ReasonRateLimited:
		code = toksta.CodeRateLimited
	case toksta.ReasonInsufficientCredits:
		code = toksta.CodeInsufficientCredits
	}
	return httpauth.Status(code)
}
