package text

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/toksta/toksta/sdk/toksta"
)

// Name checks a name with [toksta.ValidateName], and returns it in the form that pages show: in
// the Unicode form NFC, with one space for each run of white space.
func Name(field, name string) (string, error) {
	name, err := toksta.ValidateName(field, norm.NFC.String(name))
	return strings.Join(strings.Fields(name), " "), err
}

// SameName reports whether two names look the same to a person who types one and reads the other.
// It ignores composition, white space and invisible characters, so it also works for names that
// were stored before ValidateName became stricter.
func SameName(a, b string) bool { return visible(a) == visible(b) }

// visible returns the visible part of a name.
func visible(name string) string {
	shown := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), r == '\u2800': // the empty pattern of Braille
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
			return -1
		}
		return r
	}, name)
	return strings.Join(strings.Fields(norm.NFC.String(shown)), " ")
}

// FoldName returns a name, or the start of one, in the form by which names are searched: as
// Name returns it, with A to Z in lower case. Other letters keep their case, because the
// databases fold them differently.
func FoldName(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, strings.Join(strings.Fields(norm.NFC.String(name)), " "))
}
