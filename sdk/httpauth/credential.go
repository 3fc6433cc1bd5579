package httpauth

import (
	"crypto/sha256"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

const scheme = "bearer" // compared without regard to case

// Credential returns the digest of the key in a request, from the values of the
// Authorization fields. It requires exactly one field with "Bearer" in any case,
// one or more spaces, and one token (RFC 6750, b64token), which is hashed byte for
// byte. It returns an *toksta.Error with the code UNAUTHORIZED and the reason
// key_missing if there is no field, and key_malformed if the field has another
// form. The error never holds any part of the field. No other part of a request
// can carry a key.
func Credential(fields []string) (toksta.Digest, error) {
	if len(fields) == 0 {
		return toksta.Digest{}, toksta.Reject(toksta.ReasonKeyMissing).Err()
	}
	token, ok := bearerToken(fields)
	if !ok {
		return toksta.Digest{}, toksta.Reject(toksta.ReasonKeyMalformed).Err()
	}
	// Keys fit the buffer, which keeps them off the heap.
	var text [64]byte
	return sha256.Sum256(append(text[:0], token...)), nil
}

// bearerToken returns the token of the one field, and whether the field has the
// form of a bearer credential.
func bearerToken(fields []string) (token string, ok bool) {
	value := strings.Trim(fields[0], " \t")
	if len(fields) > 1 || len(value) <= len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) || value[len(scheme)] != ' ' {
		return "", false
	}
	token = strings.TrimLeft(value[len(scheme):], " ")
	return token, isToken(token)
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
