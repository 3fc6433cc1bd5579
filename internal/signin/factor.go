package signin

import (
	"context"
	"errors"
	"fmt"

	"github.com/toksta/toksta/internal/signin/totp"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// RecoveryCodes is the number of recovery codes that a person gets at once.
const RecoveryCodes = totp.RecoveryCodes

// FactorState returns the factors of a signed-in member.
func (s *Service) FactorState(ctx context.Context, id Identity) (store.FactorState, error) {
	return s.factorState(ctx, id.Member.ID)
}

// factorState returns the factors that a member can use. If passkeys are switched off, a person who
// has only passkeys has no factor: the pages would ask for a passkey, but accept none.
func (s *Service) factorState(ctx context.Context, member toksta.MemberID) (store.FactorState, error) {
	state, err := s.Store.FactorState(ctx, member)
	if err != nil {
		return state, fmt.Errorf("read the factors of member %s: %w", member, err)
	}
	if s.Passkeys == nil {
		state.Passkeys = 0
	}
	return state, nil
}

// CompleteWithCode ends a pending sign-in with a code of the authenticator app, or with a recovery
// code. After a wrong code the sign-in stays pending and the error is about the field "code". If no
// sign-in is pending, the error is UNAUTHORIZED.
func (s *Service) CompleteWithCode(ctx context.Context, from Origin, cookie, code toksta.Hidden) (SignedIn, error) {
	p, err := s.readPending(ctx, cookie)
	if err != nil {
		return SignedIn{}, err
	}
	f, err := s.verifyCode(ctx, from, p.Member.ID, code)
	if err != nil {
		return SignedIn{}, err
	}
	return s.complete(ctx, from, p, f)
}

// ConfirmWithCode verifies a code of a signed-in member, as CompleteWithCode does, and replaces the
// session by a new one.
func (s *Service) ConfirmWithCode(ctx context.Context, from Origin, id Identity, code toksta.Hidden) (SignedIn, error) {
	if err := denyBound(id); err != nil {
		return SignedIn{}, err
	}
	f, err := s.verifyCode(ctx, from, id.Member.ID, code)
	if err != nil {
		return SignedIn{}, err
	}
	return s.renew(ctx, from, id, proof{Member: id.Member, Factor: f})
}

// verifyCode accepts a code of a member's authenticator app or a recovery code, each once over all
// nodes. Guesses at codes of the app do not delay recovery codes, which cannot be guessed.
func (s *Service) verifyCode(ctx context.Context, from Origin, member toksta.MemberID, typed toksta.Hidden) (Factor, error) {
	code := cleanCode(typed)
	if totp.IsCode(code) {
		return FactorTOTP, s.verifyTOTP(ctx, from, member, code)
	}
	hash, ok := totp.HashRecoveryCode(code)
	if !ok {
		return "", toksta.Invalid("code", "Type the 6 digits that the app shows, or one of your recovery codes.")
	}
	err := s.Factors.UseRecoveryCode(ctx, store.RecoveryCode{MemberID: member, Hash: hash, UsedAt: s.now()})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return "", toksta.Invalid("code", "This is not one of your unused recovery codes.")
	case err != nil:
		return "", fmt.Errorf("check a recovery code of member %s: %w", member, err)
	}
	return FactorRecovery, nil
}

// cleanCode returns a typed code without spaces and hyphens. No valid code is longer than the
// rest that it keeps.
func cleanCode(typed toksta.Hidden) string {
	text := typed.Reveal()
	return totp.Clean(text[:min(len(text), 64)])
}

// verifyTOTP accepts a code of a member's authenticator app. Each time step is accepted once over all
// nodes: of two nodes, one sets the number of the step. Guesses are throttled by member; those in a
// known browser of the member have a counter of their own.
func (s *Service) verifyTOTP(ctx context.Context, from Origin, member toksta.MemberID, code string) error {
	names, err := s.guessNames(ctx, from, member, Name{ScopeCode, string(member)})
	if err != nil {
		return err
	}
	_, err = s.Throttle.Try(ctx, func() error { return s.checkTOTP(ctx, member, code) }, names...)
	return err
}

// checkTOTP accepts a code of the app, as verifyTOTP does, but counts no attempt.
func (s *Service) checkTOTP(ctx context.Context, member toksta.MemberID, code string) error {
	t, err := s.Store.TOTP(ctx, member)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && t.ConfirmedAt.IsZero():
		return wrongCode()
	case err != nil:
		return fmt.Errorf("read the authenticator app of member %s: %w", member, err)
	}
	step, ok, err := totp.Verify(t.Secret, code, s.now())
	switch {
	case err != nil:
		return fmt.Errorf("check the code of member %s: %w", member, err)
	case !ok:
		return wrongCode()
	}
	switch err := s.Factors.UseTOTPStep(ctx, member, step); {
	case errors.Is(err, store.ErrNotFound):
		return toksta.Invalid("code", "This code was used already. Wait until the app shows the next one.")
	case err != nil:
		return fmt.Errorf("accept the code of member %s: %w", member, err)
	}
	return nil
}

// wrongCode returns the same error for a wrong code and for a person without an authenticator app.
func wrongCode() error {
	return toksta.Invalid("code", "This code is wrong. Type the 6 digits that the app shows now.")
}
