package toksta

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// Code is the class of a failure as the wire names it. One table in httpauth
// turns it into a status.
type Code string

// The codes of the API.
const (
	CodeBadRequest          Code = "BAD_REQUEST"
	CodeValidation          Code = "VALIDATION_ERROR"
	CodeUnauthorized        Code = "UNAUTHORIZED"
	CodeInsufficientCredits Code = "INSUFFICIENT_CREDITS"
	CodeForbidden           Code = "FORBIDDEN"
	CodeNotFound            Code = "NOT_FOUND"
	CodeMethodNotAllowed    Code = "METHOD_NOT_ALLOWED"
	CodeConflict            Code = "CONFLICT"
	CodePayloadTooLarge     Code = "PAYLOAD_TOO_LARGE"
	CodeTargetTooLong       Code = "TARGET_TOO_LONG"
	CodeHeadersTooLarge     Code = "HEADERS_TOO_LARGE"
	CodeRateLimited         Code = "RATE_LIMITED"
	CodeInternal            Code = "INTERNAL_ERROR"
	CodeNotImplemented      Code = "NOT_IMPLEMENTED"
	CodeUpstreamError       Code = "UPSTREAM_ERROR"
	CodeUpstreamTimeout     Code = "UPSTREAM_TIMEOUT"
	CodeUnavailable         Code = "UNAVAILABLE"
)

// Reason is the cause within a code, in snake_case. Those of 402, 403 and 429
// are on the wire; those of 401 go to the log and the key's owner only, since
// a dead key learns nothing.
type Reason string

// The reasons of a refusal.
const (
	ReasonKeyMissing   Reason = "key_missing"   // nothing was sent
	ReasonKeyMalformed Reason = "key_malformed" // sent, but not one well-formed bearer credential
	ReasonKeyUnknown   Reason = "key_unknown"
	ReasonKeyRevoked   Reason = "key_revoked"
	ReasonKeyExpired   Reason = "key_expired"

	ReasonPlanFree             Reason = "plan_free"
	ReasonBillingPastDue       Reason = "billing_past_due"
	ReasonSubscriptionInactive Reason = "subscription_inactive"
	ReasonAPIAccessDisabled    Reason = "api_access_disabled"
	ReasonScopeInsufficient    Reason = "scope_insufficient"
	ReasonAddressNotAllowed    Reason = "address_not_allowed"

	ReasonRateLimited         Reason = "rate_limited"
	ReasonInsufficientCredits Reason = "insufficient_credits"

	ReasonLeaseExpired Reason = "lease_expired" // this node cannot vouch for keys now
	ReasonNotCounted   Reason = "not_counted"   // this node cannot record the call

	ReasonStoreUnavailable Reason = "store_unavailable" // the database cannot be reached, nothing was changed
	ReasonOutcomeUnknown   Reason = "outcome_unknown"   // a change was perhaps made: the database was lost at its commit

	ReasonRepeated             Reason = "request_repeated"       // of a change: its token was used before, nothing was done now
	ReasonIdempotencyKeyReused Reason = "idempotency_key_reused" // for another request, nothing was done now
	ReasonReservationClosed    Reason = "reservation_closed"     // settled, refunded or expired
)

// NotEntitled is the reason of a route whose family the plan does not reach:
// "workspace_not_entitled".
func NotEntitled(f Family) Reason { return Reason(f) + "_not_entitled" }

// Error is a failure that a caller may see. Any other error is internal: its
// text goes to the log, the caller gets "Internal error" and the request id.
type Error struct {
	Code    Code
	Reason  Reason // "" where the code says all
	Message string // a sentence for people; never a secret
	// Details go into error.details beside the reason; values are JSON
	// encodable.
	Details map[string]any
	// Hint says what to run or change next, for operators; not on the wire
	// of the public API.
	Hint string
}

// Error returns code and message.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Is matches errors of the same code, and of the same reason when the target
// has one.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && (t.Reason == "" || t.Reason == e.Reason)
}

// ErrorCode returns the code of the first *Error in err's chain, "" for nil,
// and CodeInternal for anything else.
func ErrorCode(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

// Invalid returns a VALIDATION_ERROR about one named field.
func Invalid(field, message string) *Error {
	return &Error{Code: CodeValidation, Message: message, Details: map[string]any{"field": field}}
}

// InvalidFields joins the VALIDATION_ERRORs among errs into one about all their
// fields; see [Error.Fields]. Nil ones are ignored, and nil means that all are.
// Any other error among them is returned alone.
func InvalidFields(errs ...error) error {
	var first *Error
	fields, all := map[string]any{}, []string{}
	for _, err := range errs {
		if err == nil {
			continue
		}
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeValidation || len(e.Fields()) == 0 {
			return err
		}
		first = cmp.Or(first, e)
		for field, message := range e.Fields() {
			if fields[field] == nil {
				fields[field] = message
				all = append(all, field+": "+message)
			}
		}
	}
	switch len(fields) {
	case 0:
		return nil
	case 1:
		return first
	}
	slices.Sort(all)
	return &Error{
		Code: CodeValidation, Message: strings.Join(all, " "),
		Details: map[string]any{"field": first.Details["field"], "fields": fields},
	}
}

// Fields returns the message about each field that the error rejects: one of
// [Invalid], any number of [InvalidFields].
func (e *Error) Fields() map[string]string {
	out := map[string]string{}
	if all, ok := e.Details["fields"].(map[string]any); ok {
		for field, message := range all {
			out[field], _ = message.(string)
		}
	} else if field, ok := e.Details["field"].(string); ok {
		out[field] = e.Message
	}
	return out
}

// NotFound returns the answer for an id that does not exist or belongs to
// somebody else: the two cannot be told apart.
func NotFound(what string) *Error {
	return &Error{Code: CodeNotFound, Message: "No such " + what + "."}
}
