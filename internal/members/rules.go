package members

import (
	"context"
	"fmt"
	"strconv"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// keepOwner returns a CONFLICT error if a change of a member takes the last owner who can sign
// in from the account.
func keepOwner(ctx context.Context, r store.Reader, before, after store.AccountMember) error {
	if !isActingOwner(before) || isActingOwner(after) {
		return nil
	}
	all, err := r.ListAccountMembers(ctx, before.Membership.AccountID)
	if err != nil {
		return fmt.Errorf("list the owners of account %s: %w", before.Membership.AccountID, err)
	}
	if !IsLastOwner(all, before.Member.ID) {
		return nil
	}
	return conflict("The account would have no owner who can sign in. Make another member an owner first.")
}

// IsLastOwner reports whether all, the members of an account, have no owner with a sign-in except this
// member. This member cannot leave, and no member can demote, disable or remove it.
func IsLastOwner(all []store.AccountMember, member toksta.MemberID) bool {
	owns := false
	for _, m := range all {
		if isActingOwner(m) && m.Member.ID != member {
			return false
		}
		owns = owns || isActingOwner(m)
	}
	return owns
}

// isActingOwner reports whether m owns the account and can sign in. A sign-up that can still expire
// does not count.
func isActingOwner(m store.AccountMember) bool {
	return m.Membership.Role == toksta.MemberOwner && m.CanAct() && !m.IsProvisional()
}

// withdraw adds to a mutation the revocation of the open invitations that a member made and, with
// the state that the membership has after the change, could not make. Otherwise a removed admin
// could come back by an own invitation.
func (s *Service) withdraw(ctx context.Context, r store.Reader, after toksta.Membership, to *store.Mutation) error {
	open, err := r.ListInvitations(ctx, after.AccountID)
	if err != nil {
		return fmt.Errorf("list the invitations of account %s: %w", after.AccountID, err)
	}
	usable := after.DisabledAt.IsZero() && after.RemovedAt.IsZero()
	for _, i := range open {
		if i.CreatedBy != string(after.MemberID) || usable && after.Role.Allows(permissionToInvite(i.Role)) {
			continue
		}
		i.RevokedAt = s.now()
		to.Invitations = append(to.Invitations, i)
	}
	if n := len(to.Invitations); n > 0 {
		if to.Detail == nil {
			to.Detail = map[string]string{}
		}
		to.Detail["invitations_revoked"] = strconv.Itoa(n)
	}
	return nil
}

// permissionToInvite returns the permission to invite people with a role.
func permissionToInvite(role toksta.MemberRole) toksta.Permission {
	if role == toksta.MemberOwner {
		return toksta.PermitOwners
	}
	return toksta.PermitMembers
}
