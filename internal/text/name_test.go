package text_test

import (
	"testing"

	"github.com/toksta/toksta/internal/text"
)

// Guarantee: a name is stored as pages show it, whichever keyboard it was typed on.
func TestName(t *testing.T) {
	for in, want := range map[string]string{
		"Cafe\u0301": "Caf\u00e9", "A\u030angstro\u0308m": "Ångström", "a \u00a0 b": "a b", "👩\u200d💻": "👩\u200d💻",
	} {
		if got, err := text.Name("name", in); got != want || err != nil {
			t.Errorf("%+q: %+q, %v", in, got, err)
		}
	}
	if _, err := text.Name("name", "\ufe0f"); err == nil {
		t.Error("a name that shows nothing is accepted")
	}
}

// Guarantee: typing a name as the page shows it is accepted, and typing another name is not.
func TestSameName(t *testing.T) {
	for _, c := range []struct {
		stored, typed string
		want          bool
	}{
		{"two  spaces", "two spaces", true},
		{"no\u00a0break", "no break", true},
		{"Cafe\u0301", "Caf\u00e9", true},
		{"Caf\u00e9", " Cafe\u0301 ", true},
		{"❤\ufe0f", "❤", true},
		{"می\u200cخواهم", "میخواهم", true},
		{"a\u00adb", "ab", true},
		{"a\u200bb\x01\t\u2800c", "ab c", true},
		{"\u200d", "", true},
		{"\u2800\u3164", "", true},
		{"Cafe", "Caf\u00e9", false},
		{"ab", "a b", false},
		{"Key", "key", false},
		{"key", "", false},
	} {
		if got := text.SameName(c.stored, c.typed); got != c.want {
			t.Errorf("%+q typed as %+q: %v", c.stored, c.typed, got)
		}
	}
}
