package decision_test

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: identifiers are valid ULIDs of their time, are unique, and sort by
// creation, on which pages of lists depend.
func TestNewID(t *testing.T) {
	t.Parallel()
	var ids []string
	at := time.UnixMilli(1_780_000_000_123)
	for i := range 1000 {
		now := at.Add(time.Duration(i) * time.Millisecond)
		id := toksta.NewID(toksta.PrefixKey, now)
		ids = append(ids, id)
		if ms, random := decodeULID(t, strings.TrimPrefix(id, "key_")); ms != now.UnixMilli() || random.Sign() == 0 {
			t.Fatalf("%s was made at %d, not at %d", id, ms, now.UnixMilli())
		}
	}
	if !slices.IsSorted(ids) || len(slices.Compact(ids)) != 1000 {
		t.Error("identifiers do not sort by creation, or repeat")
	}
	same := map[string]bool{}
	for range 10_000 {
		same[toksta.NewID("", at)] = true
	}
	if len(same) != 10_000 {
		t.Errorf("%d identifiers of one millisecond repeat", 10_000-len(same))
	}
	last := toksta.NewID("", time.UnixMilli(1<<48-1))
	if ms, _ := decodeULID(t, last); ms != 1<<48-1 || last[0] != '7' {
		t.Errorf("the last ULID is %s", last)
	}
}

// decodeULID decodes the text as one number: 48 bits of time, 80 of randomness.
func decodeULID(t *testing.T, s string) (ms int64, random *big.Int) {
	t.Helper()
	if len(s) != 26 {
		t.Fatalf("%q has %d digits", s, len(s))
	}
	n := new(big.Int)
	for _, r := range s {
		digit := strings.IndexRune("0123456789ABCDEFGHJKMNPQRSTVWXYZ", r)
		if digit < 0 {
			t.Fatalf("%q is not in Crockford's base 32", s)
		}
		n.Add(n.Lsh(n, 5), big.NewInt(int64(digit)))
	}
	if n.BitLen() > 128 {
		t.Fatalf("%q has %d bits", s, n.BitLen())
	}
	random = new(big.Int).And(n, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 80), big.NewInt(1)))
	return new(big.Int).Rsh(n, 80).Int64(), random
}

// Guarantee: people can name their keys in every script, and no name is
// invisible in, or rearranges, a page or a log.
func TestValidateName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a":                                  "a",
		"  Production key \n":                "Production key",
		"Ключ № 1":                           "Ключ № 1",
		"本番 🔑":                               "本番 🔑",
		"مفتاح":                              "مفتاح",
		"می\u200cخواهم":                      "می\u200cخواهم",          // Persian needs its non-joiner
		"👩\u200d💻":                           "👩\u200d💻",               // and this emoji its joiner
		"葛\U000e0100城":                       "葛\U000e0100城",           // and Japanese names their variants
		"<b>&amp;</b>":                       "<b>&amp;</b>",           // text, for pages to escape
		strings.Repeat("ü", 100):             strings.Repeat("ü", 100), // characters, not bytes
		" " + strings.Repeat("x", 100) + " ": strings.Repeat("x", 100),
	} {
		if got, err := toksta.ValidateName("name", in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"", " \t ", strings.Repeat("x", 101), "a\x00b", "a\nb", "a\x1b[31mb", "a\u0085b", "\xff", "a\xc3",
		"a\u202eb", "a\u2066b", "a\u200eb", "a\u061cb", "a\u200bb", "a\ufeffb", "a\u2028b", "a\u2029b",
		"a\u2060b", "a\u00adb", "a\u2063b", "\u3164", "\u115f", "a\U000e0001b",
		"\u200d", "\ufe0f", "\u2800", "\u200c\u200d", "\u0301", "\u2800 \ufe0f\u2800",
	} {
		_, err := toksta.ValidateName("label", in)
		var e *toksta.Error
		if !errors.As(err, &e) || e.Code != toksta.CodeValidation || e.Details["field"] != "label" {
			t.Errorf("%+q: %v", in, err)
		}
	}
}

func FuzzValidateName(f *testing.F) {
	f.Add("name")
	f.Add("\u202e\x00")
	f.Fuzz(func(t *testing.T, in string) {
		name, err := toksta.ValidateName("name", in)
		if err != nil {
			return
		}
		if n := utf8.RuneCountInString(name); n < 1 || n > toksta.MaxName || !utf8.ValidString(name) || strings.TrimSpace(name) != name {
			t.Errorf("%q is a name", name)
		}
		if strings.ContainsFunc(name, unicode.IsControl) {
			t.Errorf("%q holds control characters", name)
		}
		if again, err := toksta.ValidateName("name", name); err != nil || again != name {
			t.Errorf("%q is no longer valid: %v", name, err)
		}
	})
}

// Guarantee: an error for the caller is distinguished from an internal one
// wherever it is wrapped, and internal text never gets a public code.
func TestError(t *testing.T) {
	t.Parallel()
	scope := &toksta.Error{Code: toksta.CodeForbidden, Reason: toksta.ReasonScopeInsufficient, Message: "m"}
	wrapped := fmt.Errorf("create a key: %w", scope)
	for _, c := range []struct {
		err, target error
		want        bool
	}{
		{scope, &toksta.Error{Code: toksta.CodeForbidden}, true},
		{wrapped, &toksta.Error{Code: toksta.CodeForbidden}, true},
		{wrapped, &toksta.Error{Code: toksta.CodeForbidden, Reason: toksta.ReasonScopeInsufficient}, true},
		{wrapped, &toksta.Error{Code: toksta.CodeForbidden, Reason: toksta.ReasonPlanFree}, false},
		{wrapped, &toksta.Error{Code: toksta.CodeNotFound}, false},
		{wrapped, errors.New("FORBIDDEN: m"), false},
		{&toksta.Error{Code: toksta.CodeForbidden}, scope, false},
	} {
		if got := errors.Is(c.err, c.target); got != c.want {
			t.Errorf("%v is %v: %v", c.err, c.target, got)
		}
	}
	for err, want := range map[error]toksta.Code{nil: "", wrapped: toksta.CodeForbidden, errors.New("x"): toksta.CodeInternal} {
		if got := toksta.ErrorCode(err); got != want {
			t.Errorf("the code of %v is %q, want %q", err, got, want)
		}
	}
	if wrapped.Error() != "create a key: FORBIDDEN: m" {
		t.Errorf("text %q", wrapped)
	}
}

// Guarantee: the grants of a node match the key: each generation is revoked by
// itself or with the whole key, and limits are present only if they narrow.
func TestGrants(t *testing.T) {
	t.Parallel()
	k := toksta.Key{
		ID: "key_1", ExpiresAt: now.Add(time.Hour),
		Generations: []toksta.Generation{{Number: 1, RevokedAt: now}, {Number: 2}},
	}
	expires := now.Add(time.Hour).UnixMilli()
	want := []toksta.Grant{
		{KeyID: "key_1", ExpiresAt: expires, Generation: 1, Revoked: true},
		{KeyID: "key_1", ExpiresAt: expires, Generation: 2},
	}
	if diff := cmp.Diff(want, k.Grants()); diff != "" {
		t.Errorf("live (-want +got):\n%s", diff)
	}
	k.RevokedAt, k.Limits.PerMinute, k.ExpiresAt = now, 5, time.Time{}
	for i, g := range k.Grants() {
		if !g.Revoked || g.Limits == nil || g.Limits.PerMinute != 5 || g.ExpiresAt != 0 {
			t.Errorf("generation %d of a revoked key: %+v", i, g)
		}
	}
	if k.Current().Number != 2 || (toksta.Key{}).Current() != (toksta.Generation{}) {
		t.Error("the current generation is not the last")
	}
}

// Guarantee: people see the state that decides on calls.
func TestKeyState(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key  toksta.Key
		want toksta.KeyState
	}{
		{toksta.Key{}, toksta.KeyLive},
		{toksta.Key{ExpiresAt: now.Add(1)}, toksta.KeyLive},
		{toksta.Key{ExpiresAt: now}, toksta.KeyExpired},
		{toksta.Key{ExpiresAt: now, RevokedAt: now}, toksta.KeyRevoked},
	} {
		if got := c.key.State(now); got != c.want {
			t.Errorf("%+v is %s, want %s", c.key, got, c.want)
		}
	}
}
