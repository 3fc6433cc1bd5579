package route

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/toksta/toksta/sdk/toksta"
)

// The classes of the bytes of a path.
const (
	invalid = iota
	plain
	slash
	percent
)

// classes holds the class of each byte. Plain are the characters of a segment (RFC 3986, pchar)
// except ";", at which some servers cut a segment.
var classes = func() (c [256]uint8) {
	for _, b := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,=:@") {
		c[b] = plain
	}
	c['/'], c['%'] = slash, percent
	return c
}()

// escapes describes the percent escapes of a path.
type escapes struct {
	any     bool
	unicode bool // some are UTF-8 beyond ASCII
}

// checkPath rejects a path that a back end could interpret as another path: empty inner segments,
// dot segments, invalid characters, and unsafe escapes, see escapeLength.
func checkPath(path string) (found escapes, err error) {
	if path == "" || path[0] != '/' {
		return found, badPath("The path must start with a slash.")
	}
	start := 1
	for i := 1; i < len(path); i++ {
		switch classes[path[i]] {
		case plain:
		case slash:
			if i == start {
				return found, badPath("The path contains an empty segment.")
			}
			if isDots(path[start:i]) {
				return found, badPath("The path contains a dot segment.")
			}
			start = i + 1
		case percent:
			n := escapeLength(path[i:])
			if n == 0 {
				return found, badPath("The path contains a percent escape that is not accepted.")
			}
			found.any, found.unicode = true, found.unicode || n > 3
			i += n - 1
		default:
			return found, badPath("The path contains a character that must be escaped.")
		}
	}
	if isDots(path[start:]) {
		return found, badPath("The path contains a dot segment.")
	}
	return found, nil
}

// escapeLength returns the length of the escape of one character with which s starts: 3 for ASCII, 6
// to 12 for other UTF-8. It returns 0 if the character is not accepted: a separator, "%", a control
// character, or bytes that are not the shortest UTF-8, because lenient decoders accept longer
// sequences of a dot or a slash.
func escapeLength(s string) int {
	first, ok := unescape(s)
	if !ok {
		return 0
	}
	if first < utf8.RuneSelf {
		if first >= ' ' && first < 0x7f && strings.IndexByte(`/\%;`, first) < 0 {
			return 3
		}
		return 0
	}
	var bytes [utf8.UTFMax]byte
	bytes[0] = first
	n := 1
	for n < utf8.UTFMax && !utf8.FullRune(bytes[:n]) {
		if bytes[n], ok = unescape(s[3*n:]); !ok {
			return 0
		}
		n++
	}
	r, size := utf8.DecodeRune(bytes[:n])
	if size != n || r == utf8.RuneError && size == 1 || !isSafeRune(r, bytes[:n]) {
		return 0
	}
	return 3 * n
}

// isSafeRune reports whether a character beyond ASCII, given with its encoding, is printable, or
// joins letters as some scripts and emoji need, and whether a server that normalises text (NFKC)
// turns it into neither a separator nor a dot: a fullwidth slash, an account-of sign.
func isSafeRune(r rune, encoded []byte) bool {
	const zeroWidthNonJoiner, zeroWidthJoiner = '\u200c', '\u200d'
	if !unicode.IsPrint(r) && r != zeroWidthNonJoiner && r != zeroWidthJoiner {
		return false
	}
	for _, c := range norm.NFKC.Properties(encoded).Decomposition() {
		if strings.IndexByte(`/\%;.?#`, c) >= 0 {
			return false
		}
	}
	return true
}

// unescape returns the byte of the escape with which s starts.
func unescape(s string) (byte, bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	hi, okHi := hexDigit(s[1])
	lo, okLo := hexDigit(s[2])
	return hi<<4 | lo, okHi && okLo
}

// hexDigit returns the value of a hexadecimal digit of either case.
func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// isDots reports whether segment is "." or "..". Each dot can be escaped, because some servers
// remove dot segments before decoding and others after it.
func isDots(segment string) bool {
	dots := 0
	for segment != "" {
		switch {
		case segment[0] == '.':
			segment = segment[1:]
		case len(segment) >= 3 && segment[:2] == "%2" && segment[2]|0x20 == 'e':
			segment = segment[3:]
		default:
			return false
		}
		if dots++; dots > 2 {
			return false
		}
	}
	return dots > 0
}

// readings returns the other paths that a back end can make of a path that checkPath accepted: the
// decoded one, and that one normalised. No escape is a slash, so the segments stay the same.
func readings(path string, e escapes) []string {
	if !e.any {
		return nil
	}
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return []string{""}
	}
	if !e.unicode {
		return []string{decoded}
	}
	return []string{decoded, norm.NFC.String(decoded), norm.NFKC.String(decoded)}
}

// badPath returns an error that does not repeat the path, which could be unsafe to print.
func badPath(message string) error {
	return &toksta.Error{Code: toksta.CodeBadRequest, Message: message}
}
