package toksta

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxExternalID is the largest length of an external id, in bytes.
const MaxExternalID = 128

// externalSymbols are the characters of an external id besides ASCII letters and
// digits. They need no quotes in a shell, except "|" and "~".
const externalSymbols = "-._~:@/+=|"

// HasIDPrefix reports whether id starts with a prefix of the identifiers of this
// package, in upper or lower case. An external id never does, so an id is of
// exactly one of the two kinds. The prefix of operator keys does not count,
// because they have no external ids.
func HasIDPrefix(id string) bool {
	for _, prefix := range []string{
		PrefixAccount, PrefixKey, PrefixMember, PrefixRequest, PrefixNode, PrefixReservation, PrefixCreditEntry, PrefixEvent,
	} {
		if len(id) >= len(prefix) && strings.EqualFold(id[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}

// ValidateExternalID checks the id that an account or a key has in the vendor's
// own systems: 1 to 128 ASCII letters, digits and the symbols -._~:@/+=|, of
// which the first is a letter or a digit. It must not start like an identifier
// of this package, see [HasIDPrefix]. The error is an *Error about field.
func ValidateExternalID(field, id string) error {
	switch {
	case id == "":
		return Invalid(field, "Give an external id of 1 to 128 characters.")
	case len(id) > MaxExternalID:
		return Invalid(field, fmt.Sprintf("The external id has %d characters; %d is the most.", utf8.RuneCountInString(id), MaxExternalID))
	case HasIDPrefix(id):
		prefix, _, _ := strings.Cut(id, "_")
		return Invalid(field, fmt.Sprintf("An external id cannot start with %q, as ids of this server do. Put a word before it, such as crm:%s_….", prefix+"_", prefix))
	case !isAlphanumeric(rune(id[0])):
		return Invalid(field, "An external id starts with a letter from A to Z or a digit.")
	}
	for _, r := range id {
		if !isAlphanumeric(r) && !strings.ContainsRune(externalSymbols, r) {
			return Invalid(field, fmt.Sprintf("An external id cannot have the character %q. It has letters from A to Z, digits and the symbols %s", r, externalSymbols))
		}
	}
	return nil
}

// The limits of metadata.
const (
	MaxMetadataPairs = 50
	MaxMetadataName  = 40       // bytes
	MaxMetadataValue = 500      // characters
	MaxMetadataSize  = 32 << 10 // bytes of all names and values together
)

// ValidateMetadata checks the pairs that a vendor keeps with an account or a key:
// at most 50, with names of 1 to 40 ASCII letters, digits and the symbols -_.:/,
// and values of 1 to 500 characters without control characters, together at most
// 32 KiB. The error is an *Error about field.
func ValidateMetadata(field string, pairs map[string]string) error {
	if len(pairs) > MaxMetadataPairs {
		return Invalid(field, fmt.Sprintf("There are %d pairs; %d is the most.", len(pairs), MaxMetadataPairs))
	}
	size := 0
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		if problem := metadataProblem(name, pairs[name]); problem != "" {
			return Invalid(field, problem)
		}
		size += len(name) + len(pairs[name])
	}
	if size > MaxMetadataSize {
		return Invalid(field, fmt.Sprintf("The pairs have %d bytes; %d is the most.", size, MaxMetadataSize))
	}
	return nil
}

// metadataProblem returns the error in a pair of metadata, or "" if it is valid.
func metadataProblem(name, value string) string {
	n := utf8.RuneCountInString(value)
	switch {
	case name == "" || len(name) > MaxMetadataName:
		return fmt.Sprintf("The name %.60q has %d characters; a name has 1 to %d.", name, utf8.RuneCountInString(name), MaxMetadataName)
	case strings.ContainsFunc(name, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("-_.:/", r) }):
		return fmt.Sprintf("The name %q has another character than letters from A to Z, digits and the symbols -_.:/", name)
	case n == 0:
		return fmt.Sprintf("The value of %q is empty. Give 1 to %d characters, or unset the name.", name, MaxMetadataValue)
	case n > MaxMetadataValue:
		return fmt.Sprintf("The value of %q has %d characters; %d is the most.", name, n, MaxMetadataValue)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return fmt.Sprintf("The value of %q has a control character, or is not UTF-8.", name)
	default:
		return ""
	}
}

// isAlphanumeric reports whether r is an ASCII letter or digit.
func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
