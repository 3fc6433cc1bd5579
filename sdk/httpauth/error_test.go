package httpauth

import (
	"encoding/json"
	"testing"

	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: an error has the bytes that encoding/json writes, whatever its texts are.
func TestEncodeError(t *testing.T) {
	t.Parallel()
	type fields struct {
		Code    toksta.Code `json:"code"`
		Message string      `json:"message"`
		Details any         `json:"details,omitempty"`
	}
	texts := []string{"", "plain text.", `a "quoted" \ one`, "<b>&</b>", "tab\tnul\x00", "Björk", "\u2028", "\xff", "~\x7f"}
	for _, text := range texts {
		for _, details := range []any{
			nil, reasonOnly{toksta.Reason(text)}, map[string]any{"allow": text, "n": 1}, map[string]any{},
		} {
			for _, trace := range []string{"", text} {
				m := &Meta{RequestID: text, TraceID: trace}
				got, err := m.encodeError(&errorBody{toksta.Code(text), text, details})
				want, wantErr := json.Marshal(struct {
					Success bool   `json:"success"`
					Error   fields `json:"error"`
					Meta    meta   `json:"meta"`
				}{false, fields{toksta.Code(text), text, details}, meta{text, trace}})
				if string(got) != string(want) || err != nil || wantErr != nil {
					t.Errorf("%q, %v: %s, %v; want %s", text, details, got, err, want)
				}
			}
		}
	}
}
