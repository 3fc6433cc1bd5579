package toksta

import (
	"errors"
	"fmt"
)

// Hidden is a text that must not be printed and is no key: a password as it
// was typed, the code of an invitation, the cookie of a session. Like Secret
// it hides behind a func value, out of reach of fmt, encoding/json and
// log/slog.
type Hidden struct{ reveal func() string }

// Hide returns text, hidden.
func Hide(text string) Hidden { return Hidden{reveal: func() string { return text }} }

// Reveal returns the text, "" for the zero value.
func (h Hidden) Reveal() string {
	if h.reveal == nil {
		return ""
	}
	return h.reveal()
}

// Format writes "[hidden]" for every verb.
func (Hidden) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[hidden]")) }

// MarshalText refuses, so that no encoder can be handed the text by mistake.
func (Hidden) MarshalText() ([]byte, error) {
	return nil, errors.New("toksta: a hidden text is never encoded")
}
