package httpauth

import (
	"crypto/sha256"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// The messages of every 401. The form of a credential is no secret. Why a
// well-formed key is not valid goes to the log and to the key's owner, never to
// the caller.
const (
	messageMissing   = "Provide an API key using the Authorization: Bearer header."
	messageMalformed = "Send one Authorization header with the word Bearer, a space, and the API key."
	messageInvalid   = "The API key is not valid."
)

// scheme has no case.
const scheme = "bearer"

// Credential turns the values of a request's Authorization fields into the
// digest of the key in them. There must be one field, "Bearer" in any case,
// one or more spaces, and one token (RFC 6750, b64token); the token is taken
// byte for byte. Anything else is an *toksta.Error UNAUTHORIZED with the
// reason key_missing (no field at all) or key_malformed. No other place of a
// request is a place for a key, and the error never holds what was sent.
func Credential(fields []string) (toksta.Digest, error) {
	if len(fields) == 0 {
		return toksta.Digest{}, &toksta.Error{
			Code: toksta.CodeUnauthorized, Reason: toksta.ReasonKeyMissing, Message: messageMissing,
		}
	}
	if len(fields) > 1 {
		return toksta.Digest{}, malformed()
	}
	value := strings.Trim(fields[0], " \t")
	if len(value) <= len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) || value[len(scheme)] != ' ' {
		return toksta.Digest{}, malformed()
	}
	token := strings.TrimLeft(value[len(scheme):], " ")
	if !isToken(token) {
		return toksta.Digest{}, malformed()
	}
	// Keys fit the buffer, which keeps them off the heap.
	var text [64]byte
	return sha256.Sum256(append(text[:0], token...)), nil
}

// malformed is the error for every Authorization that cannot hold a key.
func malformed() error {
	return &toksta.Error{
		Code: toksta.CodeUnauthorized, Reason: toksta.ReasonKeyMalformed, Message: messageMalformed,
	}
}

// isToken reports whether s is a b64token: no space, comma, quote or byte
// outside ASCII can be part of a key.
func isToken(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		if c := body[i]; !isAlphanumeric(c) && strings.IndexByte("-._~+/", c) < 0 {
			return false
		}
	}
	return body != ""
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
