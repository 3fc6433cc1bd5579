package index

import (
	"encoding/binary"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// crockford contains the digits of a ULID.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

const ulidDigits = 26

// appendID appends an account id: 0 and 16 bytes for an id of this system, or the
// length plus one and the text of any other id. Each id has exactly one packed form, so packed
// ids can be compared and hashed.
func appendID(b []byte, id string) []byte {
	if digits, ok := strings.CutPrefix(id, toksta.PrefixAccount); ok {
		if hi, lo, ok := parseULID(digits); ok {
			b = append(b, 0)
			b = binary.BigEndian.AppendUint64(b, hi)
			return binary.BigEndian.AppendUint64(b, lo)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(id))+1)
	return append(b, id...)
}

// cutID splits a row after its id.
func cutID(row string) (id, rest string) {
	r := reader{rest: row}
	n := r.unsigned()
	if n == 0 {
		n = 16 + 1 // a ULID; other ids have their length plus one
	}
	at := len(row) - len(r.rest) + int(n) - 1
	return row[:at], row[at:]
}

// idText returns the text of a packed id in newly allocated memory.
func idText(id string) string {
	r := reader{rest: id}
	if r.unsigned() > 0 {
		return r.rest
	}
	hi, lo := binary.BigEndian.Uint64([]byte(r.rest)), binary.BigEndian.Uint64([]byte(r.rest[8:]))
	var out [len(toksta.PrefixAccount) + ulidDigits]byte
	for i := len(out) - 1; i >= copy(out[:], toksta.PrefixAccount); i-- {
		out[i] = crockford[lo&31]
		lo, hi = lo>>5|hi<<59, hi>>5
	}
	return string(out[:])
}

// parseULID parses 26 upper-case digits of at most 128 bits. Any other text, such as
// lower case, is not parsed and is packed as text, so that two ids never share a
// packed form.
func parseULID(s string) (hi, lo uint64, ok bool) {
	if len(s) != ulidDigits || s[0] > '7' {
		return 0, 0, false
	}
	for i := range len(s) {
		d := strings.IndexByte(crockford, s[i])
		if d < 0 {
			return 0, 0, false
		}
		hi, lo = hi<<5|lo>>59, lo<<5|uint64(d)
	}
	return hi, lo, true
}
