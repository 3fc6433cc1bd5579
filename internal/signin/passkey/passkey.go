// Package passkey speaks WebAuthn with browsers: it makes the options of a ceremony, and verifies
// the response of the browser. Its ceremonies are those of passkeys: the authenticator keeps the
// credential and the person's handle, so the person types no user name, and it verifies the person.
//
// The package wraps go-webauthn, which parses the formats and verifies the signatures. It knows no
// database and no request. The caller keeps the state of a ceremony, and uses it once.
package passkey

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// ErrRejected means that a response does not prove the passkey: its signature, challenge, origin or
// domain is another one, or the authenticator did not verify the person. The wrapped error has the
// reason, for the log.
var ErrRejected = errors.New("the passkey is rejected")

// Config configures a Party.
type Config struct {
	// Domain is the domain for which passkeys are made (RP ID): the host of the pages, or a
	// parent domain of it. Passkeys of another domain do not work.
	Domain string
	// Origin is the only origin of pages that can use the passkeys: "https://keys.example.com".
	Origin string
	// Name is the name of the product, which authenticators show.
	Name string
}

// Party is the relying party of WebAuthn. It is safe for concurrent use.
type Party struct{ web *webauthn.WebAuthn }

// New returns a Party. It returns an error if the domain cannot have passkeys, as an IP address.
func New(c Config) (*Party, error) {
	if err := protocol.ValidateRPID(c.Domain); err != nil {
		return nil, fmt.Errorf("passkeys for the domain %q: %w", c.Domain, err)
	}
	resident := true
	web, err := webauthn.New(&webauthn.Config{
		RPID: c.Domain, RPDisplayName: c.Name, RPOrigins: []string{c.Origin},
		// No attestation: a list of permitted authenticators would exclude people, and the
		// attestation can identify a device.
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: &resident,
			UserVerification: protocol.VerificationRequired,
		},
		// No extension is used, so outputs that some clients add unasked change nothing.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, fmt.Errorf("configure passkeys: %w", err)
	}
	return &Party{web}, nil
}

// Person is the owner of passkeys.
type Person struct {
	// Handle names the person in the authenticator. It is not personal, and never changes.
	Handle string
	// Email and Name are shown when the person chooses a passkey.
	Email, Name string
	Passkeys    []Credential
}

// Credential is the public part of a passkey.
type Credential struct {
	ID, PublicKey []byte
	SignCount     uint32
	// BackupEligible and BackedUp report whether the authenticator can and does copy the passkey.
	BackupEligible, BackedUp bool
	AAGUID                   string // the model of the authenticator, in hex
	Transports               string // separated by commas
	// Suspect is set if the sign count did not grow: there can be a copy of the passkey.
	Suspect bool
}

// Ceremony is a registration or a proof that has begun.
type Ceremony struct {
	Options []byte // JSON for the browser
	// Challenge identifies the ceremony, also in the response. It is not secret.
	Challenge string
	State     string // for the Finish method
}

// BeginRegistration returns the options for a new passkey of the person. Authenticators with a
// passkey of the person make no second one.
func (p *Party) BeginRegistration(person Person) (Ceremony, error) {
	owner := user{person}
	options, session, err := p.web.BeginRegistration(owner,
		webauthn.WithExclusions(webauthn.Credentials(owner.WebAuthnCredentials()).CredentialDescriptors()))
	if err != nil {
		return Ceremony{}, fmt.Errorf("begin to register a passkey: %w", err)
	}
	return ceremony(options.Response, session)
}

// BeginProof returns the options for a proof with one of the person's passkeys. If person is nil, it
// is a proof with any passkey, which tells the person.
func (p *Party) BeginProof(person *Person) (Ceremony, error) {
	var options *protocol.CredentialAssertion
	var session *webauthn.SessionData
	var err error
	if person == nil {
		options, session, err = p.web.BeginDiscoverableLogin()
	} else {
		options, session, err = p.web.BeginLogin(user{*person})
	}
	if err != nil {
		return Ceremony{}, fmt.Errorf("begin a proof with a passkey: %w", err)
	}
	return ceremony(options.Response, session)
}

// ceremony returns a ceremony with its options and state as JSON.
func ceremony(options any, session *webauthn.SessionData) (Ceremony, error) {
	text, err := json.Marshal(options)
	if err != nil {
		return Ceremony{}, err
	}
	state, err := json.Marshal(session)
	return Ceremony{Options: text, Challenge: session.Challenge, State: string(state)}, err
}

// ChallengeOf returns the challenge to which a response claims to be the answer, "" if it has none.
// The Finish methods verify the claim.
func ChallengeOf(response string) string {
	var outer struct {
		Response struct {
			ClientData protocol.URLEncodedBase64 `json:"clientDataJSON"`
		} `json:"response"`
	}
	var inner struct {
		Challenge string `json:"challenge"`
	}
	if json.Unmarshal([]byte(response), &outer) != nil || json.Unmarshal(outer.Response.ClientData, &inner) != nil {
		return ""
	}
	return inner.Challenge
}

// FinishRegistration verifies the response to BeginRegistration and returns the new passkey. If
// the response proves none, the error wraps ErrRejected.
func (p *Party) FinishRegistration(person Person, state, response string) (Credential, error) {
	session, err := parseState(state)
	if err != nil {
		return Credential{}, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(response))
	if err != nil {
		return Credential{}, rejected(err)
	}
	made, err := p.web.CreateCredential(user{person}, session, parsed)
	if err != nil {
		return Credential{}, rejected(err)
	}
	return fromLibrary(*made), nil
}

// Find returns the owner of a passkey, with this passkey among those of the owner.
type Find func(credential []byte) (Person, error)

// FinishProof verifies the response to BeginProof and returns the passkey, with the sign count and
// the backup flags of the response. If the response does not prove it, the error wraps ErrRejected;
// an error of find is returned as it is.
func (p *Party) FinishProof(state, response string, find Find) (Credential, error) {
	session, err := parseState(state)
	if err != nil {
		return Credential{}, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(response))
	if err != nil {
		return Credential{}, rejected(err)
	}
	person, err := find(parsed.RawID)
	if err != nil {
		return Credential{}, err
	}
	// Nothing depends on the backup flags, so a passkey whose flags changed stays valid.
	for i := range person.Passkeys {
		person.Passkeys[i].BackupEligible = parsed.Response.AuthenticatorData.Flags.HasBackupEligible()
	}
	owner := user{person}
	var proved *webauthn.Credential
	if len(session.UserID) > 0 {
		proved, err = p.web.ValidateLogin(owner, session, parsed)
	} else {
		_, proved, err = p.web.ValidatePasskeyLogin(func(_, _ []byte) (webauthn.User, error) { return owner, nil }, session, parsed)
	}
	if err != nil {
		return Credential{}, rejected(err)
	}
	return fromLibrary(*proved), nil
}

func parseState(state string) (session webauthn.SessionData, err error) {
	if err := json.Unmarshal([]byte(state), &session); err != nil {
		return session, fmt.Errorf("read the state of a passkey ceremony: %w", err)
	}
	// The library verifies only the things that the state requires.
	if session.UserVerification != protocol.VerificationRequired || session.Challenge == "" {
		return session, errors.New("the state of a passkey ceremony does not require to verify the person")
	}
	return session, nil
}

// rejected returns an error that wraps ErrRejected, with the reason of the library.
func rejected(err error) error {
	if detailed, ok := errors.AsType[*protocol.Error](err); ok && detailed.DevInfo != "" {
		return fmt.Errorf("%w: %s: %s", ErrRejected, detailed.Details, detailed.DevInfo)
	}
	return fmt.Errorf("%w: %w", ErrRejected, err)
}

// user adapts a Person to the interface of the library.
type user struct{ Person }

// WebAuthnID implements [webauthn.User].
func (u user) WebAuthnID() []byte { return []byte(u.Handle) }

// WebAuthnName implements [webauthn.User].
func (u user) WebAuthnName() string { return u.Email }

// WebAuthnDisplayName implements [webauthn.User].
func (u user) WebAuthnDisplayName() string { return u.Name }

// WebAuthnCredentials implements [webauthn.User].
func (u user) WebAuthnCredentials() (out []webauthn.Credential) {
	for _, c := range u.Passkeys {
		aaguid, _ := hex.DecodeString(c.AAGUID)
		var transports []protocol.AuthenticatorTransport
		for name := range strings.SplitSeq(c.Transports, ",") {
			if name != "" {
				transports = append(transports, protocol.AuthenticatorTransport(name))
			}
		}
		out = append(out, webauthn.Credential{
			ID: c.ID, PublicKey: c.PublicKey, Transport: transports,
			// Only passkeys that verified the person are stored.
			Flags:         webauthn.CredentialFlags{UserPresent: true, UserVerified: true, BackupEligible: c.BackupEligible, BackupState: c.BackedUp},
			Authenticator: webauthn.Authenticator{AAGUID: aaguid, SignCount: c.SignCount},
		})
	}
	return out
}

// fromLibrary returns the part of a credential that is stored.
func fromLibrary(c webauthn.Credential) Credential {
	var transports []string
	for _, t := range c.Transport {
		transports = append(transports, string(t))
	}
	return Credential{
		ID: c.ID, PublicKey: c.PublicKey, SignCount: c.Authenticator.SignCount, Suspect: c.Authenticator.CloneWarning,
		BackupEligible: c.Flags.BackupEligible, BackedUp: c.Flags.BackupState,
		AAGUID: hex.EncodeToString(c.Authenticator.AAGUID), Transports: strings.Join(transports, ","),
	}
}
