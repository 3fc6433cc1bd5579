// Package text reads text that people wrote: UTF-8, with or without the byte-order mark that Windows programs put first.
//
// Text in another encoding is an error. It is never decoded with replacement characters, which would make two different
// passwords equal and two different names indistinguishable.
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

// BOM is the byte-order mark of UTF-8. It marks an encoding and is not part of the text behind it.
const BOM = "\ufeff"

// ReadFile returns the text of a file without its byte-order mark. The error names the file and the line of the first byte
// that is not UTF-8.
func ReadFile(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return Decode(path, data)
}

// Read returns the text of r, like ReadFile. Errors name the text.
func Read(name string, r io.Reader) (string, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return Decode(name, data)
}

// Decode returns data as text without its byte-order mark. The error repeats nothing of data but one byte, since data may
// be a password.
func Decode(name string, data []byte) (string, error) {
	if i := invalid(data); i >= 0 {
		line := 1 + bytes.Count(data[:i], []byte{'\n'})
		return "", fmt.Errorf("%s is not UTF-8 text: line %d holds the byte %02X; save it as UTF-8", name, line, data[i])
	}
	return string(bytes.TrimPrefix(data, []byte(BOM))), nil
}

// Keepable returns s as every database keeps it: bytes that are not UTF-8, and U+0000, become U+FFFD. It is for text of
// other programs that is only shown, such as a User-Agent or a server's error message; text that means something is
// rejected instead.
func Keepable(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\ufffd"), "\ufffd")
}

// WithBOM returns a writer that puts a byte-order mark before the first byte that it writes to w, and nothing before none.
func WithBOM(w io.Writer) io.Writer { return &marker{w: w} }

// marker writes a byte-order mark once.
type marker struct {
	w     io.Writer
	begun bool
}

// Write returns the number of bytes of p alone.
func (m *marker) Write(p []byte) (int, error) {
	if !m.begun && len(p) > 0 {
		if _, err := io.WriteString(m.w, BOM); err != nil {
			return 0, err
		}
		m.begun = true
	}
	return m.w.Write(p)
}

// SkipBOM returns a reader of r's text without its byte-order mark.
func SkipBOM(r io.Reader) io.Reader { return &skipper{r: r} }

// skipper drops a byte-order mark before its first byte.
type skipper struct {
	r     io.Reader
	begun bool
}

// Read reads the mark's length first and returns what is no mark.
func (s *skipper) Read(p []byte) (int, error) {
	if s.begun {
		return s.r.Read(p)
	}
	s.begun = true
	head := make([]byte, len(BOM))
	n, err := io.ReadFull(s.r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return 0, err
	}
	s.r = io.MultiReader(bytes.NewReader(bytes.TrimPrefix(head[:n], []byte(BOM))), s.r)
	return s.r.Read(p)
}

// CheckJSON returns an error if a JSON decoder would replace characters of data: bytes that are not UTF-8, and escapes of
// one half of a surrogate pair, such as "\ud800".
func CheckJSON(data []byte) error {
	if i := invalid(data); i >= 0 {
		return fmt.Errorf("the byte %02X is not UTF-8 text", data[i])
	}
	// Outside of strings there are no backslashes, so that no string needs to be found.
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

// escaped returns the code unit of a \uXXXX escape at the start of s, -1 if there is none.
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

// invalid returns the index of the first byte that is not UTF-8, -1 if there is none.
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
