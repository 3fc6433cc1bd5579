// Package text reads text that people wrote: UTF-8, with or without the byte-order mark that
// Windows programs add.
//
// Text in another encoding is an error. It is never decoded with replacement characters, which
// would make two different passwords equal and two different names indistinguishable.
package text

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// BOM is the byte-order mark of UTF-8. It marks the encoding and is not part of the text after it.
const BOM = "\ufeff"

// ReadFile returns the text of a file without its byte-order mark. The error names the file and the
// line of the first byte that is not UTF-8.
func ReadFile(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return Decode(path, data)
}

// Read returns the text of r without its byte-order mark. Its errors use name for the text.
func Read(name string, r io.Reader) (string, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return Decode(name, data)
}

// Decode returns data as text without its byte-order mark. Its error uses name for the text and
// contains only one byte of data, because data could be a password.
func Decode(name string, data []byte) (string, error) {
	if i := invalid(data); i >= 0 {
		line := 1 + bytes.Count(data[:i], []byte{'\n'})
		return "", fmt.Errorf("%s is not UTF-8 text: line %d holds the byte %02X; save it as UTF-8", name, line, data[i])
	}
	return string(bytes.TrimPrefix(data, []byte(BOM))), nil
}

// Keepable replaces bytes that are not UTF-8, and U+0000, by U+FFFD, so that every database can
// store the text. It is only for displayed text of other programs, such as a User-Agent or an error
// message of a server. Other text is rejected instead.
func Keepable(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\ufffd"), "\ufffd")
}

// WithBOM returns a writer that writes a byte-order mark to w before the first byte. It writes no
// mark if no byte follows.
func WithBOM(w io.Writer) io.Writer { return &bomWriter{w: w} }

// bomWriter writes a byte-order mark once.
type bomWriter struct {
	w       io.Writer
	started bool
}

// Write returns the number of bytes of p, without the mark.
func (m *bomWriter) Write(p []byte) (int, error) {
	if !m.started && len(p) > 0 {
		if _, err := io.WriteString(m.w, BOM); err != nil {
			return 0, err
		}
		m.started = true
	}
	return m.w.Write(p)
}

// SkipBOM returns a reader of r's text without its byte-order mark.
func SkipBOM(r io.Reader) io.Reader { return &bomSkipper{r: r} }

// bomSkipper removes a byte-order mark at the start.
type bomSkipper struct {
	r       io.Reader
	started bool
}

// Read first reads as many bytes as a mark has, and returns them if they are not a mark.
func (s *bomSkipper) Read(p []byte) (int, error) {
	if s.started {
		return s.r.Read(p)
	}
	s.started = true
	head := make([]byte, len(BOM))
	n, err := io.ReadFull(s.r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return 0, err
	}
	s.r = io.MultiReader(bytes.NewReader(bytes.TrimPrefix(head[:n], []byte(BOM))), s.r)
	return s.r.Read(p)
}

// CheckJSON returns an error if a JSON decoder would replace characters of data: bytes that are not
// UTF-8, or an escape of one half of a surrogate pair, such as "\ud800".
func CheckJSON(data []byte) error {
	if i := invalid(data); i >= 0 {
		return fmt.Errorf("the byte %02X is not UTF-8 text", data[i])
	}
	// Backslashes occur only in strings, so the strings need not be located.
	for rest := data; ; {
		i := bytes.IndexByte(rest, '\\')
		if i < 0 {
			return nil
		}
		rest = rest[i:]
		first, second := escaped(rest), rune(-1)
		if !utf16.IsSurrogate(first) {
			rest = rest[min(2, len(rest)):]
			continue
		}
		if len(rest) > 6 {
			second = escaped(rest[6:])
		}
		if utf16.DecodeRune(first, second) == utf8.RuneError {
			return fmt.Errorf("%s is one half of a surrogate pair, not a character", rest[:6])
		}
		rest = rest[12:]
	}
}

// escaped returns the code unit of a \uXXXX escape at the start of s, or -1 if there is none.
func escaped(s []byte) rune {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1
	}
	unit, err := strconv.ParseUint(string(s[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(unit)
}

// invalid returns the index of the first byte that is not UTF-8, or -1 if there is none.
func invalid(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; ; {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
}
