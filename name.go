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
// script. Control characters are refused, and so are the invisible ones that
// change how text around them is shown (Unicode Bidi_Control, zero-width and
// separators), which would let one key pose as another. It returns the name without
// surrounding white space, or an *Error about field.
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
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u200b' || r == '\ufeff' || r == '\u2028' || r == '\u2029' {
			return "", Invalid(field, fmt.Sprintf("The name holds an invisible control character (%U). Type the name again without it.", r))
		}
	}
	return name, nil
}
