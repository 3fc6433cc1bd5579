package signin

import (
	"context"
	"errors"
	"fmt"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// placeOf returns the account that a session shows, with the member's role in it. If the member can
// no longer use this account, the session ends: a session that moved to another account instead
// could escape the end of all sessions that show the first one, and show it again when the member
// is enabled. A session without an account shows the first one that the member can use meanwhile.
func (s *Service) placeOf(ctx context.Context, row store.Session) (Identity, error) {
	if row.AccountID == "" {
		return s.firstPlace(ctx, row.MemberID)
	}
	id, err := s.roleIn(ctx, row.AccountID, row.MemberID)
	if err != nil || id.Role != "" {
		return id, err
	}
	if err := s.endSessions(ctx, store.SessionSet{ID: row.ID}); err != nil {
		return Identity{}, err
	}
	return Identity{}, notSignedIn()
}

// firstPlace returns the first account that a member can use, with the member's role in it. Both
// are zero if there is none.
func (s *Service) firstPlace(ctx context.Context, member toksta.MemberID) (Identity, error) {
	all, err := s.Store.ListMemberships(ctx, member)
	if err != nil {
		return Identity{}, fmt.Errorf("list the accounts of member %s: %w", member, err)
	}
	for _, m := range all {
		if id, err := s.roleIn(ctx, m.AccountID, member); err != nil || id.Role != "" {
			return id, err
		}
	}
	return Identity{}, nil
}

// roleIn returns an account with the role that a member has in it. Both are zero if the member
// cannot use the account.
func (s *Service) roleIn(ctx context.Context, account toksta.AccountID, member toksta.MemberID) (Identity, error) {
	if account == "" {
		return Identity{}, nil
	}
	role, err := s.Store.Role(ctx, account, member)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Identity{}, nil
	case err != nil:
		return Identity{}, fmt.Errorf("read the role of member %s: %w", member, err)
	}
	a, err := s.Store.Account(ctx, account)
	if err != nil {
		return Identity{}, fmt.Errorf("read the account of a session: %w", err)
	}
	return Identity{Account: a, Role: role}, nil
}

// Switch makes a session show another account of the member. The error is NOT_FOUND if the
// member cannot use the account, and FORBIDDEN if the session is bound.
func (s *Service) Switch(ctx context.Context, id Identity, to toksta.AccountID) (Identity, error) {
	if err := denyBound(id); err != nil {
		return Identity{}, err
	}
	place, err := s.roleIn(ctx, to, id.Member.ID)
	if err == nil && place.Role == "" {
		err = toksta.NotFoundID("account", string(to))
	}
	if err != nil {
		return Identity{}, err
	}
	err = s.Sessions.TouchSession(ctx, store.Session{ID: id.Session.id, AccountID: to, SeenAt: s.now()})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Identity{}, notSignedIn()
	case err != nil:
		return Identity{}, fmt.Errorf("switch the account of a session: %w", err)
	}
	place.Member, place.Session = id.Member, id.Session
	return place, nil
}
