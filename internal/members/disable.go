package members

import (
	"context"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// DisableRequest disables a member in an account. An operator can leave Account empty to disable the
// person everywhere.
type DisableRequest struct {
	Ref
	// WithoutOwner allows an operator to leave accounts without an owner who can sign in.
	WithoutOwner bool
}

// Disable takes the use of an account from a member until Enable, without removing the member. It
// ends the sessions that show the account. Keys that the member made keep working. Open
// invitations that the member made are revoked in the same change.
func (s *Service) Disable(ctx context.Context, by toksta.Actor, req DisableRequest) (Changed, error) {
	now := s.now()
	if by.Kind == toksta.ActorMember && by.ID == string(req.Member) {
		return Changed{}, conflict("You cannot disable yourself. Leave the account instead.")
	}
	if req.Account == "" {
		return s.disableEverywhere(ctx, by, req)
	}
	out, err := s.edit(ctx, by, target{Ref: req.Ref, withoutOwner: req.WithoutOwner}, func(ctx context.Context, r store.Reader, m *store.AccountMember) (store.Mutation, error) {
		if !m.Membership.DisabledAt.IsZero() {
			return store.Mutation{}, nil
		}
		m.Membership.DisabledAt = now
		out := store.Mutation{Kind: toksta.ChangeMemberDisabled}
		return out, s.withdraw(ctx, r, m.Membership, &out)
	})
	if err != nil {
		return out, err
	}
	return out, s.endSessions(ctx, store.SessionSet{Member: req.Member, Account: req.Account})
}

// Enable gives a disabled member the use of the account back, with the previous role. An operator
// can leave the account empty to enable a person who was disabled everywhere. If only this keeps the
// person out, Enable with an account returns CONFLICT.
func (s *Service) Enable(ctx context.Context, by toksta.Actor, ref Ref) (Changed, error) {
	if ref.Account == "" {
		return s.editPerson(ctx, by, ref.Member, func(_ context.Context, _ store.Reader, m *toksta.Member) (store.Mutation, error) {
			if m.DisabledAt.IsZero() {
				return store.Mutation{}, nil
			}
			m.DisabledAt = time.Time{}
			return store.Mutation{Kind: toksta.ChangeMemberEnabled}, nil
		})
	}
	return s.edit(ctx, by, target{Ref: ref}, func(_ context.Context, _ store.Reader, m *store.AccountMember) (store.Mutation, error) {
		switch {
		case m.Membership.DisabledAt.IsZero() && !m.Member.DisabledAt.IsZero():
			return store.Mutation{}, disabledEverywhere(by)
		case m.Membership.DisabledAt.IsZero():
			return store.Mutation{}, nil
		}
		m.Membership.DisabledAt = time.Time{}
		return store.Mutation{Kind: toksta.ChangeMemberEnabled}, nil
	})
}

// disabledEverywhere returns the error for an attempt to enable a person in one account who is
// disabled in all.
func disabledEverywhere(by toksta.Actor) error {
	if by.Kind == toksta.ActorMember {
		return conflict("This person is disabled in all accounts, not only in this one. Only the vendor can enable the person.")
	}
	return conflict("This person is disabled in all accounts, not only in this one. Enable the person without an account.")
}

// disableEverywhere disables a person in all accounts, and ends all sessions of the person.
func (s *Service) disableEverywhere(ctx context.Context, by toksta.Actor, req DisableRequest) (Changed, error) {
	now := s.now()
	out, err := s.editPerson(ctx, by, req.Member, func(ctx context.Context, r store.Reader, m *toksta.Member) (store.Mutation, error) {
		out := store.Mutation{Kind: toksta.ChangeMemberDisabled}
		if !m.DisabledAt.IsZero() {
			return store.Mutation{}, nil
		}
		all, err := r.ListMemberships(ctx, m.ID)
		if err != nil {
			return out, fmt.Errorf("list the accounts of member %s: %w", m.ID, err)
		}
		before := *m
		m.DisabledAt = now
		for _, in := range all {
			if !req.WithoutOwner {
				err = keepOwner(ctx, r, store.AccountMember{Member: before, Membership: in}, store.AccountMember{Member: *m, Membership: in})
			}
			if err == nil {
				in.DisabledAt = now // only here: the membership stays as it is
				err = s.withdraw(ctx, r, in, &out)
			}
			if err != nil {
				return out, err
			}
		}
		return out, nil
	})
	if err != nil {
		return out, err
	}
	return out, s.endSessions(ctx, store.SessionSet{Member: req.Member})
}

// editPerson applies a change of a person that concerns all accounts, and commits it. Only operators
// can make such a change, because the role of a member is one in an account.
func (s *Service) editPerson(ctx context.Context, by toksta.Actor, id toksta.MemberID, apply func(context.Context, store.Reader, *toksta.Member) (store.Mutation, error)) (Changed, error) {
	var out Changed
	receipt, err := s.Log.Commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		m, err := r.Member(ctx, id)
		if err != nil {
			return store.Mutation{}, store.Missing("member", id, err)
		}
		change, err := apply(ctx, r, &m)
		out.Member.Member = m
		if err != nil || change.Kind == "" {
			return store.Mutation{}, err
		}
		if change.Detail == nil {
			change.Detail = map[string]string{}
		}
		change.MemberID, change.Members = id, []toksta.Member{m}
		change.Detail["name"], change.Detail["email"], change.Detail["accounts"] = m.Name, m.Email, "all"
		return change, nil
	})
	out.Receipt = receipt
	return out, err
}
