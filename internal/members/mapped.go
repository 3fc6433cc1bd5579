package members

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// MappedRole is the role in an account that the rules of a sign-in provider map a member to, by the
// member's groups or domain.
type MappedRole struct {
	Ref
	Role toksta.MemberRole // "": none
	// Held means that the membership, or its removal, came from an earlier mapping. Without it, the
	// membership was given by people and is left as it is.
	Held bool
	Now  time.Time
}

// Decide returns the mutation that gives the membership the mapped role, and whether the mapping holds
// the membership afterwards. The Kind is empty if nothing changes. Decide never takes the last owner from
// an account, never reverses a decision of an admin, such as a removal, and adds no member to a closed or
// full account.
func (want MappedRole) Decide(ctx context.Context, r store.Reader) (m store.Mutation, held bool, err error) {
	before, err := read(ctx, r, want.Ref)
	isNew := errors.Is(err, &toksta.Error{Code: toksta.CodeNotFound})
	if err != nil && !isNew {
		return m, want.Held, err
	}
	member := before.Membership
	switch {
	case isNew || !member.RemovedAt.IsZero() && !want.Held:
		if want.Role == "" {
			return m, false, nil
		}
		if !isNew {
			if byMapping, err := want.endedByMapping(ctx, r, member.RemovedAt); err != nil || !byMapping {
				return m, false, err
			}
		}
		return want.join(ctx, r)
	case !want.Held || !member.RemovedAt.IsZero() || !member.DisabledAt.IsZero() || member.Role == want.Role:
		return m, want.Held, nil
	}
	after := before
	m = store.Mutation{Kind: toksta.ChangeMemberRoleSet, Detail: map[string]string{"role": string(member.Role) + " → " + string(want.Role)}}
	after.Membership.Role = want.Role
	if want.Role == "" {
		m = store.Mutation{Kind: toksta.ChangeMemberRemoved}
		after.Membership.Role, after.Membership.RemovedAt = member.Role, want.Now
	}
	switch err := keepOwner(ctx, r, before, after); {
	case errors.Is(err, &toksta.Error{Code: toksta.CodeConflict}):
		return store.Mutation{}, true, nil
	case err != nil:
		return store.Mutation{}, true, err
	}
	s := Service{Now: func() time.Time { return want.Now }}
	if err := s.withdraw(ctx, r, after.Membership, &m); err != nil {
		return store.Mutation{}, true, err
	}
	return complete(m, before, after), want.Role != "", nil
}

// endedByMapping reports whether the last membership of the person in the account ended because its
// mapping did, and not by the decision of a person.
func (want MappedRole) endedByMapping(ctx context.Context, r store.Reader, ended time.Time) (bool, error) {
	// The hour covers a difference between clocks. Without a change in it, the answer is no.
	q := store.ChangeSearch{Member: want.Member, Since: ended.Add(-time.Hour)}
	for {
		page, err := r.FindChanges(ctx, q)
		if err != nil {
			return false, fmt.Errorf("find the removal of member %s: %w", want.Member, err)
		}
		for _, c := range page.Rows {
			if c.AccountID == want.Account && c.MemberID == want.Member && (c.Kind == toksta.ChangeMemberRemoved || c.Kind == toksta.ChangeMemberLeft) {
				return c.Actor.Kind == toksta.ActorSystem, nil
			}
		}
		if q.Before = page.Next; q.Before == 0 {
			return false, nil
		}
	}
}

// join returns the mutation that makes the person a member of the account.
func (want MappedRole) join(ctx context.Context, r store.Reader) (store.Mutation, bool, error) {
	person, err := r.Member(ctx, want.Member)
	if err != nil {
		return store.Mutation{}, false, store.Missing("member", want.Member, err)
	}
	open, err := HasRoom(ctx, r, want.Account)
	if err != nil || !open {
		return store.Mutation{}, false, err
	}
	return store.Mutation{
		Kind: toksta.ChangeMemberJoined, AccountID: want.Account, MemberID: want.Member,
		Memberships: []toksta.Membership{{AccountID: want.Account, MemberID: want.Member, Role: want.Role, CreatedAt: want.Now}},
		Detail:      map[string]string{"name": person.Name, "email": person.Email, "role": string(want.Role)},
	}, true, nil
}

// HasRoom reports whether an account is open and can have a further member.
func HasRoom(ctx context.Context, r store.Reader, id toksta.AccountID) (bool, error) {
	a, err := r.Account(ctx, id)
	if err != nil {
		return false, store.Missing("account", id, err)
	}
	all, err := r.ListAccountMembers(ctx, id)
	if err != nil {
		return false, fmt.Errorf("count the members of account %s: %w", id, err)
	}
	return a.ClosedAt.IsZero() && len(all) < MaxMembers, nil
}
