package text

import (
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// MailAddress returns an e-mail address with its domain as mail servers know it: in lower case, and in Punycode if it holds
// other characters than ASCII. Browsers send that form of what a person types. The error is about a domain that cannot
// exist; the address is then returned in lower case.
func MailAddress(address string) (string, error) {
	local, domain := cutAddress(address)
	if isASCII(domain) {
		return local + strings.ToLower(domain), nil
	}
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		return strings.ToLower(address), err
	}
	return local + ascii, nil
}

// FoldAddress returns the one form in which all spellings of an address are equal: MailAddress with a local part in lower
// case.
func FoldAddress(address string) string {
	ascii, _ := MailAddress(norm.NFC.String(address))
	return strings.ToLower(ascii)
}

// AddressForms returns the forms under which members with that address may be stored, the most exact first: as written,
// as FoldAddress has it, and with a domain in Unicode, as versions before FoldAddress stored it.
func AddressForms(address string) [3]string {
	folded := FoldAddress(address)
	local, domain := cutAddress(folded)
	unicode, err := idna.Lookup.ToUnicode(domain)
	if err != nil {
		unicode = domain
	}
	return [3]string{strings.ToLower(address), folded, local + unicode}
}

// cutAddress splits an address behind its last @.
func cutAddress(address string) (local, domain string) {
	at := strings.LastIndexByte(address, '@') + 1
	return address[:at], address[at:]
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > '\x7f' })
}
