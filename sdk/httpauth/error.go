package httpauth

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/toksta/toksta/sdk/toksta"
)

// errorBody holds the part of an error that a caller may read.
type errorBody struct {
	Code    toksta.Code
	Message string
	Details any // nil: none
}

// reasonOnly has the details of an error that has only a reason, as most
// rejections do.
type reasonOnly struct {
	Reason toksta.Reason `json:"reason"`
}

// withReason returns the details with the reason added. It copies the map of
// the error, because several requests can share the map.
func withReason(e *toksta.Error) any {
	switch {
	case e.Reason != "" && len(e.Details) == 0:
		return reasonOnly{e.Reason}
	case e.Reason == "" && len(e.Details) == 0:
		return nil
	case e.Reason == "":
		return e.Details
	}
	details := map[string]any{}
	maps.Copy(details, e.Details)
	details["reason"] = e.Reason
	return details
}

// encodeError returns the envelope of an error as JSON, in the bytes that
// encoding/json would write. A flood of rejected calls makes more errors than
// anything else, and encoding/json takes a fifth of the time of one.
func (m *Meta) encodeError(e *errorBody) ([]byte, error) {
	b := make([]byte, 0, 384)
	b = append(b, `{"success":false,"error":{"code":`...)
	b = appendString(b, string(e.Code))
	b = append(b, `,"message":`...)
	b = appendString(b, e.Message)
	if e.Details != nil {
		b = append(b, `,"details":`...)
		var err error
		if b, err = appendDetails(b, e.Details); err != nil {
			return nil, err
		}
	}
	b = append(b, `},"meta":{"request_id":`...)
	b = appendString(b, m.RequestID)
	if m.TraceID != "" {
		b = append(b, `,"trace_id":`...)
		b = appendString(b, m.TraceID)
	}
	return append(b, "}}"...), nil
}

// appendDetails appends the details of an error as JSON.
func appendDetails(b []byte, details any) ([]byte, error) {
	if only, ok := details.(reasonOnly); ok {
		b = append(b, `{"reason":`...)
		b = appendString(b, string(only.Reason))
		return append(b, '}'), nil
	}
	encoded, err := json.Marshal(details)
	if err != nil {
		return nil, fmt.Errorf("encode the response: %w", err)
	}
	return append(b, encoded...), nil
}

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			encoded, _ := json.Marshal(s) // a string can always be encoded
			return append(b, encoded...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
