package signin

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Admission is the result of a proof of identity: a session or, if the person must prove a
// second factor first, a pending sign-in.
type Admission struct {
	SignedIn // zero while the sign-in is pending
	// Pending is the cookie of a pending sign-in, which is no session. Zero: the person is signed
	// in.
	Pending toksta.Hidden
}

// IsPending reports whether the sign-in waits for a second factor.
func (a Admission) IsPending() bool { return a.Session.id == toksta.Digest{} }

// Factor is a proof that the person added to the first one.
type Factor string

// The factors, as they stand in the change log.
const (
	FactorTOTP     Factor = "totp"
	FactorRecovery Factor = "recovery_code"
	FactorPasskey  Factor = "passkey"
)

// PendingLifetime is the time in which a person must prove the second factor.
const PendingLifetime = 10 * time.Minute

// purposePending is the purpose of the ticket of a pending sign-in.
const purposePending = "signin.pending"

// pendingData is the part of a proof that is stored in the ticket of a pending sign-in.
type pendingData struct {
	Method          Method    `json:"method"`
	Bound           bool      `json:"bound,omitempty"`
	Provider        string    `json:"provider,omitempty"`
	ProviderSession string    `json:"provider_session,omitempty"`
	Subject         string    `json:"subject,omitempty"`
	Begun           time.Time `json:"begun,omitzero"`
	Failures        int       `json:"failures,omitempty"`
	// Email is the address of the member. Like Password, it ends the sign-in when it is changed.
	Email string `json:"email"`
	// Password identifies the password at the time of the first proof: a sign-in that was begun
	// with the old password ends when the password is changed.
	Password string `json:"password,omitempty"`
}

// admit turns a proof of identity into a session, which is in the change log before it starts,
// or into a pending sign-in. It is the only way from a proof to a session, for every method,
// so that none goes around the second factor. A passkey proves two factors, since it verifies the
// person. A session of the vendor's back end has the proofs that the vendor requires.
func (s *Service) admit(ctx context.Context, from Origin, p proof) (Admission, error) {
	// The vendor's pages create a session whenever they are opened.
	if !p.Method.isVendor() {
		if wait := s.signIns.attempt(p.Member.ID, s.now()); wait > 0 {
			return Admission{}, tooManyAttempts(wait)
		}
	}
	needed, err := s.needsFactor(ctx, p)
	if err != nil {
		return Admission{}, err
	}
	if needed {
		cookie, err := s.suspend(ctx, p)
		return Admission{Pending: cookie}, err
	}
	in, err := s.putSession(ctx, from, p)
	if err == nil {
		err = s.recordSignIn(ctx, from, in, p)
	}
	if err != nil {
		return Admission{}, s.discard(ctx, in, err) // no sign-in without its record
	}
	return Admission{SignedIn: in}, nil
}

// needsFactor reports whether the proof does not suffice for a session. A person with an
// authenticator app has chosen to need a second factor. A person who has only passkeys needs one if the
// vendor requires it.
func (s *Service) needsFactor(ctx context.Context, p proof) (bool, error) {
	if p.Factor != "" || p.Method == MethodPasskey || p.Method.isVendor() {
		return false, nil
	}
	state, err := s.factorState(ctx, p.Member.ID)
	if err != nil {
		return false, err
	}
	return state.TOTP || s.RequireFactor && state.HasFactor(), nil
}

// need returns the step that the vendor requires of a signed-in person. In a session that the
// vendor's back end began, the person must have a factor, and proves it to the vendor.
func (s *Service) need(ctx context.Context, id Identity) (Need, error) {
	if !s.RequireFactor {
		return NeedsNothing, nil
	}
	state, err := s.factorState(ctx, id.Member.ID)
	switch {
	case err != nil:
		return "", err
	case !state.HasFactor() && id.Session.provider != "" && !id.Session.FactorAt.IsZero():
		return NeedsNothing, nil // the provider verified a factor, and the vendor trusts it
	case !state.HasFactor():
		return NeedsFactor, nil
	case id.Session.FactorAt.IsZero() && !id.Session.Bound:
		return NeedsProof, nil
	}
	return NeedsNothing, nil
}

// suspend stores a pending sign-in and returns its cookie.
func (s *Service) suspend(ctx context.Context, p proof) (toksta.Hidden, error) {
	cookie, err := s.putTicket(ctx, store.Ticket{
		Purpose: purposePending, MemberID: p.Member.ID, AccountID: p.Account, ExpiresAt: s.now().Add(PendingLifetime),
	}, pendingData{
		Method: p.Method, Bound: p.Bound, Provider: p.Provider, ProviderSession: p.ProviderSession, Subject: p.Subject, Begun: p.Begun,
		Failures: p.Failures, Email: p.Member.Email, Password: passwordMark(p.Member),
	})
	return cookie, ifNotFound(err, endedMeanwhile()) // erased
}

// pending is a pending sign-in: the first proof and its ticket.
type pending struct {
	proof
	ticket store.Ticket
}

// readPending returns the pending sign-in of a cookie, without using it. If there is none, or the first
// proof was taken away since, the error is UNAUTHORIZED.
func (s *Service) readPending(ctx context.Context, cookie toksta.Hidden) (pending, error) {
	var data pendingData
	t, err := s.readTicket(ctx, purposePending, cookie, &data)
	if err != nil {
		return pending{}, ifNotFound(err, notPending())
	}
	m, err := s.Store.Member(ctx, t.MemberID)
	switch {
	case err != nil:
		return pending{}, fmt.Errorf("read the member of a pending sign-in: %w", err)
	case !m.DisabledAt.IsZero(), passwordMark(m) != data.Password, m.Email != data.Email:
		return pending{}, notPending()
	}
	p := pending{ticket: t, proof: proof{
		Member: m, Method: data.Method, Account: t.AccountID, Bound: data.Bound, Provider: data.Provider,
		ProviderSession: data.ProviderSession, Subject: data.Subject, Begun: data.Begun, Failures: data.Failures,
	}}
	if err := s.checkLogouts(ctx, p.proof); err != nil {
		return pending{}, err
	}
	return p, recheckWay(ctx, s.Store, p.proof)
}

// complete starts the session of a pending sign-in after its second factor. Of several
// simultaneous calls, one succeeds.
func (s *Service) complete(ctx context.Context, from Origin, p pending, f Factor) (SignedIn, error) {
	if err := s.useTicket(ctx, p.ticket); err != nil {
		return SignedIn{}, ifNotFound(err, notPending())
	}
	p.Factor = f
	a, err := s.admit(ctx, from, p.proof)
	return a.SignedIn, err
}

// PendingMember returns the state of the factors of the person whose sign-in is pending, for the
// page that asks for one. If there is no pending sign-in, the error is UNAUTHORIZED.
func (s *Service) PendingMember(ctx context.Context, cookie toksta.Hidden) (store.FactorState, error) {
	p, err := s.readPending(ctx, cookie)
	if err != nil {
		return store.FactorState{}, err
	}
	return s.factorState(ctx, p.Member.ID)
}

// notPending returns the same error for every cookie without a pending sign-in.
func notPending() error {
	return &toksta.Error{Code: toksta.CodeUnauthorized, Message: "This sign-in has expired. Start again."}
}

// passwordMark returns a text that changes with the password of m, and does not show the hash.
func passwordMark(m toksta.Member) string {
	sum := sha256.Sum256([]byte(m.PasswordHash))
	return base64.RawStdEncoding.EncodeToString(sum[:])
}
