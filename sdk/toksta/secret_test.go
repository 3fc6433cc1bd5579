package toksta_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/toksta/toksta/sdk/toksta"
)

var shape = toksta.KeyShape{Prefix: "tk_live_"}

// holder has secrets in fields on which fmt calls no methods.
type holder struct {
	Name   string
	secret toksta.Secret
	inner  *struct{ s toksta.Secret }
}

// Guarantee: no formatter and no encoder writes a secret or a password,
// wherever it is in a value.
func TestSecretCannotBePrinted(t *testing.T) {
	t.Parallel()
	s, _ := shape.NewSecret()
	text := s.Reveal()
	h := holder{"n", s, &struct{ s toksta.Secret }{s}}
	hidden := toksta.Hide(text)
	values := []any{hidden, &hidden, struct{ h toksta.Hidden }{hidden}, []any{hidden}, s, &s, h, &h, []toksta.Secret{s}, map[string]toksta.Secret{"k": s}, []any{h, &s}, struct{ S any }{s}, errors.Join(fmt.Errorf("%v", s))}
	var out bytes.Buffer
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T", "%w", "%40v", "%.3s"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		fmt.Fprintln(&out, v)
		for _, handler := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
			slog.New(handler).Info("m", "v", v, slog.Group("g", "v", v))
		}
		for _, encode := range []func(any) error{json.NewEncoder(&out).Encode, xml.NewEncoder(&out).Encode, gob.NewEncoder(&out).Encode} {
			// Most of these fail and write nothing.
			_ = encode(v)
		}
	}
	body := text[len(shape.Prefix):]
	for _, form := range []string{text, body, body[4:20], fmt.Sprintf("%x", text), fmt.Sprintf("%X", text), fmt.Sprint([]byte(text))} {
		if strings.Contains(out.String(), form) {
			t.Errorf("a secret was printed as %.12q…", form)
		}
	}
	if _, err := json.Marshal(s); err == nil {
		t.Error("a secret was encoded")
	}
	if got := fmt.Sprintf("%s %v", s, hidden); got != "[secret] [secret]" {
		t.Errorf("printed as %q", got)
	}
	if hidden.Reveal() != text || (toksta.Hidden{}).Reveal() != "" {
		t.Error("a hidden text is not what was hidden")
	}
}

// Guarantee: each new secret is unique and has the documented form; its
// generation stores only its digest and its visible characters.
func TestNewSecret(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	form := regexp.MustCompile(`^tk_live_[0-9a-f]{48}$`)
	for range 1000 {
		s, g := shape.NewSecret()
		text := s.Reveal()
		if !form.MatchString(text) || seen[text] {
			t.Fatal("a secret of the wrong shape, or made twice")
		}
		seen[text] = true
		if g.Digest != sha256.Sum256([]byte(text)) || g.Start != text[8:12] || g.End != text[52:] {
			t.Fatalf("generation %+v is not the secret's", g)
		}
	}
	if (toksta.Secret{}).Reveal() != "" {
		t.Error("no secret reveals something")
	}
}

// Guarantee: a digest can be formatted and parsed, and no other text is parsed
// as a digest.
func TestParseDigest(t *testing.T) {
	t.Parallel()
	d := toksta.Digest(sha256.Sum256([]byte("x")))
	for _, s := range []string{d.String(), strings.ToUpper(d.String())} {
		if got, err := toksta.ParseDigest(s); err != nil || got != d {
			t.Errorf("%s reads as %s, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "0x" + d.String()[2:], d.String()[1:], d.String() + "0", strings.Repeat("g", 64), strings.Repeat(" ", 64)} {
		if _, err := toksta.ParseDigest(s); err == nil {
			t.Errorf("%q is read as a digest", s)
		}
	}
}

func FuzzParseDigest(f *testing.F) {
	f.Add(strings.Repeat("0f", 32))
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := toksta.ParseDigest(s); err == nil && d.String() != strings.ToLower(s) {
			t.Errorf("%q reads as %s", s, d)
		}
	})
}
