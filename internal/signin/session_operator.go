package signin

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// MemberSession is a session of a person with the account that it shows, "" for none.
type MemberSession struct {
	Session
	Account toksta.AccountID
}

// SessionsOf returns the live sessions of a person for the operator, newest first. The error is
// NOT_FOUND if the person does not exist.
func (s *Service) SessionsOf(ctx context.Context, member toksta.MemberID) ([]MemberSession, error) {
	if _, err := s.Store.Member(ctx, member); err != nil {
		return nil, store.Missing("member", member, err)
	}
	now := s.now()
	rows, err := s.Sessions.ListSessions(ctx, member, now)
	if err != nil {
		return nil, fmt.Errorf("list the sessions of member %s: %w", member, err)
	}
	var out []MemberSession
	for _, row := range rows {
		if s.isLive(row, now) {
			out = append(out, MemberSession{sessionOf(row), row.AccountID})
		}
	}
	return out, nil
}

// EndSessionsOf ends all sessions of a person for the operator, with the links and the pending sign-ins
// that the person could still use, and returns the number of sessions. It records them in the
// change log first, without waiting for nodes: every page reads its session from the database.
func (s *Service) EndSessionsOf(ctx context.Context, by toksta.Actor, member toksta.MemberID) (int, error) {
	sessions, err := s.SessionsOf(ctx, member)
	if err != nil {
		return 0, err
	}
	if len(sessions) > 0 {
		_, err = s.Trail.Commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
			account, err := historyOf(ctx, r, member, "")
			return store.Mutation{
				Kind: toksta.ChangeSessionsEnded, AccountID: account, MemberID: member,
				Detail: map[string]string{"sessions": strconv.Itoa(len(sessions))},
			}, err
		})
	}
	if err != nil {
		return 0, fmt.Errorf("record the end of the sessions of %s: %w", member, err)
	}
	if err := s.endAccess(ctx, member); err != nil {
		return 0, errors.Join(err, unended(member))
	}
	return len(sessions), nil
}

// unended returns the error for sessions that are recorded as ended and possibly are not.
func unended(member toksta.MemberID) error {
	return &toksta.Error{
		Code: toksta.CodeUnavailable, Message: fmt.Sprintf("Not all sessions of %s could be ended. Repeat the request.", member),
	}
}
