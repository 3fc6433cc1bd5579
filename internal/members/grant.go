package members

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Grant is the role that follows from the groups or the domain of a member at a sign-in provider.
type Grant struct {
	Ref
	Role toksta.MemberRole // "": none
	// Held means that the membership, or its removal, began with an earlier grant. Without it, the
	// membership was given by people and is left as it is.
	Held bool
	Now  time.Time
}

// Decide returns the mutation that makes a membership follow a grant, and whether the grant holds the
// membership afterwards. The Kind is empty if nothing changes. A grant never takes the last owner from an
// account, never reverses a decision of an admin, such as a removal, and adds no member to a closed or full
// account.
func (g Grant) Decide(ctx context.Context, r store.Reader) (m store.Mutation, held bool, err error) {
	before, err := read(ctx, r, g.Ref)
	isNew := errors.Is(err, &toksta.Error{Code: toksta.CodeNotFound})
	if err != nil && !isNew {
		return m, g.Held, err
	}
	member := before.Membership
	switch {
	case isNew || !member.RemovedAt.IsZero() && !g.Held:
		if g.Role == "" {
			return m, false, nil
		}
		if !isNew {
			if byGrant, err := g.endedByGrant(ctx, r, member.RemovedAt); err != nil || !byGrant {
				return m, false, err
			}
		}
		return g.join(ctx, r)
	case !g.Held || !member.RemovedAt.IsZero() || !member.DisabledAt.IsZero() || member.Role == g.Role:
		return m, g.Held, nil
	}
	after := before
	m = store.Mutation{Kind: toksta.ChangeMemberRoleSet, Detail: map[string]string{"role": string(member.Role) + " → " + string(g.Role)}}
	after.Membership.Role = g.Role
	if g.Role == "" {
		m = store.Mutation{Kind: toksta.ChangeMemberRemoved}
		after.Membership.Role, after.Membership.RemovedAt = member.Role, g.Now
	}
	switch err := keepOwner(ctx, r, before, after); {
	case errors.Is(err, &toksta.Error{Code: toksta.CodeConflict}):
		return store.Mutation{}, true, nil
	case err != nil:
		return store.Mutation{}, true, err
	}
	s := Service{Now: func() time.Time { return g.Now }}
	if err := s.withdraw(ctx, r, after.Membership, &m); err != nil {
		return store.Mutation{}, true, err
	}
	return complete(m, before, after), g.Role != "", nil
}

// endedByGrant reports whether the last membership of the person in the account ended because a grant
// did, and not by the decision of a person.
func (g Grant) endedByGrant(ctx context.Context, r store.Reader, ended time.Time) (bool, error) {
	// The hour covers a difference between clocks. Without a change in it, the answer is no.
	q := store.ChangeSearch{Member: g.Member, Since: ended.Add(-time.Hour)}
	for {
		page, err := r.FindChanges(ctx, q)
		if err != nil {
			return false, fmt.Errorf("find the removal of member %s: %w", g.Member, err)
		}
		for _, c := range page.Rows {
			if c.AccountID == g.Account && c.MemberID == g.Member && (c.Kind == toksta.ChangeMemberRemoved || c.Kind == toksta.ChangeMemberLeft) {
				return c.Actor.Kind == toksta.ActorSystem, nil
			}
		}
		if q.Before = page.Next; q.Before == 0 {
			return false, nil
		}
	}
}

// join returns the mutation that makes the person a member of the account.
func (g Grant) join(ctx context.Context, r store.Reader) (store.Mutation, bool, error) {
	person, err := r.Member(ctx, g.Member)
	if err != nil {
		return store.Mutation{}, false, store.Missing("member", g.Member, err)
	}
	open, err := HasRoom(ctx, r, g.Account)
	if err != nil || !open {
		return store.Mutation{}, false, err
	}
	return store.Mutation{
		Kind: toksta.ChangeMemberJoined, AccountID: g.Account, MemberID: g.Member,
		Memberships: []toksta.Membership{{AccountID: g.Account, MemberID: g.Member, Role: g.Role, CreatedAt: g.Now}},
		Detail:      map[string]string{"name": person.Name, "email": person.Email, "role": string(g.Role)},
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
