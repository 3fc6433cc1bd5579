package oidc

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"

	"github.com/toksta/toksta/sdk/toksta"
)

// Attempt is one sign-in by a provider. It holds one random secret, which the browser keeps in a
// cookie. State, nonce and the code verifier of PKCE are derived from it, so all three prove that the
// response belongs to this browser, and none is stored at the server.
type Attempt struct{ secret toksta.Hidden }

// secretLen is the length of the random secret, in bytes.
const secretLen = 32

// NewAttempt returns an attempt with a new secret.
func NewAttempt() Attempt {
	var raw [secretLen]byte
	rand.Read(raw[:])
	return Attempt{toksta.Hide(base64.RawURLEncoding.EncodeToString(raw[:]))}
}

// ResumeAttempt returns the attempt that the browser with the cookie began.
func ResumeAttempt(cookie toksta.Hidden) Attempt { return Attempt{cookie} }

// Cookie returns the value that the browser keeps.
func (a Attempt) Cookie() toksta.Hidden { return a.secret }

// State returns the state parameter, which the provider sends back.
func (a Attempt) State() string { return a.derive("state") }

func (a Attempt) nonce() string { return a.derive("nonce") }

// verifier returns the code verifier of RFC 7636. It is sent only to the token endpoint.
func (a Attempt) verifier() string { return a.derive("verifier") }

// derive returns 256 bits that reveal neither the secret nor the bits for another purpose.
func (a Attempt) derive(purpose string) string {
	mac := hmac.New(sha256.New, []byte(a.secret.Reveal()))
	mac.Write([]byte(purpose))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
