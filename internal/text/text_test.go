package text_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/toksta/toksta/internal/text"
)

// Guarantee: a file in another encoding is rejected. With replacement characters, all letters
// outside ASCII in a password would be equal.
func TestReadFile(t *testing.T) {
	for name, c := range map[string]struct{ content, want, err string }{
		"plain":                   {"å\r\n", "å\r\n", ""},
		"byte-order mark":         {"\ufeffå", "å", ""},
		"only a mark":             {"\ufeff", "", ""},
		"a second mark is a text": {"\ufeff\ufeffa", "\ufeffa", ""},
		"empty":                   {"", "", ""},
		"U+FFFD itself":           {"\ufffd", "\ufffd", ""},
		"Latin-1":                 {"one\nt\xe9", "", "line 2 holds the byte E9"},
		"UTF-16":                  {"\xff\xfea\x00", "", "line 1 holds the byte FF"},
		"cut":                     {"a\xc3", "", "byte C3"},
	} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := text.ReadFile(path)
		if got != c.want || (err != nil) != (c.err != "") || err != nil && (!strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), path)) {
			t.Errorf("%s: %q, %v; want %q, error with %q", name, got, err, c.want, c.err)
		}
	}
	if _, err := text.ReadFile(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// Guarantee: the mark is removed however the bytes arrive, and no other byte is.
func TestSkipBOM(t *testing.T) {
	for content, want := range map[string]string{
		"\ufeffdigest,account": "digest,account", "\ufeff": "", "": "", "a": "a", "\xef\xbb": "\xef\xbb", "a\ufeff": "a\ufeff",
	} {
		for _, r := range []io.Reader{strings.NewReader(content), iotest.OneByteReader(strings.NewReader(content)), iotest.DataErrReader(strings.NewReader(content))} {
			if got, err := io.ReadAll(text.SkipBOM(r)); string(got) != want || err != nil {
				t.Errorf("%q: %q, %v", content, got, err)
			}
		}
	}
	if _, err := io.ReadAll(text.SkipBOM(iotest.ErrReader(io.ErrClosedPipe))); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("an error of the reader is lost: %v", err)
	}
}

// Guarantee: a file has one mark at its start, and an empty file has none.
func TestWithBOM(t *testing.T) {
	for _, parts := range [][]string{{"a", "b"}, {"", "ab"}, {}} {
		var out strings.Builder
		w, want := text.WithBOM(&out), ""
		for _, p := range parts {
			if n, err := io.WriteString(w, p); n != len(p) || err != nil {
				t.Errorf("wrote %d of %q, %v", n, p, err)
			}
			want = "\ufeffab"
		}
		if out.String() != want {
			t.Errorf("%q: %q", parts, out.String())
		}
	}
}

// Guarantee: JSON whose characters a decoder would replace is rejected, and JSON with the
// replacement character itself is not.
func TestCheckJSON(t *testing.T) {
	for _, good := range []string{`{"a":"é"}`, `"\ufffd"`, `"�"`, `"\ud83d\ude00"`, `"\\ud800"`, `"\\\\ud800"`, `"\u00e9\n"`, `"\`, `"\u12`, `"\uzzzz"`, ""} {
		if err := text.CheckJSON([]byte(good)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"\"\xe9\"", `"\ud800"`, `"\uD800x"`, `"\udc00"`, `"\ud800\ud800"`, `"\udc00\ud800"`, `"\\\ud800"`, `"\ud800\n"`, `"\ud83d\ude00\ud800"`, `"\ud800`} {
		if err := text.CheckJSON([]byte(bad)); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}
