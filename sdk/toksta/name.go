package toksta

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the longest name of a key, account or member, in characters.
const MaxName = 100

// ValidateName checks a name that people chose: 1–100 characters of any
// script, at least one of them visible. Control characters are refused, and so
// are the invisible ones that let one name pose as another. It returns the name
// without surrounding white space, or an *Error about field.
func ValidateName(field, name string) (string, error) {
	if !utf8.ValidString(name) {
		return "", Invalid(field, "The name is not valid UTF-8 text.")
	}
	name = strings.TrimSpace(name)
	n := utf8.RuneCountInString(name)
	switch {
	case n == 0:
		return "", Invalid(field, "Give a name of 1 to 100 characters.")
	case n > MaxName:
		return "", Invalid(field, fmt.Sprintf("The name has %d characters; 100 is the most.", n))
	}
	for _, r := range name {
		if unicode.IsControl(r) || invisible(r) {
			return "", Invalid(field, fmt.Sprintf("The name holds an invisible control character (%U). Type the name again without it.", r))
		}
	}
	if !strings.ContainsFunc(name, shows) {
		return "", Invalid(field, "The name shows nothing. Use at least one letter, digit or symbol.")
	}
	return name, nil
}

// shows reports whether r is seen by itself. Joiners, variation selectors and
// marks are not, and neither is the empty pattern of Braille.
func shows(r rune) bool {
	return r != '\u2800' && unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S)
}

// invisible reports whether r shows nothing, or rearranges what does. The
// joiners that scripts and emoji need, and variation selectors, are not among
// them.
func invisible(r rune) bool {
	switch r {
	case '\u200c', '\u200d':
		return false
	case '\u00ad', '\u200b', '\ufeff', '\u2028', '\u2029':
		return true
	}
	return '\u2060' <= r && r <= '\u206f' || 0xe0000 <= r && r <= 0xe007f ||
		unicode.In(r, unicode.Bidi_Control, unicode.Other_Default_Ignorable_Code_Point)
}
