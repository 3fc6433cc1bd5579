package members

import (
	"context"
	"fmt"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// RoleRequest gives a member another role.
type RoleRequest struct {
	Ref
	Role toksta.MemberRole
	// WithoutOwner allows an operator to leave the account without an owner who can sign in.
	WithoutOwner bool
}

// SetRole changes the role of a member. Only owners give the role owner and take it away. The last
// owner keeps it: the error is CONFLICT. Open invitations that the member made, and could not
// make with the new role, are revoked in the same change.
func (s *Service) SetRole(ctx context.Context, by toksta.Actor, req RoleRequest) (Changed, error) {
	if err := ValidRole(req.Role); err != nil {
		return Changed{}, err
	}
	return s.edit(ctx, by, target{Ref: req.Ref, withoutOwner: req.WithoutOwner}, func(ctx context.Context, r store.Reader, m *store.AccountMember) (store.Mutation, error) {
		old := m.Membership.Role
		if old == req.Role {
			return store.Mutation{}, nil
		}
		m.Membership.Role = req.Role
		out := store.Mutation{
			Kind: toksta.ChangeMemberRoleSet, Detail: map[string]string{"role": string(old) + " → " + string(req.Role)},
		}
		return out, s.withdraw(ctx, r, m.Membership, &out)
	})
}

// TransferOwnership makes another member of the account an owner, and the actor, an owner, an
// admin, in one change. An operator adds an owner with SetRole instead.
func (s *Service) TransferOwnership(ctx context.Context, by toksta.Actor, to Ref) (Changed, error) {
	if by.Kind != toksta.ActorMember || by.ID == string(to.Member) {
		return Changed{}, toksta.Invalid("member", "Choose another member who becomes the owner.")
	}
	return s.edit(ctx, by, target{Ref: to}, func(ctx context.Context, r store.Reader, m *store.AccountMember) (store.Mutation, error) {
		from, err := r.Membership(ctx, to.Account, toksta.MemberID(by.ID))
		switch {
		case err != nil:
			return store.Mutation{}, fmt.Errorf("read the membership of member %s: %w", by.ID, err)
		case from.Role != toksta.MemberOwner:
			return store.Mutation{}, deniedOwner()
		case m.Membership.Role == toksta.MemberOwner:
			return store.Mutation{}, conflict("This member is an owner already.")
		case !m.CanAct() || m.IsProvisional():
			return store.Mutation{}, conflict("This member cannot sign in at the moment. Choose another one.")
		}
		old := m.Membership.Role
		m.Membership.Role, from.Role = toksta.MemberOwner, toksta.MemberAdmin
		out := store.Mutation{
			Kind: toksta.ChangeMemberRoleSet, Memberships: []toksta.Membership{from},
			Detail: map[string]string{"role": string(old) + " → owner", "previous_owner": by.Name + ": owner → admin"},
		}
		return out, s.withdraw(ctx, r, from, &out)
	})
}

// ValidRole returns an error about the field role if there is no such role.
func ValidRole(role toksta.MemberRole) error {
	if role.IsValid() {
		return nil
	}
	return toksta.Invalid("role", fmt.Sprintf("There is no role %.60q. Choose from: owner, admin, developer, billing, viewer.", string(role)))
}
