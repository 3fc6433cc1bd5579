package text

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/toksta/toksta/sdk/toksta"
)

// Name checks a name that people chose, as [toksta.ValidateName] does, and returns it as a page shows it and people type
// it: in Unicode's composed form, NFC, with one space for each run of white space.
func Name(field, name string) (string, error) {
	name, err := toksta.ValidateName(field, norm.NFC.String(name))
	return strings.Join(strings.Fields(name), " "), err
}

// SameName reports whether two names read the same to a person who types one from the page that shows the other. It
// ignores composition, white space and characters that show nothing, so that it also holds for names stored before
// ValidateName asked for less.
func SameName(a, b string) bool { return read(a) == read(b) }

// read reduces a name to what people can see of it.
func read(name string) string {
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
