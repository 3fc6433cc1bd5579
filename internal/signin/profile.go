package signin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// ProfileRequest asks for another name or e-mail address of the signed-in member. A value
// that equals the current one changes nothing.
type ProfileRequest struct {
	Name, Email string
	// Current is the password. It is required for another address, with which a person
	// signs in, unless a link is mailed to it and the session was confirmed within
	// Config.Recent. It is ignored otherwise.
	Current toksta.Hidden
}

// ChangeProfile changes the name and the e-mail address of the signed-in member, in one
// change of the log. Another address requires the current password and ends all other
// sessions, because mail to the address is not verified. If the address is in use, the error
// is about the field.
//
// If mail can be sent, another address is not set: a link is mailed to it, see
// ChangeAddressByLink.
func (s *Service) ChangeProfile(ctx context.Context, from Origin, id Identity, req ProfileRequest) error {
	if err := denyBound(id); err != nil {
		return err
	}
	name, nameErr := validMemberName(req.Name, id.Member.Name)
	email, emailErr := text.Email(req.Email)
	moves := emailErr == nil && email != id.Member.Email
	var passwordErr error
	if moves {
		passwordErr = s.checkPresence(ctx, id, req.Current)
	}
	if err := toksta.InvalidFields(nameErr, emailErr, passwordErr); err != nil {
		return err
	}
	if moves && s.CanMail() {
		if err := s.mailAddress(ctx, from, id.Member, email); err != nil {
			return err
		}
		moves, email = false, id.Member.Email
	}
	_, err := s.Log.Commit(ctx, id.Actor(from), func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		m, err := changeProfile(ctx, r, toksta.Member{ID: id.Member.ID, Name: name, Email: email})
		m.AccountID = id.Account.ID
		return m, err
	})
	switch {
	case errors.Is(err, store.ErrTaken):
		return toksta.Invalid("email", "This address is already in use.")
	case err != nil || !moves:
		return err
	}
	return s.SignOutEverywhere(ctx, id, true)
}

// checkPresence returns an error about the field of the password unless it is right, or the session
// is recent and the new address is confirmed by a link.
func (s *Service) checkPresence(ctx context.Context, id Identity, password toksta.Hidden) error {
	if s.CanMail() && s.now().Sub(id.Session.ConfirmedAt) < s.Recent {
		return nil
	}
	_, err := s.verifyPassword(ctx, id, password)
	if errors.Is(err, &toksta.Error{Code: toksta.CodeUnauthorized}) {
		return toksta.Invalid("current_password", "Type the current password to change the address.")
	}
	return err
}

// changeProfile returns the mutation that gives the member with next's id its name and
// address. It is empty if both are the current ones.
func changeProfile(ctx context.Context, r store.Reader, next toksta.Member) (store.Mutation, error) {
	m, err := r.Member(ctx, next.ID)
	if err != nil {
		return store.Mutation{}, store.Missing("member", next.ID, err)
	}
	detail := map[string]string{}
	if m.Name != next.Name {
		detail["name"] = m.Name + " → " + next.Name
	}
	if m.Email != next.Email {
		detail["email"] = m.Email + " → " + next.Email
		switch other, err := r.MemberByEmail(ctx, next.Email); {
		case err == nil && other.ID != m.ID:
			return store.Mutation{}, store.ErrTaken
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return store.Mutation{}, fmt.Errorf("check whether the address is in use: %w", err)
		}
	}
	if len(detail) == 0 {
		return store.Mutation{}, nil
	}
	if m.Email != next.Email {
		m.VerifiedAt = time.Time{}
	}
	m.Name, m.Email = next.Name, next.Email
	return store.Mutation{
		Kind: toksta.ChangeMemberProfileSet, MemberID: m.ID, Detail: detail, Members: []toksta.Member{m},
	}, nil
}

// validMemberName validates the name of a member. The current name is valid, also if it was
// stored before a rule for names.
func validMemberName(name, current string) (string, error) {
	if name == current && current != "" {
		return name, nil
	}
	name, err := text.Name("name", name)
	if isReserved(name) {
		err = toksta.Invalid("name", "This name stands for the vendor in the history of keys. Choose another.")
	}
	return name, err
}
