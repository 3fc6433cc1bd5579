package toksta

import "strings"

// Reason is the cause of a failure within its code, in snake_case. Responses
// have the reasons of 402, 403 and 429. The reasons of 401 go only to the log
// and to the owner of the key: a caller without a valid key learns nothing
// about it. The reasons of 503 go only to the log and to callers of the
// operator API.
type Reason string

// The reasons of a rejected call. Reason.Code and Reason.Message have the code
// and the message of each.
const (
	ReasonKeyMissing   Reason = "key_missing"   // no Authorization field
	ReasonKeyMalformed Reason = "key_malformed" // not exactly one well-formed bearer credential
	ReasonKeyUnknown   Reason = "key_unknown"
	ReasonKeyRevoked   Reason = "key_revoked"
	ReasonKeyExpired   Reason = "key_expired"

	ReasonPlanFree             Reason = "plan_free"
	ReasonBillingPastDue       Reason = "billing_past_due"
	ReasonSubscriptionInactive Reason = "subscription_inactive"
	ReasonAPIAccessDisabled    Reason = "api_access_disabled"
	ReasonScopeInsufficient    Reason = "scope_insufficient"
	ReasonAddressNotAllowed    Reason = "address_not_allowed"

	ReasonRateLimited         Reason = "rate_limited"        // the window of a minute is used up
	ReasonRateLimitedHourly   Reason = "rate_limited_hourly" // that of an hour
	ReasonRateLimitedDaily    Reason = "rate_limited_daily"  // that of a day
	ReasonConcurrencyLimited  Reason = "concurrency_limited" // as many calls as allowed are in flight
	ReasonInsufficientCredits Reason = "insufficient_credits"

	ReasonLeaseExpired Reason = "lease_expired" // the node holds no valid lease
	ReasonNotCounted   Reason = "not_counted"   // the node cannot record the call
)

const notEntitledSuffix = "_not_entitled"

// NotEntitled returns the reason with which a call is rejected if the account's
// plan does not include the family f of its route, for example
// "workspace_not_entitled".
func NotEntitled(f Family) Reason { return Reason(f) + notEntitledSuffix }

// Code returns the code of a call that is rejected for r. A reason that is not
// one of the constants comes from [NotEntitled] or from a subscription status
// that the vendor configured. Its code is FORBIDDEN.
func (r Reason) Code() Code {
	code, _ := r.rejection()
	return code
}

// Message returns the sentence that the rejected caller reads in error.message.
// The reasons for an unknown, a revoked and an expired key have the same
// sentence, so that the caller cannot distinguish them.
func (r Reason) Message() string {
	_, message := r.rejection()
	return message
}

// rejection is the table of the reasons: the code and the message of each.
func (r Reason) rejection() (Code, string) {
	const (
		invalid     = "The API key is not valid."
		unavailable = "The service cannot verify keys at the moment. Try again shortly."
	)
	switch r {
	case ReasonKeyMissing:
		return CodeUnauthorized, "Provide an API key using the Authorization: Bearer header."
	case ReasonKeyMalformed:
		return CodeUnauthorized, "Send one Authorization header with the word Bearer, a space, and the API key."
	case ReasonKeyUnknown, ReasonKeyRevoked, ReasonKeyExpired:
		return CodeUnauthorized, invalid
	case ReasonPlanFree:
		return CodeForbidden, "The account's plan does not include the API."
	case ReasonBillingPastDue:
		return CodeForbidden, "The account's payment is past due. Keys work again once it is paid."
	case ReasonAPIAccessDisabled:
		return CodeForbidden, "API access is switched off for the account."
	case ReasonScopeInsufficient:
		return CodeForbidden, "The key is not scoped to this endpoint family."
	case ReasonAddressNotAllowed:
		return CodeForbidden, "The key may not be used from this address."
	case ReasonRateLimited:
		return CodeRateLimited, "Too many requests this minute. Try again after the time in Retry-After."
	case ReasonRateLimitedHourly:
		return CodeRateLimited, "Too many requests this hour. Try again after the time in Retry-After."
	case ReasonRateLimitedDaily:
		return CodeRateLimited, "Too many requests today. Try again after the time in Retry-After."
	case ReasonConcurrencyLimited:
		return CodeRateLimited, "Too many requests at the same time. Try again when one of them has ended."
	case ReasonInsufficientCredits:
		return CodeInsufficientCredits, "The account does not have enough credits for this call."
	case ReasonLeaseExpired, ReasonNotCounted, ReasonStoreUnavailable, ReasonOutcomeUnknown:
		return CodeUnavailable, unavailable
	case ReasonIdempotencyKeyReused:
		return CodeConflict, "The job of this call was used for another call. Use a new job for each call."
	}
	if strings.HasSuffix(string(r), notEntitledSuffix) {
		return CodeForbidden, "The account's plan does not reach this endpoint."
	}
	// ReasonSubscriptionInactive, or the vendor's own reason of a status.
	return CodeForbidden, "The account's subscription is not active."
}

// ReasonRoleInsufficient is the reason of a rejected request of the operator API: the
// operator key has no role of the operation.
const ReasonRoleInsufficient Reason = "role_insufficient"

// ReasonProxyNotConfigured is the reason of a rejected question about a call: its peer is
// not one of the proxies that may ask.
const ReasonProxyNotConfigured Reason = "proxy_not_configured"

// The reasons of a failed change or a failed movement of credits.
const (
	ReasonStoreUnavailable     Reason = "store_unavailable"      // the database cannot be reached; nothing was changed
	ReasonOutcomeUnknown       Reason = "outcome_unknown"        // the connection to the database broke during the commit; the change was possibly made
	ReasonRepeated             Reason = "request_repeated"       // an earlier request had the same idempotency token; this request changed nothing
	ReasonIdempotencyKeyReused Reason = "idempotency_key_reused" // an earlier, different request had the same idempotency key; this request changed nothing
	ReasonReservationClosed    Reason = "reservation_closed"     // the reservation is settled, refunded or expired
)

// Rejection has the code and the reason with which a call is rejected. The zero
// value means that the call is admitted.
type Rejection struct {
	Code   Code
	Reason Reason
}

// Reject returns the rejection for r, with its code.
func Reject(r Reason) Rejection { return Rejection{r.Code(), r} }

// Rejected reports whether the call is not admitted.
func (r Rejection) Rejected() bool { return r.Code != "" }

// Err returns the rejection as an error with the reason's message, or nil if the
// call is admitted.
func (r Rejection) Err() *Error {
	if !r.Rejected() {
		return nil
	}
	return &Error{Code: r.Code, Reason: r.Reason, Message: r.Reason.Message()}
}
