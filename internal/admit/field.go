package admit

import (
	"cmp"

	"github.com/toksta/toksta/sdk/httpauth"
)

// FieldName is the name of a header field in the form in which some back ends compare it: in lower
// case, with "-" for every character that is not a letter or a digit. CGI, WSGI and PHP make the same
// variable of X-A, X_A and X.A. It holds the first 32 bytes; names with a meaning for this system
// are shorter.
type FieldName struct {
	text [32]byte
	size int
}

// Fold returns the folded form of name, without an allocation.
func Fold(name string) (f FieldName) {
	f.size = copy(f.text[:], name)
	for i, c := range f.text[:f.size] {
		switch {
		case 'A' <= c && c <= 'Z':
			f.text[i] = c | 0x20
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		default:
			f.text[i] = '-'
		}
	}
	return f
}

// Bytes returns the text of the name. It is valid as long as f.
func (f *FieldName) Bytes() []byte { return f.text[:f.size] }

// HasPrefix reports whether the name starts with a folded prefix.
func (f *FieldName) HasPrefix(prefix string) bool {
	return f.size >= len(prefix) && string(f.text[:len(prefix)]) == prefix
}

// Override is a part of the decided request that a field states again. Clients and proxies send
// such fields, and a back end could believe any of them.
type Override int

// The overrides.
const (
	NoOverride     Override = iota
	TargetOverride          // the whole target
	MethodOverride          // the method
	PathOverride            // a part of the path that some servers (Gunicorn, Daphne) cut off before they route
)

// Override returns the part of the request that a field with this name states again.
func (f *FieldName) Override() Override {
	switch string(f.Bytes()) {
	case "x-original-uri", "x-forwarded-uri", "x-original-url", "x-rewrite-url":
		return TargetOverride
	case "x-original-method", "x-forwarded-method", "x-http-method-override", "x-http-method", "x-method-override":
		return MethodOverride
	case "script-name", "x-script-name", "path-info", "daphne-root-path":
		return PathOverride
	}
	return NoOverride
}

// MaxPrefix is the length of the longest OwnPrefix without its hyphen, in bytes, so that a
// FieldName holds it.
const MaxPrefix = 31

// OwnPrefix is the prefix of the vendor's own fields, folded and with a hyphen at its end:
// "x-acme-". A back end trusts the fields with this prefix, so no client may send one.
type OwnPrefix string

// defaultOwnPrefix belongs to the default prefix. A client must not send its fields either if
// another prefix is configured: a back end may still read the default names.
const defaultOwnPrefix OwnPrefix = "x-toksta-"

// NewOwnPrefix folds a configured prefix of at most MaxPrefix bytes, such as "X-Acme"; "":
// httpauth.DefaultPrefix.
func NewOwnPrefix(prefix string) OwnPrefix {
	f := Fold(cmp.Or(prefix, httpauth.DefaultPrefix) + "-")
	return OwnPrefix(f.Bytes())
}

// Has reports whether a field has the prefix, or the default one.
func (p OwnPrefix) Has(f *FieldName) bool {
	return f.HasPrefix(string(p)) || f.HasPrefix(string(defaultOwnPrefix))
}
