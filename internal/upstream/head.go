package upstream

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

const (
	// maxHead is the length of the longest header of a response, with its status line.
	maxHead = 64 << 10
	// maxFields is the largest number of fields of a header.
	maxFields = 1000
)

// errMalformed is the error of every response that is rejected for its form.
var errMalformed = errors.New("malformed response")

// malformed returns an errMalformed with its cause.
func malformed(cause string) error { return fmt.Errorf("%w: %s", errMalformed, cause) }

// Field is one field line of a response. Name is in canonical form.
type Field struct{ Name, Value string }

// section finds the end of a header or trailer section in bytes that arrive piece by
// piece. Each line of it ends with CRLF.
type section struct {
	line    int // start of the current line
	scanned int // bytes without the end of a line
}

// end returns the length of the section with its empty line, or 0 if b does not hold all
// of it. It returns an error as soon as a line does not end with CRLF.
func (s *section) end(b []byte) (int, error) {
	for {
		at := bytes.IndexByte(b[s.scanned:], '\n')
		if at < 0 {
			s.scanned = len(b)
			return 0, nil
		}
		end := s.scanned + at
		if end == s.line || b[end-1] != '\r' {
			return 0, malformed("a line ends without a carriage return")
		}
		empty := end == s.line+1
		s.line, s.scanned = end+1, end+1
		if empty {
			return end + 1, nil
		}
	}
}

// head is the parsed header of a response.
type head struct {
	status int
	fields []Field
	length int64 // Content-Length; -1 without one
	frame  frame
	close  bool // the connection carries no further response
}

// frame is the way in which the end of a body is found.
type frame uint8

const (
	frameNone    frame = iota // no body
	frameLength               // Content-Length
	frameChunked              // Transfer-Encoding: chunked
	frameClose                // the end of the connection
)

// parse reads a header section with its empty line. It changes b: field names become
// canonical. h keeps no reference to b.
func (h *head) parse(b []byte, method string) error {
	h.fields = h.fields[:0]
	line, rest, _ := bytes.Cut(b, crlf)
	minor, status, err := parseStatusLine(line)
	if err != nil {
		return err
	}
	h.status = status
	if h.fields, err = parseFields(h.fields, rest); err != nil {
		return err
	}
	return h.setFrame(method, minor)
}

var crlf = []byte("\r\n")

// parseStatusLine reads "HTTP/1.1 200 OK". The reason and the space before it may be missing.
func parseStatusLine(line []byte) (minor byte, status int, err error) {
	const start = len("HTTP/1.x 200")
	if len(line) < start || string(line[:7]) != "HTTP/1." || line[7] != '0' && line[7] != '1' || line[8] != ' ' {
		return 0, 0, malformed("the first line is no status line of HTTP/1.0 or HTTP/1.1")
	}
	for _, c := range line[9:start] {
		if c < '0' || c > '9' {
			return 0, 0, malformed("the status is not three digits")
		}
		status = status*10 + int(c-'0')
	}
	if status < 100 || len(line) > start && line[start] != ' ' {
		return 0, 0, malformed("the status is not a number from 100 to 999")
	}
	for _, c := range line[start:] {
		if !isText(c) {
			return 0, 0, malformed("the reason contains a control character")
		}
	}
	return line[7] - '0', status, nil
}

// parseFields appends the field lines of b to fields. b ends with an empty line.
func parseFields(fields []Field, b []byte) ([]Field, error) {
	for at := 0; at < len(b)-len(crlf); at++ {
		colon := bytes.IndexByte(b[at:], ':')
		if colon < 0 {
			return fields, malformed("a field without a colon")
		}
		if !canonicalize(b[at : at+colon]) {
			return fields, malformed("the name of a field is not a token")
		}
		at += colon
		end := bytes.IndexByte(b[at:], '\r')
		for _, c := range b[at : at+end] {
			if !isText(c) {
				return fields, malformed("the value of a field contains a control character")
			}
		}
		if at += end + 1; b[at] != '\n' {
			return fields, malformed("a carriage return within a field")
		}
	}
	// All names and values are parts of one string.
	text := string(b[:len(b)-len(crlf)])
	for len(text) > 0 {
		if len(fields) >= maxFields {
			return fields, malformed("too many fields")
		}
		line, rest, _ := strings.Cut(text, "\r\n")
		name, value, _ := strings.Cut(line, ":")
		fields = append(fields, Field{name, strings.Trim(value, " \t")})
		text = rest
	}
	return fields, nil
}

// canonicalize writes a field name in its canonical form, as textproto does. It reports
// whether the name is a token.
func canonicalize(name []byte) bool {
	upper := true
	for i, c := range name {
		if !isToken[c] {
			return false
		}
		switch {
		case upper && 'a' <= c && c <= 'z':
			name[i] = c - ('a' - 'A')
		case !upper && 'A' <= c && c <= 'Z':
			name[i] = c + ('a' - 'A')
		}
		upper = c == '-'
	}
	return len(name) > 0
}

// isToken holds the bytes that may be part of a token (RFC 9110, section 5.6.2).
var isToken = tokenBytes()

func tokenBytes() (table [256]bool) {
	for c := range table {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' && c < 0x80
		table[c] = letter || c >= '0' && c <= '9' || c != 0 && c < 0x80 && strings.IndexByte("!#$%&'*+-.^_`|~", byte(c)) >= 0
	}
	return table
}

// isText reports whether c may be part of a field's value or a reason: it is no control
// character other than a tab.
func isText(c byte) bool { return c >= ' ' && c != 0x7f || c == '\t' }
