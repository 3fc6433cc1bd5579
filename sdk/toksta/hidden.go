package toksta

import (
	"errors"
	"fmt"
)

// unprintable is the base of the types whose text no formatter and no encoder
// must write. The text is behind a func value: fmt, encoding/json and log/slog
// cannot reach it, even in an unexported field, and == does not compile.
type unprintable struct{ text func() string }

func conceal(text string) unprintable { return unprintable{func() string { return text }} }

// reveal returns the text, "" for the zero value.
func (u unprintable) reveal() string {
	if u.text == nil {
		return ""
	}
	return u.text()
}

// Format writes "[secret]" for every verb.
func (unprintable) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[secret]")) }

// MarshalText returns an error, so that no encoder writes the text by mistake.
func (unprintable) MarshalText() ([]byte, error) {
	return nil, errors.New("toksta: a secret is never encoded")
}

// Hidden is a text that must not be printed and is not a key: a typed password,
// the code of an invitation, the cookie of a session.
type Hidden struct{ unprintable }

// Hide returns text as a value that cannot be printed.
func Hide(text string) Hidden { return Hidden{conceal(text)} }

// Reveal returns the text, "" for the zero value.
func (h Hidden) Reveal() string { return h.reveal() }
