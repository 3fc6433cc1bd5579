package toksta

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Code is the class of a failure. It is error.code in a response.
// [github.com/toksta/toksta/sdk/httpauth.Status] has the HTTP status of each.
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

// Error is a failure that a caller may see. Any other error is internal: its
// text goes to the log, and the caller gets INTERNAL_ERROR with the request id.
type Error struct {
	Code    Code
	Reason  Reason         // "" if the code alone identifies the failure
	Message string         // a sentence for people; never a secret
	Details map[string]any // error.details of the response, without the reason; each value can be encoded as JSON
	Hint    string         // the next step for an operator; not in responses of the public API
}

// Error returns the code and the message.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Is reports whether target is an *Error with the same code and, if target has
// a reason, with the same reason.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && (t.Reason == "" || t.Reason == e.Reason)
}

// ErrorCode returns the code of the first *Error in the chain of err. It
// returns "" if err is nil, and CodeInternal if the chain has no *Error.
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

// InvalidFields joins VALIDATION_ERRORs, each about one field or several, into
// one error about all fields; see [Error.Fields]. It ignores nil errors and
// returns nil if all are nil. If errs has any other error, it returns the first
// such error alone.
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

// Fields returns the message about each invalid field, by the field's name: one
// field for an error of [Invalid], several for one of [InvalidFields].
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

// NotFound returns the error for an id that does not exist or belongs to another
// account: a caller cannot distinguish the two. The noun names the kind of thing,
// for example "key".
func NotFound(noun string) *Error {
	return &Error{Code: CodeNotFound, Message: "No such " + noun + "."}
}

// NotFoundID is NotFound with the id that the caller gave, which the message
// repeats.
func NotFoundID(noun, id string) *Error {
	e := NotFound(noun)
	if id != "" {
		e.Message = fmt.Sprintf("No such %s: %.130q.", noun, id)
	}
	return e
}
