package signin

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// Failure is the error of a rejected sign-in. Its text is that of the wrapped error; Member is for
// the log.
type Failure struct {
	Member toksta.MemberID // the member with the given address; "": unknown address
	err    error
}

// Error returns the text of the wrapped error.
func (f *Failure) Error() string { return f.err.Error() }

// Unwrap returns the wrapped error, which is for the caller.
func (f *Failure) Unwrap() error { return f.err }

// SignIn starts a session for the member with this address and password. An unknown
// address, a wrong password and a disabled member have the same error, UNAUTHORIZED,
// after the same work. It wraps a *Failure, which names the member for the log. After
// too many failures the error is RATE_LIMITED, with the detail retry_after in
// seconds.
//
// If the person has a second factor, the result is a pending sign-in, see [Admission].
//
// Each sign-in is in the change log before its session starts. Failed attempts are
// not, because an attacker could fill the log with them. The record of the next
// success contains their number.
func (s *Service) SignIn(ctx context.Context, from Origin, email string, password toksta.Hidden) (Admission, error) {
	if s.PasswordOff {
		return Admission{}, passwordOff()
	}
	m, failures, err := s.verifyCredentials(ctx, from, email, password)
	if err != nil {
		return Admission{}, err
	}
	return s.admit(ctx, from, proof{Member: m, Method: MethodPassword, Failures: failures})
}

// passwordOff returns the error for a sign-in with a password where the vendor does not allow it.
func passwordOff() error {
	return forbidden("Signing in with a password is not possible here. Use one of the other ways.")
}

// Confirm verifies the password of a signed-in member again and replaces the session
// by a new one, whose CreatedAt is now. It is throttled by its own failures, not by
// failed sign-ins.
func (s *Service) Confirm(ctx context.Context, from Origin, id Identity, password toksta.Hidden) (SignedIn, error) {
	if err := denyBound(id); err != nil {
		return SignedIn{}, err
	}
	m, err := s.verifyPassword(ctx, id, password)
	if err != nil {
		return SignedIn{}, err
	}
	return s.renew(ctx, from, id, proof{Member: m})
}

// verifyCredentials returns the member with this address and password, and the
// number of failed attempts before. For known and unknown addresses alike, an
// attempt costs one hash, or no hash if it is throttled.
func (s *Service) verifyCredentials(ctx context.Context, from Origin, email string, password toksta.Hidden) (m toksta.Member, failures int, err error) {
	email = strings.TrimSpace(email)
	email = strings.ToValidUTF8(email[:min(len(email), text.MaxEmail)], "") // the cut may have split a character
	m, err = s.Store.MemberByEmail(ctx, email)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return m, 0, fmt.Errorf("read the member by address: %w", err)
	}
	address := Name{ScopeAddress, text.FoldAddress(email)}
	names, err := s.guessNames(ctx, from, m.ID, Name{ScopeNetwork, from.Network()}, address)
	if err != nil {
		return m, 0, err
	}
	hashes := s.strangers.of(from.Network())
	if names[0].Scope == ScopeBrowser {
		hashes = s.passwords.of(string(m.ID))
	}
	failures, err = s.Throttle.Try(ctx, func() error { return s.checkPassword(ctx, hashes, m, password) }, names...)
	if err != nil {
		return m, 0, err
	}
	others := 0
	if names[len(names)-1] != address {
		others, err = s.Throttle.Failures(ctx, address) // from other browsers
	}
	return m, failures + others, err
}

// verifyPassword verifies the password of a signed-in member. It has its own
// throttle: guesses at the address, or from the same network, must not prevent the
// member from revoking a key.
func (s *Service) verifyPassword(ctx context.Context, id Identity, password toksta.Hidden) (m toksta.Member, err error) {
	m, err = s.Store.Member(ctx, id.Member.ID)
	if err != nil {
		return m, fmt.Errorf("read the signed-in member: %w", err)
	}
	_, err = s.Throttle.Try(ctx, func() error { return s.checkPassword(ctx, s.passwords.of(string(m.ID)), m, password) }, Name{ScopeMember, string(m.ID)})
	return m, err
}

// checkPassword returns an error if the password is not that of the member, or the member cannot
// sign in. The zero member stands for an unknown address. It always computes one hash.
func (s *Service) checkPassword(ctx context.Context, hashes source, m toksta.Member, password toksta.Hidden) error {
	canSignIn := m.PasswordHash != "" && m.DisabledAt.IsZero()
	hash := m.PasswordHash
	// Without a member the same work is done, so that the response time does not
	// show whether the address exists.
	if !canSignIn {
		hash = dummyHash
	}
	matches, err := hashes.matches(ctx, hash, password)
	switch {
	case err != nil:
		return fmt.Errorf("check the password of %s: %w", m.ID, err)
	case !matches || !canSignIn:
		return &Failure{Member: m.ID, err: wrongCredentials()}
	}
	return nil
}

// wrongCredentials returns the same error for an unknown address, a wrong password
// and a disabled member.
func wrongCredentials() error {
	return &toksta.Error{Code: toksta.CodeUnauthorized, Message: "The e-mail address or the password is wrong."}
}

// tooManyAttempts returns the error of a throttled attempt. The delay is rounded
// up, so that an attempt after it is not throttled.
func tooManyAttempts(wait time.Duration) error {
	seconds := int(math.Ceil(wait.Seconds()))
	duration := fmt.Sprintf("%d seconds", seconds)
	if seconds == 1 {
		duration = "1 second"
	}
	return &toksta.Error{
		Code: toksta.CodeRateLimited, Reason: toksta.ReasonRateLimited,
		Message: "Too many attempts. Try again in " + duration + ".",
		Details: map[string]any{"retry_after": seconds},
	}
}
