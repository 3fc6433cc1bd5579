package signin

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/signin/passkey"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// challengeLifetime is the time in which a browser must respond to a challenge.
const challengeLifetime = 10 * time.Minute

// The purposes of challenges. A response to one of them proves nothing for another.
const (
	purposePasskeySignIn  = "passkey.signin"
	purposePasskeyFactor  = "passkey.factor"
	purposePasskeyConfirm = "passkey.confirm"
	purposePasskeyAdd     = "passkey.add"
)

// PasskeyChallenge is a challenge for the authenticators of a browser.
type PasskeyChallenge struct {
	Options []byte // JSON, for navigator.credentials
	// Browser is the cookie that binds the challenge to the browser.
	Browser toksta.Hidden
}

// PasskeyResponse is the response of a browser to a challenge.
type PasskeyResponse struct {
	Browser  toksta.Hidden // the cookie
	Response string        // JSON of the browser
	Name     string        // of a new passkey; "": the browser of the request
}

// BeginPasskeySignIn returns a challenge for any passkey, which then tells the person. The parameter
// browser is the cookie of an earlier challenge, zero for none.
func (s *Service) BeginPasskeySignIn(ctx context.Context, from Origin, browser toksta.Hidden) (PasskeyChallenge, error) {
	if err := s.hasPasskeys(); err != nil {
		return PasskeyChallenge{}, err
	}
	// Each challenge is a row, and needs no proof.
	if err := s.Throttle.Count(ctx, Name{ScopeChallenge, from.Network()}); err != nil {
		return PasskeyChallenge{}, err
	}
	c, err := s.Passkeys.BeginProof(nil)
	if err != nil {
		return PasskeyChallenge{}, err
	}
	return s.keepChallenge(ctx, browser, store.Ticket{Purpose: purposePasskeySignIn}, c)
}

// SignInWithPasskey starts a session for the owner of a passkey. The passkey verified the person,
// so it proves two factors. If the response is rejected, the error is about the field "passkey" and
// wraps a *Failure.
func (s *Service) SignInWithPasskey(ctx context.Context, from Origin, req PasskeyResponse) (Admission, error) {
	proved, err := s.prove(ctx, req, store.Ticket{Purpose: purposePasskeySignIn})
	if err != nil {
		return Admission{}, &Failure{Member: proved.Member.ID, err: err}
	}
	proved.Method = MethodPasskey
	return s.admit(ctx, from, proved)
}

// BeginPasskeyFactor returns a challenge for the passkeys of the person whose sign-in is pending.
func (s *Service) BeginPasskeyFactor(ctx context.Context, cookie, browser toksta.Hidden) (PasskeyChallenge, error) {
	p, err := s.readPending(ctx, cookie)
	if err != nil {
		return PasskeyChallenge{}, err
	}
	return s.challengeMember(ctx, p.Member, browser, purposePasskeyFactor)
}

// CompleteWithPasskey ends a pending sign-in with a passkey of the same person.
func (s *Service) CompleteWithPasskey(ctx context.Context, from Origin, cookie toksta.Hidden, req PasskeyResponse) (SignedIn, error) {
	p, err := s.readPending(ctx, cookie)
	if err != nil {
		return SignedIn{}, err
	}
	proved, err := s.prove(ctx, req, store.Ticket{Purpose: purposePasskeyFactor, MemberID: p.Member.ID})
	if err != nil {
		return SignedIn{}, err
	}
	p.Passkey = proved.Passkey
	return s.complete(ctx, from, p, FactorPasskey)
}

// BeginPasskeyConfirm returns a challenge for the passkeys of a signed-in member.
func (s *Service) BeginPasskeyConfirm(ctx context.Context, id Identity, browser toksta.Hidden) (PasskeyChallenge, error) {
	if err := denyBound(id); err != nil {
		return PasskeyChallenge{}, err
	}
	return s.challengeMember(ctx, id.Member, browser, purposePasskeyConfirm)
}

// ConfirmWithPasskey verifies a passkey of a signed-in member and replaces the session by a new one.
func (s *Service) ConfirmWithPasskey(ctx context.Context, from Origin, id Identity, req PasskeyResponse) (SignedIn, error) {
	if err := denyBound(id); err != nil {
		return SignedIn{}, err
	}
	proved, err := s.prove(ctx, req, store.Ticket{Purpose: purposePasskeyConfirm, MemberID: id.Member.ID})
	if err != nil {
		return SignedIn{}, err
	}
	proved.Factor = FactorPasskey
	return s.renew(ctx, from, id, proved)
}

// challengeMember returns a challenge for the passkeys of a member.
func (s *Service) challengeMember(ctx context.Context, m toksta.Member, browser toksta.Hidden, purpose string) (PasskeyChallenge, error) {
	if err := s.hasPasskeys(); err != nil {
		return PasskeyChallenge{}, err
	}
	owner, err := s.ownerOf(ctx, m)
	switch {
	case err != nil:
		return PasskeyChallenge{}, err
	case len(owner.Passkeys) == 0:
		return PasskeyChallenge{}, toksta.Invalid("passkey", "You have no passkey yet.")
	}
	c, err := s.Passkeys.BeginProof(&owner)
	if err != nil {
		return PasskeyChallenge{}, err
	}
	return s.keepChallenge(ctx, browser, store.Ticket{Purpose: purpose, MemberID: m.ID}, c)
}

// keepChallenge stores a challenge as the ticket t. It can be used once, by the browser with the
// cookie.
func (s *Service) keepChallenge(ctx context.Context, browser toksta.Hidden, t store.Ticket, c passkey.Ceremony) (PasskeyChallenge, error) {
	id, ok := challengeID(browser, c.Challenge)
	if !ok {
		browser, _ = newSecret()
		id, _ = challengeID(browser, c.Challenge)
	}
	t.ID, t.Data, t.ExpiresAt = id, c.State, s.now().Add(challengeLifetime)
	if err := s.Tickets.PutTicket(ctx, t); err != nil {
		return PasskeyChallenge{}, ifNotFound(fmt.Errorf("store the challenge for a passkey: %w", err), notSignedIn()) // erased
	}
	return PasskeyChallenge{Options: c.Options, Browser: browser}, nil
}

// challengeID returns the id of the ticket of a challenge in a browser; ok is false if the cookie
// is malformed.
func challengeID(browser toksta.Hidden, challenge string) (id toksta.Digest, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(browser.Reveal())
	if err != nil || len(raw) != secretLen {
		return id, false
	}
	return sha256.Sum256(append(raw, challenge...)), true
}

// takeChallenge uses the challenge to which a browser responds and returns its state. The challenge
// is used up also if the response is rejected later.
func (s *Service) takeChallenge(ctx context.Context, req PasskeyResponse, want store.Ticket) (string, error) {
	if err := s.hasPasskeys(); err != nil {
		return "", err
	}
	id, ok := challengeID(req.Browser, passkey.ChallengeOf(req.Response))
	if !ok {
		return "", lateResponse()
	}
	t, err := s.Tickets.UseTicket(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return "", lateResponse()
	case err != nil:
		return "", fmt.Errorf("use the challenge for a passkey: %w", err)
	case t.Purpose != want.Purpose, t.MemberID != want.MemberID, !s.now().Before(t.ExpiresAt):
		return "", lateResponse()
	}
	return t.Data, nil
}

// prove verifies the response to a challenge and returns the proof: the passkey and its owner. If want
// has a member, it is a passkey of this member. With an error, the proof has the owner as far as known.
func (s *Service) prove(ctx context.Context, req PasskeyResponse, want store.Ticket) (p proof, err error) {
	state, err := s.takeChallenge(ctx, req, want)
	if err != nil {
		return p, err
	}
	var used store.Passkey
	proved, err := s.Passkeys.FinishProof(state, req.Response, func(credential []byte) (owner passkey.Person, err error) {
		used, err = s.Store.Passkey(ctx, credential)
		if errors.Is(err, store.ErrNotFound) || err == nil && want.MemberID != "" && used.MemberID != want.MemberID {
			return owner, unknownPasskey()
		}
		if err != nil {
			return owner, fmt.Errorf("read a passkey: %w", err)
		}
		p.Passkey = used.Credential
		if p.Member, err = s.Store.Member(ctx, used.MemberID); err != nil {
			return owner, fmt.Errorf("read the owner of a passkey: %w", err)
		}
		return s.ownerOf(ctx, p.Member)
	})
	switch {
	case errors.Is(err, passkey.ErrRejected):
		return p, fmt.Errorf("%w (%w)", rejectedPasskey(), err)
	case err != nil:
		return p, err
	case !p.Member.DisabledAt.IsZero():
		return p, unknownPasskey()
	}
	return p, s.notePasskey(ctx, used, proved)
}

// notePasskey notes a use. If the sign count did not grow, a copy of the passkey can exist: the time
// is noted for the owner and the use is rejected. Authenticators without a count always send 0.
func (s *Service) notePasskey(ctx context.Context, p store.Passkey, proved passkey.Credential) error {
	was := p.SignCount
	p.SignCount, p.BackupEligible, p.BackedUp = proved.SignCount, proved.BackupEligible, proved.BackedUp
	if proved.Suspect {
		p.SuspectedAt = s.now()
	} else {
		p.UsedAt = s.now()
	}
	switch err := s.Factors.UsePasskey(ctx, p, was); {
	case errors.Is(err, store.ErrNotFound): // removed, or used at the same moment
		return rejectedPasskey()
	case err != nil:
		return fmt.Errorf("note the use of a passkey: %w", err)
	case proved.Suspect:
		return toksta.Invalid("passkey", "The counter of this passkey went back, so a copy of it can exist. Sign in another way and remove the passkey.")
	}
	return nil
}

// ownerOf returns a member with the passkeys, for a ceremony. The handle is the member's id: it is
// random, not personal, and stays when the address changes.
func (s *Service) ownerOf(ctx context.Context, m toksta.Member) (passkey.Person, error) {
	owner := passkey.Person{Handle: string(m.ID), Email: m.Email, Name: m.Name}
	rows, err := s.Store.ListPasskeys(ctx, m.ID)
	if err != nil {
		return owner, fmt.Errorf("list the passkeys of member %s: %w", m.ID, err)
	}
	for _, p := range rows {
		owner.Passkeys = append(owner.Passkeys, passkey.Credential{
			ID: p.Credential, PublicKey: p.PublicKey, SignCount: p.SignCount,
			BackupEligible: p.BackupEligible, BackedUp: p.BackedUp, AAGUID: p.AAGUID, Transports: p.Transports,
		})
	}
	return owner, nil
}

// hasPasskeys returns NOT_FOUND if passkeys are switched off.
func (s *Service) hasPasskeys() error {
	if s.Passkeys == nil {
		return toksta.NotFound("passkey")
	}
	return nil
}

// lateResponse returns the same error for a response to a challenge that is unknown, used, expired
// or of another browser, person or purpose.
func lateResponse() error {
	return toksta.Invalid("passkey", "This took too long. Try again.")
}

// unknownPasskey returns the same error for a passkey that is unknown, removed, of another person
// or of a disabled one.
func unknownPasskey() error {
	return toksta.Invalid("passkey", "This passkey is not known here. Use another one, or another way.")
}

// rejectedPasskey returns the error for a response that does not prove the passkey.
func rejectedPasskey() error {
	return toksta.Invalid("passkey", "The passkey could not be verified. Try again, or use another way.")
}
