package httpauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"

	"github.com/toksta/toksta"
)

// Status is the one table from code to HTTP status. A code that is not in it
// is a fault of ours: 500.
func Status(c toksta.Code) int {
	switch c {
	case toksta.CodeBadRequest, toksta.CodeValidation:
		return http.StatusBadRequest
	case toksta.CodeUnauthorized:
		return http.StatusUnauthorized
	case toksta.CodeInsufficientCredits:
		return http.StatusPaymentRequired
	case toksta.CodeForbidden:
		return http.StatusForbidden
	case toksta.CodeNotFound:
		return http.StatusNotFound
	case toksta.CodeMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case toksta.CodeConflict:
		return http.StatusConflict
	case toksta.CodePayloadTooLarge:
		return http.StatusRequestEntityTooLarge
	case toksta.CodeTargetTooLong:
		return http.StatusRequestURITooLong
	case toksta.CodeHeadersTooLarge:
		return http.StatusRequestHeaderFieldsTooLarge
	case toksta.CodeRateLimited:
		return http.StatusTooManyRequests
	case toksta.CodeNotImplemented:
		return http.StatusNotImplemented
	case toksta.CodeUpstreamError:
		return http.StatusBadGateway
	case toksta.CodeUpstreamTimeout:
		return http.StatusGatewayTimeout
	case toksta.CodeUnavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// envelope is the one shape of an answer: data or error, never both.
type envelope struct {
	Success bool       `json:"success"`
	Data    any        `json:"data,omitempty"`
	Error   *errorBody `json:"error,omitempty"`
	Meta    meta       `json:"meta"`
}

// errorBody is what a caller may know of an error.
type errorBody struct {
	Code    toksta.Code    `json:"code"`
	Message string         `json:"message"`
	Details map[string]any `json:"details,omitempty"`
}

// meta is what a caller quotes when asking for help.
type meta struct {
	RequestID string `json:"request_id"`
	TraceID   string `json:"trace_id,omitempty"`
}

// WriteData answers with data in the success envelope. Data that cannot be
// encoded becomes a 500, and the returned error says why, for the log.
func WriteData(w http.ResponseWriter, r *http.Request, status int, data any) error {
	return write(w, r, status, envelope{Success: true, Data: data})
}

// WriteError answers with err in the error envelope: an *toksta.Error in its
// chain as it is, anything else as INTERNAL_ERROR without its text. It adds
// what its status calls for: the challenge on 401 and on a scope's 403, Allow
// on 405, Retry-After on 429 and 503, and no-store on all of them. A reason is
// shown on 402, 403 and 429 only.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := errors.AsType[*toksta.Error](err)
	if !ok {
		e = &toksta.Error{Code: toksta.CodeInternal, Message: "Internal error."}
	}
	status := Status(e.Code)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	body := errorBody{Code: e.Code, Message: e.Message, Details: e.Details}
	switch status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", challenge(ExchangeFrom(r.Context()).Realm, e))
		body.Details = nil
	case http.StatusForbidden:
		if e.Reason == toksta.ReasonScopeInsufficient {
			h.Set("WWW-Authenticate", challenge(ExchangeFrom(r.Context()).Realm, e))
		}
		body.Details = withReason(e)
	case http.StatusPaymentRequired:
		body.Details = withReason(e)
	case http.StatusTooManyRequests:
		body.Details = withReason(e)
		h.Set("Retry-After", retryAfter(ExchangeFrom(r.Context())))
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	case http.StatusMethodNotAllowed:
		if allow, ok := e.Details["allow"].(string); ok {
			h.Set("Allow", allow)
		}
	}
	_ = write(w, r, status, envelope{Error: &body}) // err is the caller's to log
}

// write encodes before it writes, so that a failure to encode is still an
// answer of its own. It returns that failure.
func write(w http.ResponseWriter, r *http.Request, status int, e envelope) error {
	x := ExchangeFrom(r.Context())
	e.Meta = meta{RequestID: x.RequestID, TraceID: x.TraceID}
	body, err := json.Marshal(e)
	if err != nil {
		WriteError(w, r, err)
		return fmt.Errorf("encode the response: %w", err)
	}
	h := w.Header()
	x.Stamp(h)
	h.Set(HeaderSource, SourceGateway)
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = w.Write(body)
	return nil
}

// challenge is RFC 6750, section 3: no error code when nothing was sent.
func challenge(realm string, e *toksta.Error) string {
	if realm == "" {
		realm = "api"
	}
	c := "Bearer realm=" + strconv.QuoteToASCII(realm)
	switch {
	case e.Reason == toksta.ReasonScopeInsufficient:
		family, _ := e.Details["required_family"].(string)
		return c + `, error="insufficient_scope", scope=` + strconv.QuoteToASCII(family)
	case e.Reason == toksta.ReasonKeyMissing:
		return c
	default:
		return c + `, error="invalid_token"`
	}
}

// withReason adds the reason to the details without touching the error's own
// map, which may be shared.
func withReason(e *toksta.Error) map[string]any {
	if e.Reason == "" {
		return e.Details
	}
	details := map[string]any{}
	maps.Copy(details, e.Details)
	details["reason"] = e.Reason
	return details
}

// retryAfter is the seconds until the account's window ends, at least one.
func retryAfter(x *Exchange) string {
	return strconv.FormatInt(max(1, x.Rate.Reset-x.Now.Unix()), 10)
}
