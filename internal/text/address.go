package text

import (
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// Host returns the name of a host or domain as programs send it: in lower case, and in Punycode if it holds other
// characters than ASCII. The error is about a name that cannot exist; the name is then returned in lower case.
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

// MailAddress returns an e-mail address with its domain as mail servers know it and as browsers send what a person types:
// see Host.
func MailAddress(address string) (string, error) {
	local, domain := cutAddress(address)
	domain, err := Host(domain)
	return local + domain, err
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
