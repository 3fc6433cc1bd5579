package totp

import (
	"crypto/rand"
	"crypto/sha256"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// RecoveryCodes is the number of recovery codes that a person gets at once.
const RecoveryCodes = 10

// recoveryLen is the length of a recovery code in bytes: 80 random bits, which cannot be guessed,
// also not from the SHA-256 of the code.
const recoveryLen = 10

// NewRecoveryCodes returns new codes, such as "K7QD-2MXA-PL5T-VB3E", and their stored forms.
func NewRecoveryCodes() (codes []toksta.Hidden, hashes []toksta.Digest) {
	for range RecoveryCodes {
		var raw [recoveryLen]byte
		rand.Read(raw[:])
		text := encoding.EncodeToString(raw[:])
		codes = append(codes, toksta.Hide(text[:4]+"-"+text[4:8]+"-"+text[8:12]+"-"+text[12:]))
		hashes = append(hashes, sha256.Sum256([]byte(text)))
	}
	return codes, hashes
}

// misread replaces the digits that are not in base 32 by the letters with which people confuse
// them.
var misread = strings.NewReplacer("0", "O", "1", "I", "8", "B")

// HashRecoveryCode returns the stored form of a typed code, after Clean. ok is false if the text
// cannot be a recovery code.
func HashRecoveryCode(text string) (hash toksta.Digest, ok bool) {
	text = misread.Replace(text)
	raw, err := encoding.DecodeString(text)
	if err != nil || len(raw) != recoveryLen || len(text) != encoding.EncodedLen(recoveryLen) {
		return hash, false
	}
	return sha256.Sum256([]byte(text)), true
}
