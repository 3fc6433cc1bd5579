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

// CreateMember adds a person to an account for the operator, whatever the
// policy for signing up.
func (s *Service) CreateMember(ctx context.Context, by toksta.Actor, req MemberRequest) (toksta.Member, error) {
	m, err := s.draft(ctx, s.now(), memberDraft{Name: req.Name, Email: req.Email, Password: req.Password})
	if err != nil {
		return toksta.Member{}, err
	}
	m.AccountID = req.Account
	_, err = s.Log.Commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		if _, err := r.Account(ctx, req.Account); errors.Is(err, store.ErrNotFound) {
			return store.Mutation{}, toksta.NotFound("account")
		} else if err != nil {
			return store.Mutation{}, err
		}
		return join(ctx, r, m, store.Mutation{
			Kind: toksta.ChangeMemberCreated, AccountID: req.Account, Detail: map[string]string{},
		})
	})
	if err != nil {
		return toksta.Member{}, taken(err)
	}
	return m, nil
}

// PasswordRequest changes one's own password.
type PasswordRequest struct {
	Current, Next toksta.Hidden
}

// ChangePassword sets a new password for the signed-in member, who proves the
// current one, and ends all other sessions.
func (s *Service) ChangePassword(ctx context.Context, from Origin, id Identity, req PasswordRequest) error {
	m, err := s.proveAgain(ctx, id, req.Current)
	switch {
	// The person is signed in: this is a fault of the form.
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
	return s.end(ctx, store.SessionSet{Member: member})
}

// setPassword writes the hash of a valid new password. Ending sessions is left
// to the caller, after it: see reconsider.
func (s *Service) setPassword(ctx context.Context, by toksta.Actor, member toksta.MemberID, next toksta.Hidden) error {
	m, err := s.Store.Member(ctx, member)
	if err != nil {
		return unknownMember(err)
	}
	if err := validPassword(next, m); err != nil {
		return err
	}
	hash, err := s.passwords.hash(ctx, next)
	if err != nil {
		return err
	}
	// Read again under the lock, so that what else changed meanwhile stays.
	_, err = s.Log.Commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		m, err := r.Member(ctx, member)
		if err != nil {
			return store.Mutation{}, unknownMember(err)
		}
		m.PasswordHash = hash
		return store.Mutation{
			Kind: toksta.ChangeMemberPasswordSet, AccountID: m.AccountID, MemberID: m.ID,
			Detail: map[string]string{"email": m.Email}, Members: []toksta.Member{m},
		}, nil
	})
	return err
}

// unknownMember turns the store's word for a missing row into the caller's.
func unknownMember(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return toksta.NotFound("member")
	}
	return err
}
