package toksta

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// Digest is the SHA-256 of a secret: the only form of it that is stored,
// looked up or passed on behind the header parser.
type Digest [sha256.Size]byte

// String returns the digest in lower-case hex. A digest is no secret (192
// random bits cannot be searched), yet it has no business in a log.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// ParseDigest reads 64 hex digits of either case.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	if len(s) != 2*len(d) {
		return d, fmt.Errorf("a digest is %d hex digits, this has %d characters", 2*len(d), len(s))
	}
	if _, err := hex.Decode(d[:], []byte(s)); err != nil {
		return d, errors.New("a digest holds hex digits only")
	}
	return d, nil
}

// Secret is the plaintext of a key between its making and the one answer that
// shows it. Its text hides behind a func value: fmt, encoding/json and
// log/slog cannot reach it, even inside an unexported field, and == does not
// compile.
type Secret struct{ reveal func() string }

// Reveal returns the plaintext. It has two call sites in the product: the
// page and the operator API that show a new secret once.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// Format writes "[secret]" for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[secret]")) }

// MarshalText refuses, so that no encoder can be handed a secret by mistake.
func (Secret) MarshalText() ([]byte, error) {
	return nil, errors.New("toksta: a secret is never encoded")
}

// secretHexLen is the length of a secret behind its prefix: 192 random bits.
const secretHexLen = 48

// visible is how many characters of a secret stay readable at either end.
const visible = 4

// KeyShape is what a secret looks like: a prefix and 48 lower-case hex digits.
type KeyShape struct{ Prefix string }

// NewSecret makes a secret and the generation that stores it: digest, visible
// start and end. The caller sets the generation's number and time.
func (k KeyShape) NewSecret() (Secret, Generation) {
	var raw [secretHexLen / 2]byte
	rand.Read(raw[:])
	text := k.Prefix + hex.EncodeToString(raw[:])
	return Secret{reveal: func() string { return text }}, Generation{
		Digest: sha256.Sum256([]byte(text)),
		Start:  text[len(k.Prefix) : len(k.Prefix)+visible],
		End:    text[len(text)-visible:],
	}
}
