package signin

import (
	"context"
	"errors"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// MemberRequest asks for a member of an existing account.
type MemberRequest struct {
	Account  toksta.AccountID
	Name     string
	Email    string
	Password toksta.Hidden
}

// CreateMember adds a member to an account for the operator. The sign-up policy
// does not apply.
func (s *Service) CreateMember(ctx context.Context, by toksta.Actor, req MemberRequest) (toksta.Member, error) {
	m, err := s.draftMember(ctx, s.now(), memberDraft{Name: req.Name, Email: req.Email, Password: req.Password})
	if err != nil {
		return toksta.Member{}, err
	}
	m.AccountID = req.Account
	_, err = s.Log.Commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		if _, err := r.Account(ctx, req.Account); errors.Is(err, store.ErrNotFound) {
			return store.Mutation{}, toksta.NotFoundID("account", string(req.Account))
		} else if err != nil {
			return store.Mutation{}, err
		}
		return addMember(ctx, r, m, store.Mutation{
			Kind: toksta.ChangeMemberCreated, AccountID: req.Account, Detail: map[string]string{},
		})
	})
	if err != nil {
		return toksta.Member{}, conflictIfTaken(err)
	}
	return m, nil
}

// PasswordRequest asks for a new password of the signed-in member.
type PasswordRequest struct {
	Current, Next toksta.Hidden
}

// ChangePassword verifies the current password of the signed-in member, sets the
// new one and ends all other sessions.
func (s *Service) ChangePassword(ctx context.Context, from Origin, id Identity, req PasswordRequest) error {
	m, err := s.verifyPassword(ctx, id, req.Current)
	switch {
	// The member is signed in, so this is an invalid field and not a 401.
	case errors.Is(err, &toksta.Error{Code: toksta.CodeUnauthorized}):
		return toksta.Invalid("current_password", "This is not the current password.")
	case err != nil:
		return err
	}
	if err := s.setPassword(ctx, id.Actor(from), m.ID, req.Next); err != nil {
		return err
	}
	return s.SignOutEverywhere(ctx, id, true)
}

// ResetPassword sets a member's password for the operator and ends all the
// member's sessions.
func (s *Service) ResetPassword(ctx context.Context, by toksta.Actor, member toksta.MemberID, next toksta.Hidden) error {
	if err := s.setPassword(ctx, by, member, next); err != nil {
		return err
	}
	return s.endSessions(ctx, store.SessionSet{Member: member})
}

// setPassword validates a new password and stores its hash. The caller must end
// sessions afterwards, not before: see recheckMember.
func (s *Service) setPassword(ctx context.Context, by toksta.Actor, member toksta.MemberID, next toksta.Hidden) error {
	m, err := s.Store.Member(ctx, member)
	if err != nil {
		return unknownMember(member, err)
	}
	if err := validPassword(next, m); err != nil {
		return err
	}
	hash, err := s.passwords.hash(ctx, next)
	if err != nil {
		return err
	}
	// Read the member again under the lock, to keep changes of other fields.
	_, err = s.Log.Commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		m, err := r.Member(ctx, member)
		if err != nil {
			return store.Mutation{}, unknownMember(member, err)
		}
		m.PasswordHash = hash
		return store.Mutation{
			Kind: toksta.ChangeMemberPasswordSet, AccountID: m.AccountID, MemberID: m.ID,
			Detail: map[string]string{"email": m.Email}, Members: []toksta.Member{m},
		}, nil
	})
	return err
}

// unknownMember replaces store.ErrNotFound by a NOT_FOUND error for the caller.
func unknownMember(id toksta.MemberID, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return toksta.NotFoundID("member", string(id))
	}
	return err
}
