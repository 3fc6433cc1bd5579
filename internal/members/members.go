package members

import (
	"context"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Service changes and reads the members of accounts and their invitations. Log, Store, Sessions
// and Now are required. Its methods are safe for concurrent use.
//
// Actors of the kind member need a role that allows the change: see Log. For them, a member or an
// invitation of another account does not exist.
type Service struct {
	Log      store.Log // checks roles: a Log of this package
	Store    store.Reader
	Sessions store.Sessions
	Now      func() time.Time
	// Mail sends the links of invitations; nil without a mail server.
	Mail Mailer
	// Lifetime is the default validity of an invitation; 0: DefaultInvitation.
	Lifetime time.Duration
	// VerifiesAddresses is set if sign-ups prove their addresses by mail. Then an invitation for one
	// address, whose link was passed on by hand, needs a verified address.
	VerifiesAddresses bool
}

// Ref names a member of an account.
type Ref struct {
	Account toksta.AccountID
	Member  toksta.MemberID
}

// Changed is a member after a change.
type Changed struct {
	Member  store.AccountMember
	Receipt toksta.Receipt
}

// List returns the members of an account that were not removed, also the disabled ones, the
// longest-standing first.
func (s *Service) List(ctx context.Context, account toksta.AccountID) ([]store.AccountMember, error) {
	return s.Store.ListAccountMembers(ctx, account)
}

// Get returns a member of an account. The error is NOT_FOUND if the person is not a member of
// the account, or was removed from it.
func (s *Service) Get(ctx context.Context, ref Ref) (store.AccountMember, error) {
	m, err := read(ctx, s.Store, ref)
	if err == nil && !m.Membership.RemovedAt.IsZero() {
		err = toksta.NotFoundID("member", string(ref.Member))
	}
	return m, err
}

// Former returns a member who was removed from an account, or left it. The error is NOT_FOUND for
// any other person.
func (s *Service) Former(ctx context.Context, ref Ref) (store.AccountMember, error) {
	m, err := read(ctx, s.Store, ref)
	if err == nil && m.Membership.RemovedAt.IsZero() {
		err = toksta.NotFoundID("former member", string(ref.Member))
	}
	return m, err
}

// read returns a member of an account, also a removed one. The error is NOT_FOUND if the person
// never was a member of the account.
func read(ctx context.Context, r store.Reader, ref Ref) (m store.AccountMember, err error) {
	if m.Membership, err = r.Membership(ctx, ref.Account, ref.Member); err != nil {
		return m, store.Missing("member", ref.Member, err)
	}
	m.Member, err = r.Member(ctx, ref.Member)
	return m, err
}

// Place is an account that a member can use, with the member's role in it.
type Place struct {
	Account toksta.Account
	Role    toksta.MemberRole
}

// Places returns the accounts that a member can use, the oldest membership first.
func (s *Service) Places(ctx context.Context, member toksta.MemberID) ([]Place, error) {
	all, err := s.Store.ListMemberships(ctx, member)
	if err != nil {
		return nil, fmt.Errorf("list the accounts of member %s: %w", member, err)
	}
	var out []Place
	for _, m := range all {
		if !m.DisabledAt.IsZero() {
			continue
		}
		a, err := s.Store.Account(ctx, m.AccountID)
		if err != nil {
			return nil, fmt.Errorf("read account %s: %w", m.AccountID, err)
		}
		out = append(out, Place{Account: a, Role: m.Role})
	}
	return out, nil
}

// alter changes m, a member that was not removed, and returns the mutation. If there is nothing
// to change, the mutation's Kind is empty. edit adds the membership to the mutation.
type alter func(ctx context.Context, r store.Reader, m *store.AccountMember) (store.Mutation, error)

// target is the member of a change. With withoutOwner, the change may leave the account without an
// owner who can sign in. With self, the member is the actor, who needs no permission.
type target struct {
	Ref
	withoutOwner, self bool
}

// edit applies a change to a member of an account and commits it. A change of a removed member is
// empty.
func (s *Service) edit(ctx context.Context, by toksta.Actor, on target, apply alter) (Changed, error) {
	if on.withoutOwner && by.Kind == toksta.ActorMember {
		return Changed{}, denied()
	}
	// The store can run the decision more than once; the last run sets out.
	var out Changed
	receipt, err := s.Log.Commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		// Log checks this too, but not for a request that changes nothing.
		if _, err := permit(ctx, r, by, right{on.Account, toksta.PermitMembers}); err != nil && !on.self {
			return store.Mutation{}, err
		}
		before, err := read(ctx, r, on.Ref)
		out.Member = before
		if err != nil || !before.Membership.RemovedAt.IsZero() {
			return store.Mutation{}, err
		}
		m, err := apply(ctx, r, &out.Member)
		if err != nil || m.Kind == "" {
			return store.Mutation{}, err
		}
		if !on.withoutOwner {
			if err := keepOwner(ctx, r, before, out.Member); err != nil {
				return store.Mutation{}, err
			}
		}
		return complete(m, before, out.Member), nil
	})
	out.Receipt = receipt
	return out, err
}

// complete returns a mutation of a member with the ids and the rows of the change.
func complete(m store.Mutation, before, after store.AccountMember) store.Mutation {
	if m.Detail == nil {
		m.Detail = map[string]string{}
	}
	m.AccountID, m.MemberID = before.Membership.AccountID, before.Member.ID
	m.Memberships = append(m.Memberships, after.Membership)
	m.Detail["name"], m.Detail["email"] = before.Name, before.Email
	if m.Detail["role"] == "" {
		m.Detail["role"] = string(before.Membership.Role)
	}
	return m
}

// endSessions ends the sessions of a member that show an account, on every node. The change that
// takes the rights away is already committed, so the error says that it holds.
func (s *Service) endSessions(ctx context.Context, set store.SessionSet) error {
	err := s.Sessions.EndSessions(ctx, set)
	if err == nil {
		return nil
	}
	written := &toksta.Error{
		Code: toksta.CodeUnavailable,
		Message: "The change was made: the member can no longer use the account. But the member's sessions could not be ended. " +
			"Repeat the request to end them.",
	}
	return fmt.Errorf("%w: end the sessions of member %s: %w", written, set.Member, err)
}

func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// conflict returns the CONFLICT error for a request that the state of the account does not allow.
func conflict(message string) error {
	return &toksta.Error{Code: toksta.CodeConflict, Message: message}
}
