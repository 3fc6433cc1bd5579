package index

import (
	"encoding/binary"
	"strings"

	"github.com/toksta/toksta"
)

// crockford are the digits of a ULID.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

const ulidDigits = 26

// appendID writes an account id: one of this system's own as 16 bytes behind
// a 0, any other with its length before it. The form is unique to the id, so
// that ids are compared and hashed in it.
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

// cutID splits a row behind its id.
func cutID(row string) (id, rest string) {
	r := reader{rest: row}
	n := r.unsigned()
	if n == 0 {
		n = 17
	}
	at := len(row) - len(r.rest) + int(n) - 1
	return row[:at], row[at:]
}

// idText returns the id as the account has it, in memory of its own.
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

// parseULID reads 26 upper-case digits of at most 128 bits. What it refuses,
// lower case for one, is kept as text: two ids never share a form.
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
