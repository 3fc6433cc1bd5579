package signin

import (
	"context"
	"errors"
	"fmt"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// PasswordRequest asks for a new password of the signed-in member.
type PasswordRequest struct {
	Current, Next toksta.Hidden
}

// ChangePassword verifies the current password of the signed-in member, sets the new one, ends
// all other sessions, and replaces the session by a new one, so that a stolen copy of the
// cookie is useless. For a member without a password, the caller must have checked that the session
// is recent.
func (s *Service) ChangePassword(ctx context.Context, from Origin, id Identity, req PasswordRequest) (SignedIn, error) {
	if err := denyBound(id); err != nil {
		return SignedIn{}, err
	}
	if s.PasswordOff {
		return SignedIn{}, passwordOff()
	}
	m, err := id.Member, error(nil)
	if m.PasswordHash != "" {
		m, err = s.verifyPassword(ctx, id, req.Current)
	}
	switch {
	// The member is signed in, so this is an invalid field and not a 401.
	case errors.Is(err, &toksta.Error{Code: toksta.CodeUnauthorized}):
		return SignedIn{}, toksta.Invalid("current_password", "This is not the current password.")
	case err != nil:
		return SignedIn{}, err
	}
	if err := s.setPassword(ctx, id.Actor(from), passwordChange{m.ID, id.Account.ID, req.Next, from.Browser}); err != nil {
		return SignedIn{}, err
	}
	if err := s.SignOutEverywhere(ctx, id, true); err != nil {
		return SignedIn{}, err
	}
	if m, err = s.Store.Member(ctx, m.ID); err != nil {
		return SignedIn{}, fmt.Errorf("read the member with the new password: %w", err)
	}
	return s.renew(ctx, from, id, proof{Member: m})
}

// ResetPassword sets a member's password for the operator and ends all the
// member's sessions.
func (s *Service) ResetPassword(ctx context.Context, by toksta.Actor, member toksta.MemberID, next toksta.Hidden) error {
	if err := s.setPassword(ctx, by, passwordChange{member: member, password: next}); err != nil {
		return err
	}
	return s.endSessions(ctx, store.SessionSet{Member: member})
}

// passwordChange is a new password of a member. account is the account in whose history the
// change is shown, "" for the first account of the member.
type passwordChange struct {
	member   toksta.MemberID
	account  toksta.AccountID
	password toksta.Hidden
	browser  toksta.Hidden // Origin.Browser of the member, which stays known; zero: none
}

// setPassword validates a new password and stores its hash. The member's other browsers are no
// longer known: one of them may be that of a thief of the password. The caller must end
// sessions afterwards, not before: see recheckMember.
func (s *Service) setPassword(ctx context.Context, by toksta.Actor, c passwordChange) error {
	m, err := s.Store.Member(ctx, c.member)
	if err != nil {
		return store.Missing("member", c.member, err)
	}
	if err := validPassword(c.password, m); err != nil {
		return err
	}
	hash, err := s.passwords.of(string(m.ID)).hash(ctx, c.password)
	if err != nil {
		return err
	}
	// Read the member again under the lock, to keep changes of other fields.
	_, err = s.Log.Commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		m, err := r.Member(ctx, c.member)
		if err != nil {
			return store.Mutation{}, store.Missing("member", c.member, err)
		}
		m.PasswordHash = hash
		account, err := historyOf(ctx, r, m.ID, c.account)
		if err != nil {
			return store.Mutation{}, err
		}
		return store.Mutation{
			Kind: toksta.ChangeMemberPasswordSet, AccountID: account, MemberID: m.ID,
			Detail: map[string]string{"email": m.Email}, Members: []toksta.Member{m},
		}, nil
	})
	if err != nil {
		return err
	}
	return s.forgetBrowsers(ctx, c.browser, c.member)
}
