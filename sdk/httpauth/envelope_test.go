package httpauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// respond writes err as the response to a request of second 1000.
func respond(err error, m Meta) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	m.RequestID, m.Now = "req_1", time.Unix(1000, 0)
	WriteError(w, &m, err)
	return w
}

// Guarantee: each code has one status, the same in the gateway and in a
// vendor's program.
func TestStatus(t *testing.T) {
	t.Parallel()
	for code, want := range map[toksta.Code]int{
		"BAD_REQUEST": 400, "VALIDATION_ERROR": 400, "UNAUTHORIZED": 401, "INSUFFICIENT_CREDITS": 402, "FORBIDDEN": 403, "NOT_FOUND": 404,
		"METHOD_NOT_ALLOWED": 405, "CONFLICT": 409, "PAYLOAD_TOO_LARGE": 413, "TARGET_TOO_LONG": 414, "RATE_LIMITED": 429, "HEADERS_TOO_LARGE": 431,
		"INTERNAL_ERROR": 500, "NOT_IMPLEMENTED": 501, "UPSTREAM_ERROR": 502, "UNAVAILABLE": 503, "UPSTREAM_TIMEOUT": 504, "UNHEARD_OF": 500,
	} {
		if w := respond(&toksta.Error{Code: code, Message: "m"}, Meta{}); w.Code != want || !strings.Contains(w.Body.String(), string(code)) {
			t.Errorf("%s: %d %s, want %d", code, w.Code, w.Body, want)
		}
	}
}

// Guarantee: the text of an internal error does not reach the caller, and a
// wrapped error for the caller does.
func TestWriteErrorKinds(t *testing.T) {
	t.Parallel()
	if w := respond(errors.New("dial 10.0.0.1: hush"), Meta{}); w.Code != 500 || strings.Contains(w.Body.String(), "hush") || !strings.Contains(w.Body.String(), `"Internal error."`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := respond(fmt.Errorf("hush: %w", toksta.Invalid("month", "Give month as YYYY-MM.")), Meta{}); w.Code != 400 || strings.Contains(w.Body.String(), "hush") || !strings.Contains(w.Body.String(), `"field":"month"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := respond(&toksta.Error{Code: "FORBIDDEN", Details: map[string]any{"x": func() {}}}, Meta{}); w.Code != 500 {
		t.Errorf("details that cannot be encoded: %d %s", w.Code, w.Body)
	}
	hinted := &toksta.Error{Code: toksta.CodeConflict, Reason: "internal_reason", Message: "m", Hint: "hush"}
	if w := respond(hinted, Meta{}); strings.Contains(w.Body.String(), "hush") || strings.Contains(w.Body.String(), "internal_reason") {
		t.Errorf("%s", w.Body)
	}
	dead := &toksta.Error{Code: toksta.CodeUnauthorized, Reason: toksta.ReasonKeyRevoked, Message: toksta.ReasonKeyRevoked.Message(), Details: map[string]any{"key": "hush"}}
	if w := respond(dead, Meta{}); strings.Contains(w.Body.String(), "hush") || strings.Contains(w.Body.String(), "revoked") {
		t.Errorf("%s", w.Body)
	}
}

// Guarantee: a realm with a quote or a line break cannot end the challenge.
func TestChallengeQuotes(t *testing.T) {
	t.Parallel()
	w := respond(&toksta.Error{Code: toksta.CodeUnauthorized, Reason: toksta.ReasonKeyMissing}, Meta{Realm: "a\"b\r\nc"})
	if got, want := w.Header().Get("WWW-Authenticate"), `Bearer realm="a\"b\r\nc"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Guarantee: a client that waits for Retry-After does not come too early, and
// waits at least one second.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for reset, want := range map[int64]string{1030: "30", 1000: "1", 900: "1"} {
		m := Meta{Rate: toksta.RateState{Limit: 1, Remaining: -1, Reset: reset}}
		w := respond(&toksta.Error{Code: toksta.CodeRateLimited, Reason: toksta.ReasonRateLimited}, m)
		if got := w.Header().Get("Retry-After"); got != want || w.Header().Get("X-RateLimit-Remaining") != "0" {
			t.Errorf("reset %d: %s, want %s, %v", reset, got, want, w.Header())
		}
	}
}

// Guarantee: a success has the envelope and the ids; data that cannot be
// encoded is a complete error response.
func TestWriteData(t *testing.T) {
	t.Parallel()
	m := &Meta{RequestID: "req_1"}
	w := httptest.NewRecorder()
	if err := WriteData(w, m, http.StatusCreated, []int{}); err != nil {
		t.Error(err)
	}
	var got struct {
		Success bool
		Data    json.RawMessage
		Meta    struct {
			RequestID string `json:"request_id"`
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 201 || !got.Success || string(got.Data) != "[]" || got.Meta.RequestID != m.RequestID {
		t.Errorf("%d %s %v", w.Code, w.Body, err)
	}
	w = httptest.NewRecorder()
	if err := WriteData(w, m, http.StatusOK, func() {}); err == nil || !strings.Contains(err.Error(), "encode the response") {
		t.Errorf("the cause of a failed encoding is lost: %v", err)
	}
	if w.Code != 500 || !strings.Contains(w.Body.String(), "INTERNAL_ERROR") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Guarantee: a response that passes several stages has each field once, and
// keeps the exposed fields of the upstream.
func TestApplyTwice(t *testing.T) {
	t.Parallel()
	h := http.Header{headerExpose: {"X-Theirs"}}
	m := Meta{RequestID: "req_1", Rate: toksta.RateState{Limit: 5, Remaining: 2, Reset: 60}, Billable: true, Cost: 3}
	m.Apply(h)
	m.Apply(h)
	want := http.Header{
		headerExpose: {"X-Theirs", defaultNames.exposed}, HeaderRequestID: {"req_1"}, HeaderTraceID: {""},
		HeaderRateLimit: {"5"}, HeaderRateRemaining: {"2"}, HeaderRateReset: {"60"}, HeaderCreditCost: {"3"},
	}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("%v, want %v", h, want)
	}
	// A field that is added later must not overwrite its neighbour's value.
	h.Add(HeaderRequestID, "again")
	if got := h.Get(HeaderTraceID); got != "" {
		t.Errorf("the fields share their values: %q", got)
	}
}

// Guarantee: the response in plain values is the one that is written, for every kind of error:
// both have the same status, fields and body. Only the fields about the connection and the
// length are left to the sender.
func TestErrorReplyEqualsWriteError(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	minute := toksta.RateState{Limit: 9, Remaining: 0, Reset: 1020, Window: toksta.WindowMinute}
	metas := []Meta{
		{RequestID: "req_1", TraceID: "trace", Now: now},
		{RequestID: "req_1", Now: now, Realm: "Acme", Names: NewNames("X-Acme"), Rate: minute, Structured: true, Close: true},
	}
	scope := toksta.Reject(toksta.ReasonScopeInsufficient).Err()
	scope.Details = map[string]any{"required_family": "data"}
	for _, err := range []error{
		errors.New("internal"), scope, &toksta.Error{Code: "FORBIDDEN", Details: map[string]any{"x": func() {}}}, toksta.Invalid("month", "m"),
		&toksta.Error{Code: toksta.CodeMethodNotAllowed, Message: "m", Details: map[string]any{"allow": "GET"}},
		toksta.Reject(toksta.ReasonKeyMissing).Err(), toksta.Reject(toksta.ReasonKeyRevoked).Err(), toksta.Reject(toksta.ReasonPlanFree).Err(),
		toksta.Reject(toksta.ReasonRateLimited).Err(), toksta.Reject(toksta.ReasonInsufficientCredits).Err(), toksta.Reject(toksta.ReasonLeaseExpired).Err(),
	} {
		for _, m := range metas {
			w := httptest.NewRecorder()
			WriteError(w, &m, err)
			got := ErrorReply(&m, err)
			w.Header().Del("Content-Length")
			w.Header().Del("Connection")
			if got.Status != w.Code || string(got.Body) != w.Body.String() || !reflect.DeepEqual(got.Header, w.Header()) {
				t.Errorf("%v\n%d %v %s\nwritten: %d %v %s", err, got.Status, got.Header, got.Body, w.Code, w.Header(), w.Body)
			}
		}
	}
}
