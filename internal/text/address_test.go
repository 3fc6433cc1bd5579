package text_test

import (
	"testing"

	"github.com/toksta/toksta/internal/text"
)

// Guarantee: the spellings of an address by a browser and by a person are equal, and mail can be
// delivered by servers that support only ASCII.
func TestAddresses(t *testing.T) {
	for in, want := range map[string]struct{ mail, fold string }{
		"Ada@Example.com":               {"Ada@example.com", "ada@example.com"},
		"ada@bücher.example":            {"ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"},
		"ada@BÜCHER.example":            {"ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"},
		"ada@bu\u0308cher.example":      {"ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"},
		"ada@bücher。example":            {"ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"},
		"ada@XN--BCHER-KVA.example":     {"ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"},
		"ada@faß.example":               {"ada@xn--fa-hia.example", "ada@xn--fa-hia.example"},
		"Иван@пример.example":           {"Иван@xn--e1afmkfd.example", "иван@xn--e1afmkfd.example"},
		"ada@under_score.example":       {"ada@under_score.example", "ada@under_score.example"},
		"\"a@b\"@bücher.example":        {"\"a@b\"@xn--bcher-kva.example", "\"a@b\"@xn--bcher-kva.example"},
		"no address":                    {"no address", "no address"},
		"ada@-bücher-.example":          {"", "ada@-bücher-.example"},
		"ada@b\u00fc\u202echer.example": {"", "ada@b\u00fc\u202echer.example"},
	} {
		got, err := text.MailAddress(in)
		if (err != nil) != (want.mail == "") || err == nil && got != want.mail {
			t.Errorf("%s is mailed to %q, %v", in, got, err)
		}
		if got := text.FoldAddress(in); got != want.fold {
			t.Errorf("%s folds to %q", in, got)
		}
	}
	want := [3]string{"ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example", "ada@bücher.example"}
	if got := text.AddressForms("Ada@xn--bcher-kva.example"); got != want {
		t.Errorf("forms %q", got)
	}
}
