package signin

import (
	"cmp"
	"context"
	"errors"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// MemberRequest asks for a member of an existing account.
type MemberRequest struct {
	Account  toksta.AccountID
	Name     string
	Email    string
	Password toksta.Hidden
	Role     toksta.MemberRole // "": owner
}

// CreateMember adds a member to an account for the operator. The sign-up policy
// does not apply.
func (s *Service) CreateMember(ctx context.Context, by toksta.Actor, req MemberRequest) (toksta.Member, error) {
	req.Role = cmp.Or(req.Role, toksta.MemberOwner)
	if err := members.ValidRole(req.Role); err != nil {
		return toksta.Member{}, err
	}
	m, err := s.draftMember(ctx, s.now(), memberDraft{Name: req.Name, Email: req.Email, Password: req.Password, Hashes: s.passwords.of("")})
	if err != nil {
		return toksta.Member{}, err
	}
	_, err = s.Log.Commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		if _, err := r.Account(ctx, req.Account); err != nil {
			return store.Mutation{}, store.Missing("account", req.Account, err)
		}
		return addMember(ctx, r, m, store.Mutation{
			Kind: toksta.ChangeMemberCreated, AccountID: req.Account, Detail: map[string]string{"role": string(req.Role)},
			Memberships: []toksta.Membership{{AccountID: req.Account, MemberID: m.ID, Role: req.Role, CreatedAt: m.CreatedAt}},
		})
	})
	switch {
	case errors.Is(err, store.ErrTaken):
		return toksta.Member{}, &toksta.Error{Code: toksta.CodeConflict, Message: "A person with this e-mail address can sign in already. Invite the person to the account instead."}
	case err != nil:
		return toksta.Member{}, err
	}
	return m, nil
}

// historyOf returns the account in whose history a change of a member is shown: the given one
// or, if it is "", the first account of the member.
func historyOf(ctx context.Context, r store.Reader, member toksta.MemberID, given toksta.AccountID) (toksta.AccountID, error) {
	if given != "" {
		return given, nil
	}
	all, err := r.ListMemberships(ctx, member)
	if err != nil || len(all) == 0 {
		return "", err
	}
	return all[0].AccountID, nil
}
