package httpauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/toksta/toksta/sdk/toksta"
)

// Status returns the HTTP status of a code. It is the only table of statuses.
// An unknown code is 500.
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

// envelope is the body of every JSON response: data or error, never both.
// encodeError writes the one of an error.
type envelope struct {
	Success bool `json:"success"`
	Data    any  `json:"data,omitempty"`
	Meta    meta `json:"meta"`
}

// meta holds the ids that a caller quotes when asking for help.
type meta struct {
	RequestID string `json:"request_id"`
	TraceID   string `json:"trace_id,omitempty"`
}

// WriteData responds with data in the success envelope. If data cannot be
// encoded, it responds with a 500 instead and returns the cause, for the log.
func WriteData(w http.ResponseWriter, m *Meta, status int, data any) error {
	f := newFields(w.Header())
	body, err := m.encode(data)
	if err != nil {
		WriteError(w, m, err)
		return err
	}
	f.send(w, m, status, body)
	return nil
}

// WriteError responds with err in the error envelope. An *toksta.Error in its
// chain is shown to the caller; any other error becomes INTERNAL_ERROR without
// its text. It sets the fields that the status requires: the challenge on 401
// and on 403 for a missing scope (RFC 6750, section 3), Allow on 405,
// Retry-After on 429 and 503, and Cache-Control: no-store on all of them. Only
// 402, 403 and 429 show a reason.
func WriteError(w http.ResponseWriter, m *Meta, err error) {
	f := newFields(w.Header())
	status, body := f.reject(m, err)
	f.send(w, m, status, body)
}

// Reply is a response in plain values, for a program that sends it to the client by
// itself. Each field has one value. Fields about the connection or the length of the body
// are left out: the sender determines them.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// ErrorReply returns the response that [WriteError] writes for err.
func ErrorReply(m *Meta, err error) Reply {
	own := m.withoutConnection()
	f := newFields(make(http.Header, 16))
	status, body := f.reject(&own, err)
	f.describe(&own)
	return Reply{status, f.header, body}
}

// AdmittedReply returns the fields that m adds to the response of a back end. Its status
// and its body are empty.
func AdmittedReply(m *Meta) Reply {
	own := m.withoutConnection()
	header := make(http.Header, 8)
	own.Apply(header)
	return Reply{Header: header}
}

// reject sets the fields that the status of err requires, and returns the status and the
// body of the response.
func (f *fields) reject(m *Meta, err error) (status int, encoded []byte) {
	var e *toksta.Error
	if !errors.As(err, &e) {
		e = &toksta.Error{Code: toksta.CodeInternal, Message: "Internal error."}
	}
	status = Status(e.Code)
	f.set("Cache-Control", "no-store")
	body := errorBody{Code: e.Code, Message: e.Message}
	if len(e.Details) > 0 {
		body.Details = e.Details
	}
	switch status {
	case http.StatusUnauthorized:
		f.set("Www-Authenticate", challenge(m.Realm, e))
		body.Details = nil
	case http.StatusForbidden:
		if e.Reason == toksta.ReasonScopeInsufficient {
			f.set("Www-Authenticate", challenge(m.Realm, e))
		}
		body.Details = withReason(e)
	case http.StatusPaymentRequired:
		body.Details = withReason(e)
	case http.StatusTooManyRequests:
		body.Details = withReason(e)
		f.set("Retry-After", m.retryAfter())
	case http.StatusServiceUnavailable:
		f.set("Retry-After", "1")
	case http.StatusMethodNotAllowed:
		if allow, ok := e.Details["allow"].(string); ok {
			f.set("Allow", allow)
		}
	}
	encoded, encodeErr := m.encodeError(&body) // the caller logs err
	if encodeErr != nil {
		return f.reject(m, encodeErr)
	}
	return status, encoded
}

// encode returns a success with the ids of m as JSON.
func (m *Meta) encode(data any) ([]byte, error) {
	body, err := json.Marshal(envelope{Success: true, Data: data, Meta: meta{RequestID: m.RequestID, TraceID: m.TraceID}})
	if err != nil {
		return nil, fmt.Errorf("encode the response: %w", err)
	}
	return body, nil
}

// describe sets the fields of every response that this package makes.
func (f *fields) describe(m *Meta) {
	m.apply(f)
	f.set(m.FieldNames().Source, SourceGateway)
	f.set("Content-Type", "application/json")
	f.set("X-Content-Type-Options", "nosniff")
	f.set("Cross-Origin-Resource-Policy", "same-origin")
}

// send writes a response with an encoded envelope.
func (f *fields) send(w http.ResponseWriter, m *Meta, status int, body []byte) {
	f.describe(m)
	f.set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// challenge returns the value of WWW-Authenticate (RFC 6750, section 3). If the
// request had no credential, the value has no error code.
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
