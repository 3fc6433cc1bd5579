package httpauth

import "github.com/toksta/toksta/sdk/toksta"

// Rejection is the error that a refused decision is answered with, nil for an
// admitted one. It holds nothing that a dead key may not learn.
func Rejection(d *toksta.Decision) error {
	if d.Admitted() {
		return nil
	}
	e := &toksta.Error{Code: d.Code, Reason: d.Reason, Message: message(d)}
	if d.Reason == toksta.ReasonScopeInsufficient && d.Route != nil {
		e.Details = map[string]any{"required_family": string(d.Route.Family)}
	}
	return e
}

// message says what happened and what the key's owner can do about it.
func message(d *toksta.Decision) string {
	switch d.Code {
	case toksta.CodeUnauthorized:
		return messageInvalid
	case toksta.CodeRateLimited:
		return "Too many requests this minute. Try again after the time in Retry-After."
	case toksta.CodeInsufficientCredits:
		return "The account does not have enough credits for this call."
	case toksta.CodeUnavailable:
		return "The service cannot verify keys at the moment. Try again shortly."
	case toksta.CodeForbidden:
		return forbidden(d.Reason)
	default:
		return "The call was refused."
	}
}

// forbidden says which of plan, billing, access, scope or address it was. A
// family that a vendor added has no sentence of its own.
func forbidden(r toksta.Reason) string {
	switch r {
	case toksta.ReasonPlanFree:
		return "The account's plan does not include the API."
	case toksta.ReasonBillingPastDue:
		return "The account's payment is past due. Keys work again once it is settled."
	case toksta.ReasonSubscriptionInactive:
		return "The account's subscription is not active."
	case toksta.ReasonAPIAccessDisabled:
		return "API access is switched off for the account."
	case toksta.ReasonScopeInsufficient:
		return "The key is not scoped to this endpoint family."
	case toksta.ReasonAddressNotAllowed:
		return "The key may not be used from this address."
	default:
		return "The account's plan does not reach this endpoint."
	}
}
