package text

import (
	"net/mail"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"github.com/toksta/toksta/sdk/toksta"
)

// MaxEmail is the maximum length of an address in SMTP (RFC 5321).
const MaxEmail = 254

// Email validates the e-mail address of a person, and returns it without surrounding white space. The
// error is a *toksta.Error about the field email.
func Email(address string) (string, error) {
	address = strings.TrimSpace(address)
	parsed, err := mail.ParseAddress(address)
	mailed, domainErr := MailAddress(address)
	if err != nil || domainErr != nil || parsed.Address != address || len(mailed) > MaxEmail || strings.ContainsFunc(address, isInvisible) {
		return "", toksta.Invalid("email", "Give an e-mail address such as ada@example.com.")
	}
	return address, nil
}

// isInvisible reports whether r is a space or invisible: two addresses that differ only in r look the
// same.
func isInvisible(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }

// Host returns a host or domain name in the form that programs send: in lower case, and in Punycode
// if it has characters other than ASCII. If the name is invalid, Host returns it in lower case,
// with an error.
func Host(name string) (string, error) {
	if !strings.ContainsFunc(name, func(r rune) bool { return r > '\x7f' }) {
		return strings.ToLower(name), nil
	}
	ascii, err := idna.Lookup.ToASCII(name)
	if err != nil {
		return strings.ToLower(name), err
	}
	return ascii, nil
}

// MailAddress returns an e-mail address with the domain in the form of Host, which mail servers and
// browsers use.
func MailAddress(address string) (string, error) {
	local, domain := cutAddress(address)
	domain, err := Host(domain)
	return local + domain, err
}

// FoldAddress returns the same form for all spellings of an address: MailAddress with the local
// part in lower case.
func FoldAddress(address string) string {
	ascii, _ := MailAddress(norm.NFC.String(address))
	return strings.ToLower(ascii)
}

// AddressForms returns the forms under which a member with the address could be stored, the most
// exact first: as written, as FoldAddress returns it, and with a domain in Unicode, which earlier
// versions stored.
func AddressForms(address string) [3]string {
	folded := FoldAddress(address)
	local, domain := cutAddress(folded)
	readable, err := idna.Lookup.ToUnicode(domain)
	if err != nil {
		readable = domain
	}
	return [3]string{strings.ToLower(address), folded, local + readable}
}

// cutAddress splits an address after its last @.
func cutAddress(address string) (local, domain string) {
	at := strings.LastIndexByte(address, '@') + 1
	return address[:at], address[at:]
}
