package toksta

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the largest length of the name of a key, account or member, in
// characters.
const MaxName = 100

// ValidateName checks a name that a person chose: 1 to 100 characters of any
// script, at least one of them visible. It rejects control characters and the
// invisible characters that make one name look like another. It returns the
// name without surrounding white space, or an *Error about field.
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
		if unicode.IsControl(r) || isInvisible(r) {
			return "", Invalid(field, fmt.Sprintf("The name has an invisible control character (%U). Type the name again without it.", r))
		}
	}
	if !strings.ContainsFunc(name, isVisible) {
		return "", Invalid(field, "The name has no visible character. Use at least one letter, digit or symbol.")
	}
	return name, nil
}

// isVisible reports whether r is visible by itself. Joiners, variation
// selectors, marks and the empty Braille pattern are not.
func isVisible(r rune) bool {
	return r != '\u2800' && unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S)
}

// isInvisible reports whether r is invisible, or rearranges the characters
// around it. The joiners that scripts and emoji need, and variation selectors,
// are allowed.
func isInvisible(r rune) bool {
	switch r {
	case '\u200c', '\u200d':
		return false
	case '\u00ad', '\u200b', '\ufeff', '\u2028', '\u2029':
		return true
	}
	return '\u2060' <= r && r <= '\u206f' || 0xe0000 <= r && r <= 0xe007f ||
		unicode.In(r, unicode.Bidi_Control, unicode.Other_Default_Ignorable_Code_Point)
}
