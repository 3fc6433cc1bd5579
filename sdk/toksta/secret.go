package toksta

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// Digest is the SHA-256 of a secret: the only form that is stored, looked up, or
// passed on after the Authorization field is parsed.
type Digest [sha256.Size]byte

// String returns the digest in lower-case hex. A digest is not secret, because
// 192 random bits cannot be guessed, but logs do not need it.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// ParseDigest parses 64 hex digits of either case.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	if len(s) != 2*len(d) {
		return d, fmt.Errorf("a digest has %d hex digits, this text has %d characters", 2*len(d), len(s))
	}
	if _, err := hex.Decode(d[:], []byte(s)); err != nil {
		return d, errors.New("a digest has only hex digits")
	}
	return d, nil
}

// Secret is the plaintext of a new key, from its creation to the one response
// that shows it. It cannot be printed or encoded.
type Secret struct{ unprintable }

// Reveal returns the plaintext, "" for the zero value. Only the page and the
// operator API that show a new secret once call it.
func (s Secret) Reveal() string { return s.reveal() }

const (
	secretHexLen = 48 // hex digits of a secret after its prefix: 192 random bits
	visible      = 4  // characters that stay readable at either end of a secret
)

// KeyShape is the form of all secrets: a prefix and 48 lower-case hex digits.
type KeyShape struct{ Prefix string }

// NewSecret creates a secret, and the generation that stores its digest and its
// visible characters. The caller sets the generation's number and time.
func (k KeyShape) NewSecret() (Secret, Generation) {
	var raw [secretHexLen / 2]byte
	rand.Read(raw[:])
	text := k.Prefix + hex.EncodeToString(raw[:])
	return Secret{conceal(text)}, Generation{
		Digest: sha256.Sum256([]byte(text)),
		Start:  text[len(k.Prefix) : len(k.Prefix)+visible],
		End:    text[len(text)-visible:],
	}
}

// Preview returns the visible part of a secret, "tk_live_a1b2…9f0e": enough for
// people to distinguish two keys.
func (k KeyShape) Preview(g Generation) string { return k.Prefix + g.Start + "…" + g.End }
