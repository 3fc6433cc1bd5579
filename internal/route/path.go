package route

import (
	"net/url"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// pathChar reports whether c is allowed in a path: the characters of a segment (RFC 3986, pchar)
// except ";", at which some servers cut a segment.
func pathChar(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("-._~!$&'()*+,=:@%/", c) >= 0
}

// checkPath rejects a path that a back end could interpret as another path: empty inner segments,
// dot segments, invalid characters, and the escapes of a slash, a backslash, "%", ";", control
// characters and bytes outside ASCII. It reports whether the path contains an escape.
func checkPath(path string) (escaped bool, err error) {
	if path == "" || path[0] != '/' {
		return false, badPath("The path must start with a slash.")
	}
	start := 1
	for i := 1; i < len(path); i++ {
		switch c := path[i]; {
		case !pathChar(c):
			return false, badPath("The path contains a character that must be escaped.")
		case c == '%':
			if !safeEscape(path[i:]) {
				return false, badPath("The path contains a percent escape that is not accepted.")
			}
			escaped = true
			i += 2
		case c == '/':
			if i == start {
				return false, badPath("The path contains an empty segment.")
			}
			if isDots(path[start:i]) {
				return false, badPath("The path contains a dot segment.")
			}
			start = i + 1
		}
	}
	if isDots(path[start:]) {
		return false, badPath("The path contains a dot segment.")
	}
	return escaped, nil
}

// safeEscape reports whether s starts with the escape of a printable ASCII character that is not a
// separator. Escaped UTF-8 is rejected too, because lenient decoders accept overlong sequences of a
// dot or a slash.
func safeEscape(s string) bool {
	if len(s) < 3 {
		return false
	}
	hi, okHi := hexDigit(s[1])
	lo, okLo := hexDigit(s[2])
	c := hi<<4 | lo
	return okHi && okLo && c >= ' ' && c < 0x7f && !strings.ContainsRune(`/\%;`, rune(c))
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

// decode decodes the escapes of a path that checkPath accepted. None of them is a slash, so the
// segments stay the same.
func decode(path string) string {
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return ""
	}
	return decoded
}

// badPath returns an error that does not repeat the path, which could be unsafe to print.
func badPath(message string) error {
	return &toksta.Error{Code: toksta.CodeBadRequest, Message: message}
}
