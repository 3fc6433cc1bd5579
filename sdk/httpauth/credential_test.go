package httpauth

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/toksta/toksta/sdk/toksta"
)

// grammar is the syntax of credentials in RFC 6750, with optional white space
// around them.
var grammar = regexp.MustCompile(`^[ \t]*(?i:bearer) +([A-Za-z0-9._~+/-]+=*)[ \t]*$`)

// Guarantee: the parser accepts exactly the grammar, for any bytes. Another
// server in the chain would parse any addition differently.
func FuzzCredential(f *testing.F) {
	for _, s := range []string{"Bearer tk_live_0a", "bearer  a==", "Bearer\ta", "Bearer a, Bearer b", "Bearer a\u00a0", " Bearer a \t", "Bearer", "Bearer =", ""} {
		f.Add(s, "", 1)
	}
	f.Add("Bearer a", "Bearer a", 2)
	f.Fuzz(func(t *testing.T, first, second string, n int) {
		fields := []string{first, second}[:max(0, min(n, 2))]
		got, err := Credential(fields)
		var want toksta.Digest
		reason := toksta.ReasonKeyMalformed
		switch {
		case len(fields) == 0:
			reason = toksta.ReasonKeyMissing
		case len(fields) == 1:
			if m := grammar.FindStringSubmatch(first); m != nil {
				want, reason = sha256.Sum256([]byte(m[1])), ""
			}
		}
		if got != want || (err == nil) != (reason == "") {
			t.Fatalf("%q: %v, %v, want reason %q", fields, got, err, reason)
		}
		if err != nil && diffError(err, reason) != "" {
			t.Errorf("%q: %s", fields, diffError(err, reason))
		}
	})
}

func diffError(err error, reason toksta.Reason) string {
	want := &toksta.Error{Code: toksta.CodeUnauthorized, Reason: reason, Message: reason.Message()}
	if !reflect.DeepEqual(err, error(want)) {
		return fmt.Sprintf("%#v, want %#v", err, want)
	}
	return ""
}

// Guarantee: the error holds no part of the credential, because it is logged
// and sent in a response.
func TestCredentialErrorHoldsNothing(t *testing.T) {
	t.Parallel()
	_, err := Credential([]string{"Bearer tk_live_hush hush"})
	if err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("%v", err)
	}
}

// The parser runs for every request.
func BenchmarkCredential(b *testing.B) {
	fields := []string{"Bearer tk_live_0123456789abcdef0123456789abcdef0123456789abcdef"}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Credential(fields)
	}
}

// Guarantee: the parser does not allocate, so a flood of invalid keys creates
// no garbage.
func TestCredentialAllocatesNothing(t *testing.T) {
	fields := []string{"Bearer tk_live_0123456789abcdef0123456789abcdef0123456789abcdef"}
	if n := testing.AllocsPerRun(1000, func() { _, _ = Credential(fields) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
