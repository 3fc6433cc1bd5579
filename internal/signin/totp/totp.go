// Package totp computes and verifies time-based one-time passwords (RFC 6238), as
// authenticator apps show them, and makes recovery codes.
//
// It uses SHA-1, 6 digits and steps of 30 seconds, the only parameters that all apps support.
// The package is pure: the caller keeps the secrets and accepts each time step once.
package totp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" // RFC 6238; HMAC does not need a hash without collisions
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

const (
	digits    = 6
	modulo    = 1_000_000
	stepLen   = 30 // seconds
	skew      = 1  // accepted steps before and after the current one
	secretLen = 20 // bytes, the length of a SHA-1: RFC 4226, section 4
)

var encoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewSecret returns a random secret in base 32, as people type it into an app.
func NewSecret() toksta.Hidden {
	var raw [secretLen]byte
	rand.Read(raw[:])
	return toksta.Hide(encoding.EncodeToString(raw[:]))
}

// Verify returns the time step whose code is code, at most one step from now. ok is false if
// there is none. The caller must reject a step that it accepted before. The error is about a
// malformed secret.
func Verify(secret toksta.Hidden, code string, now time.Time) (step int64, ok bool, err error) {
	key, err := encoding.DecodeString(secret.Reveal())
	if err != nil || len(key) == 0 {
		return 0, false, errors.New("the secret of an authenticator app is not base 32")
	}
	current := now.Unix() / stepLen
	// All steps are compared, so that the time does not show which one matches. Of two steps
	// with the same code, the later one counts.
	for s := current - skew; s <= current+skew; s++ {
		if subtle.ConstantTimeCompare([]byte(codeOf(key, s)), []byte(code)) == 1 {
			step, ok = s, true
		}
	}
	return step, ok, nil
}

// codeOf returns the code of a time step (RFC 4226, section 5.3).
func codeOf(key []byte, step int64) string {
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, step)
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	number := binary.BigEndian.Uint32(sum[offset:]) & 0x7fff_ffff
	return fmt.Sprintf("%0*d", digits, number%modulo)
}

// URI returns the address that an app reads from a QR code. It contains the secret. issuer and
// account are shown in the app.
func URI(secret toksta.Hidden, issuer, account string) toksta.Hidden {
	issuer = strings.ReplaceAll(issuer, ":", " ") // the label is split at the first colon
	u := url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + issuer + ":" + account}
	u.RawQuery = strings.ReplaceAll(url.Values{"secret": {secret.Reveal()}, "issuer": {issuer}}.Encode(), "+", "%20")
	return toksta.Hide(u.String())
}

// IsCode reports whether text has the form of a code of an app, after Clean.
func IsCode(text string) bool {
	return len(text) == digits && strings.Trim(text, "0123456789") == ""
}

// Clean returns a typed code without spaces and hyphens, in upper case.
func Clean(typed string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '-' || r == ' ' || r == '\u00a0' || r == '\t':
			return -1
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		}
		return r
	}, typed)
}
