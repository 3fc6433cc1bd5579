package totp

import (
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// The codes are those of RFC 6238, appendix B: the last 6 of their 8 digits.
func TestVectors(t *testing.T) {
	t.Parallel()
	secret := toksta.Hide(encoding.EncodeToString([]byte("12345678901234567890")))
	for seconds, code := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		step, ok, err := Verify(secret, code, time.Unix(seconds, 0))
		if err != nil || !ok || step != seconds/30 {
			t.Errorf("%s at %d: step %d, %v, %v", code, seconds, step, ok, err)
		}
	}
}

// A code is accepted for one step before and after its own, with the number of its own step.
func TestSkew(t *testing.T) {
	t.Parallel()
	secret := toksta.Hide(encoding.EncodeToString([]byte("12345678901234567890")))
	for after, want := range map[int64]bool{-31: false, -30: true, -1: true, 0: true, 29: true, 30: true, 59: true, 60: false} {
		// 1111111110 is the first second of the step of the code 050471.
		step, ok, err := Verify(secret, "050471", time.Unix(1111111110+after, 0))
		if err != nil || ok != want || ok && step != 1111111110/30 {
			t.Errorf("%d s after: step %d, %v, %v", after, step, ok, err)
		}
	}
	for _, code := range []string{"", "50471", "0050471", "050472", "05047l"} {
		if _, ok, _ := Verify(secret, code, time.Unix(1111111111, 0)); ok {
			t.Errorf("%q is accepted", code)
		}
	}
	if _, _, err := Verify(toksta.Hide("not base 32"), "050471", time.Now()); err == nil || strings.Contains(err.Error(), "not base 32 ") {
		t.Errorf("a malformed secret: %v", err)
	}
	if _, ok, err := Verify(toksta.Hidden{}, "328482", time.Unix(0, 0)); ok || err == nil {
		t.Error("an empty secret has codes")
	}
}

// The address has the secret once, and neither name can add a parameter.
func TestURI(t *testing.T) {
	t.Parallel()
	got := URI(toksta.Hide("JBSWY3DPEHPK3PXP"), "Ac&me: One", "ada+x@example.com").Reveal()
	const want = "otpauth://totp/Ac&me%20%20One:ada+x@example.com?issuer=Ac%26me%20%20One&secret=JBSWY3DPEHPK3PXP"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Recovery codes differ, and are recognized as people type them.
func TestRecoveryCodes(t *testing.T) {
	t.Parallel()
	codes, hashes := NewRecoveryCodes()
	seen := map[toksta.Digest]bool{}
	for i, c := range codes {
		text := c.Reveal()
		seen[hashes[i]] = true
		for _, typed := range []string{text, strings.ToLower(text), " " + strings.ReplaceAll(text, "-", " "), strings.NewReplacer("O", "0", "I", "1", "B", "8").Replace(text)} {
			if hash, ok := HashRecoveryCode(Clean(typed)); !ok || hash != hashes[i] {
				t.Errorf("%q is not recognized", typed)
			}
		}
		if IsCode(Clean(text)) {
			t.Errorf("%q looks like the code of an app", text)
		}
	}
	if len(seen) != RecoveryCodes || len(codes) != RecoveryCodes {
		t.Errorf("%d different codes", len(seen))
	}
	for _, other := range []string{"", "123456", "AAAA", strings.Repeat("A", 17), strings.Repeat("9", 16)} {
		if _, ok := HashRecoveryCode(other); ok {
			t.Errorf("%q counts as a recovery code", other)
		}
	}
}
