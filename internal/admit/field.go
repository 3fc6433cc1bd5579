package admit

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
