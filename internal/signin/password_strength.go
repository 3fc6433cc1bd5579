package signin

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/trustelem/zxcvbn"

	"github.com/toksta/toksta/sdk/toksta"
)

// Lengths of a password in characters. A length of twelve is stronger than eight
// with rules about digits. The upper limit bounds the cost of a hash.
const (
	MinPassword = 12
	MaxPassword = 200
)

// minGuesses is the number of guesses that a new password must withstand. The
// throttle allows one guess a minute for an address, half a million a year.
const minGuesses = 1e6

// validPassword returns an error if the new password is too short, too long or
// guessable for the member m.
func validPassword(password toksta.Hidden, m toksta.Member) error {
	text := password.Reveal()
	switch n := utf8.RuneCountInString(text); {
	case !utf8.ValidString(text):
		return toksta.Invalid("password", "The password is not valid text.")
	case n < MinPassword:
		return toksta.Invalid("password", fmt.Sprintf("Use a password of at least %d characters.", MinPassword))
	case n > MaxPassword:
		return toksta.Invalid("password", fmt.Sprintf("Use a password of at most %d characters.", MaxPassword))
	case strings.EqualFold(text, m.Email):
		return toksta.Invalid("password", "Use a password that is not your e-mail address.")
	case isGuessable(text, m):
		return toksta.Invalid("password", "This password is easy to guess. Choose another.")
	}
	return nil
}

// estimateLen is the number of characters whose strength is estimated at once: the
// time for an estimate grows with the square of the number.
const estimateLen = 64

// isGuessable reports whether a password is common, a keyboard sequence, made of
// fewer than four different characters, or made from the member's name or address.
// A long password is at least as strong as each of its parts.
func isGuessable(text string, m toksta.Member) bool {
	known := append(strings.FieldsFunc(m.Email, notLetter), "toksta", "correcthorsebatterystaple")
	known = append(known, strings.Fields(m.Name)...)
	for part := range slices.Chunk([]rune(text), estimateLen) {
		different := distinct(part)
		if len(different) >= 4 && zxcvbn.PasswordStrength(string(part), known).Guesses >= minGuesses {
			return false
		}
	}
	return true
}

func notLetter(r rune) bool { return !unicode.IsLetter(r) }

// distinct returns the set of characters, ignoring case.
func distinct(runes []rune) map[rune]bool {
	set := map[rune]bool{}
	for _, r := range runes {
		set[unicode.ToLower(r)] = true
	}
	return set
}
