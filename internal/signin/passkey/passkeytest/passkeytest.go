// Package passkeytest has an authenticator in software for tests: it makes passkeys and proves them
// as a browser does, and can break each rule of WebAuthn that a server must verify.
package passkeytest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// Authenticator is a browser with an authenticator. It is not safe for concurrent use. The fields
// can be changed between ceremonies.
type Authenticator struct {
	Origin string // of the page that calls it
	Domain string // that it signs for (RP ID)
	// Unverified leaves out the verification of the person.
	Unverified bool
	// BackupEligible and BackedUp are the flags that it sends.
	BackupEligible, BackedUp bool
	// Count is the sign count of the last proof; each proof sends the next one. Fixed sends Count
	// unchanged.
	Count uint32
	Fixed bool
	// Type is the type that the browser states, "" for the right one.
	Type string

	passkeys []passkey
}

type passkey struct {
	id     []byte
	handle string
	key    *ecdsa.PrivateKey
}

// The flags of authenticator data.
const (
	flagPresent  = 1 << 0
	flagVerified = 1 << 2
	flagEligible = 1 << 3
	flagBackedUp = 1 << 4
	flagAttested = 1 << 6
)

// Use returns an authenticator that has only passkey i of a.
func (a *Authenticator) Use(i int) *Authenticator {
	one := *a
	one.passkeys = []passkey{a.passkeys[i]}
	return &one
}

// As returns an authenticator whose passkeys state another handle.
func (a *Authenticator) As(handle string) *Authenticator {
	other := *a
	other.passkeys = nil
	for _, p := range a.passkeys {
		other.passkeys = append(other.passkeys, passkey{p.id, base64.RawURLEncoding.EncodeToString([]byte(handle)), p.key})
	}
	return &other
}

// Create makes a passkey for the options of a registration and returns the response. It fails if
// the options exclude one of its passkeys.
func (a *Authenticator) Create(options []byte) (string, error) {
	var o struct {
		Challenge string `json:"challenge"`
		User      struct {
			ID string `json:"id"`
		} `json:"user"`
		Exclude []struct {
			ID string `json:"id"`
		} `json:"excludeCredentials"`
	}
	if err := json.Unmarshal(options, &o); err != nil {
		return "", err
	}
	for _, p := range a.passkeys {
		for _, e := range o.Exclude {
			if e.ID == encode(p.id) {
				return "", errors.New("the authenticator has a passkey of this person")
			}
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	p := passkey{id: make([]byte, 32), handle: o.User.ID, key: key}
	rand.Read(p.id)
	a.passkeys = append(a.passkeys, p)
	public, err := key.PublicKey.Bytes()
	if err != nil {
		return "", err
	}
	data := a.data(flagAttested, a.Count)
	data = append(data, make([]byte, 16)...) // no model
	data = binary.BigEndian.AppendUint16(data, uint16(len(p.id)))
	data = append(data, p.id...)
	// COSE: {1: 2, 3: -7, -1: 1, -2: x, -3: y}.
	data = append(data, 0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32)
	data = append(append(append(data, public[1:33]...), 0x22, 0x58, 32), public[33:]...)
	// CBOR: {"fmt": "none", "attStmt": {}, "authData": data}.
	object := append([]byte{0xa3, 0x63}, "fmt\x64none\x67attStmt\xa0\x68authData\x59"...)
	object = append(binary.BigEndian.AppendUint16(object, uint16(len(data))), data...)
	return response(p.id, map[string]any{
		"clientDataJSON": encode(a.client("webauthn.create", o.Challenge)), "attestationObject": encode(object), "transports": []string{"internal"},
	})
}

// Get proves a passkey for the options of a proof and returns the response: the first permitted
// passkey of the authenticator, or its first one if the options permit any.
func (a *Authenticator) Get(options []byte) (string, error) {
	var o struct {
		Challenge string `json:"challenge"`
		Allow     []struct {
			ID string `json:"id"`
		} `json:"allowCredentials"`
	}
	if err := json.Unmarshal(options, &o); err != nil {
		return "", err
	}
	if len(a.passkeys) == 0 {
		return "", errors.New("the authenticator has no passkey")
	}
	p := a.passkeys[0]
	for _, mine := range a.passkeys {
		for _, allowed := range o.Allow {
			if allowed.ID == encode(mine.id) {
				p = mine
			}
		}
	}
	if !a.Fixed {
		a.Count++
	}
	client, data := a.client("webauthn.get", o.Challenge), a.data(0, a.Count)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(bytes.Clone(data), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, p.key, digest[:])
	if err != nil {
		return "", err
	}
	return response(p.id, map[string]any{
		"clientDataJSON": encode(client), "authenticatorData": encode(data), "signature": encode(signature), "userHandle": p.handle,
	})
}

// client returns the client data of the browser.
func (a *Authenticator) client(kind, challenge string) []byte {
	if a.Type != "" {
		kind = a.Type
	}
	return fmt.Appendf(nil, `{"type":%q,"challenge":%q,"origin":%q,"crossOrigin":false}`, kind, challenge, a.Origin)
}

// data returns the authenticator data without credential.
func (a *Authenticator) data(flags byte, count uint32) []byte {
	domain := sha256.Sum256([]byte(a.Domain))
	flags |= flagPresent
	if !a.Unverified {
		flags |= flagVerified
	}
	if a.BackupEligible {
		flags |= flagEligible
	}
	if a.BackedUp {
		flags |= flagBackedUp
	}
	return binary.BigEndian.AppendUint32(append(domain[:], flags), count)
}

func response(id []byte, parts map[string]any) (string, error) {
	text, err := json.Marshal(map[string]any{
		"id": encode(id), "rawId": encode(id), "type": "public-key", "clientExtensionResults": map[string]any{}, "response": parts,
	})
	return string(text), err
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
