// Package members manages the people of accounts: memberships, their roles and invitations.
//
// It is part of the change path. Service makes the changes. Log, which all services of the change
// path share, compares each change by a member with the member's role in the account, in the
// transaction of the change. No page and no service can forget this check, and no change by a
// removed or demoted member is committed after the removal. The package uses neither HTTP nor
// passwords.
package members

import (
	"context"
	"errors"
	"fmt"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Log is a store.Log that rejects the changes that the role of a member does not allow. Changes
// of operators and of the system pass. It is safe for concurrent use.
type Log struct {
	store.Log
	// RequireVerified rejects changes with which a member whose sign-up ends unless the address is
	// verified could keep access to an account or to its keys.
	RequireVerified bool
	// RequireFactor rejects changes in accounts by members without a second factor. They can
	// still make the changes that concern only themselves, such as setting one up.
	RequireFactor bool
}

// Commit implements store.Log. It checks the result of decide in the same transaction. The error is
// FORBIDDEN if the role of the member does not allow the change, or if it needs a verified address
// or a second factor, and CONFLICT if the account is closed.
func (l Log) Commit(ctx context.Context, by toksta.Actor, decide store.Decide) (toksta.Receipt, error) {
	return l.Log.Commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		m, err := decide(ctx, r)
		if err != nil || m.Kind == "" {
			return m, err
		}
		return m, l.check(ctx, r, by, m)
	})
}

// check returns an error if the actor may not make the change m.
func (l Log) check(ctx context.Context, r store.Reader, by toksta.Actor, m store.Mutation) error {
	if by.Kind != toksta.ActorMember {
		return checkOpen(ctx, r, by, m)
	}
	checks := []func(context.Context, store.Reader, toksta.Actor, store.Mutation) error{checkRole, checkOpen}
	if l.RequireVerified {
		checks = append(checks, checkVerified)
	}
	if l.RequireFactor {
		checks = append(checks, checkFactor)
	}
	for _, check := range checks {
		if err := check(ctx, r, by, m); err != nil {
			return err
		}
	}
	return nil
}

// permissions lists the kinds of changes that a member can make in an account, with the
// permission that the role must have. Any other kind is rejected.
var permissions = map[toksta.ChangeKind]toksta.Permission{
	toksta.ChangeKeyCreated:        toksta.PermitKeys,
	toksta.ChangeKeyRenamed:        toksta.PermitKeys,
	toksta.ChangeKeyRotated:        toksta.PermitKeys,
	toksta.ChangeKeyRevoked:        toksta.PermitKeys,
	toksta.ChangeKeysRevoked:       toksta.PermitKeys,
	toksta.ChangeKeyLimitsSet:      toksta.PermitKeys,
	toksta.ChangeAccountRenamed:    toksta.PermitAccount,
	toksta.ChangeInvitationCreated: toksta.PermitMembers,
	toksta.ChangeInvitationRevoked: toksta.PermitMembers,
	toksta.ChangeMemberRoleSet:     toksta.PermitMembers,
	toksta.ChangeMemberDisabled:    toksta.PermitMembers,
	toksta.ChangeMemberEnabled:     toksta.PermitMembers,
	toksta.ChangeMemberRemoved:     toksta.PermitMembers,
	toksta.ChangeAccountClosed:     toksta.PermitOwners,
}

// PermissionFor returns the permission that a member's role must have for a kind of change, and
// whether members can make this kind of change at all.
func PermissionFor(kind toksta.ChangeKind) (toksta.Permission, bool) {
	p, known := permissions[kind]
	return p, known
}

// own lists the kinds of changes that concern the member who makes them, not the rights in an
// account.
var own = map[toksta.ChangeKind]bool{
	toksta.ChangeAccountCreated:    true, // by signing up
	toksta.ChangeMemberCreated:     true, // by signing up with an invitation
	toksta.ChangeMemberJoined:      true,
	toksta.ChangeMemberLeft:        true,
	toksta.ChangeMemberSignedIn:    true,
	toksta.ChangeMemberVerified:    true,
	toksta.ChangeMemberPasswordSet: true,
	toksta.ChangeMemberProfileSet:  true,
	toksta.ChangeFactorAdded:       true,
	toksta.ChangeFactorRemoved:     true,
	toksta.ChangeIdentityLinked:    true,
	toksta.ChangeIdentityUnlinked:  true,
}

// isOwn reports whether the change m concerns only the member who makes it.
func isOwn(by toksta.Actor, m store.Mutation) bool {
	return own[m.Kind] && m.MemberID == toksta.MemberID(by.ID)
}

// checkEnabled returns FORBIDDEN if the actor, a member, was disabled everywhere, or erased. A request that
// was being handled meanwhile must not add a way to sign in, or write a name again. A person who signs up
// with this change does not exist yet.
func checkEnabled(ctx context.Context, r store.Reader, by toksta.Actor) error {
	actor, err := r.Member(ctx, toksta.MemberID(by.ID))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("read whether member %s is disabled: %w", by.ID, err)
	case !actor.DisabledAt.IsZero():
		return denied()
	}
	return nil
}

// checkRole returns FORBIDDEN if the role of the actor, a member, does not allow the change m.
func checkRole(ctx context.Context, r store.Reader, by toksta.Actor, m store.Mutation) error {
	if isOwn(by, m) {
		return checkEnabled(ctx, r, by)
	}
	needed, known := PermissionFor(m.Kind)
	if !known {
		return denied()
	}
	role, err := permit(ctx, r, by, right{m.AccountID, needed})
	if err != nil || role.Allows(toksta.PermitOwners) {
		return err
	}
	return withoutOwners(ctx, r, m)
}

// checkFactor returns FORBIDDEN if m is a change in an account and the actor, a member, has no
// second factor.
func checkFactor(ctx context.Context, r store.Reader, by toksta.Actor, m store.Mutation) error {
	if isOwn(by, m) {
		return nil
	}
	state, err := r.FactorState(ctx, toksta.MemberID(by.ID))
	switch {
	case err != nil:
		return fmt.Errorf("check the factors of member %s: %w", by.ID, err)
	case !state.HasFactor() && !state.Vouched:
		return &toksta.Error{
			Code: toksta.CodeForbidden, Message: "A second factor is required for this. Set one up on the page about your sign-in.",
		}
	}
	return nil
}

// right is a permission in an account.
type right struct {
	account toksta.AccountID
	needed  toksta.Permission
}

// permit returns the role of a member in an account. The error is FORBIDDEN if the role does not have
// the permission. An actor of another kind has all permissions.
func permit(ctx context.Context, r store.Reader, by toksta.Actor, to right) (toksta.MemberRole, error) {
	if by.Kind != toksta.ActorMember {
		return toksta.MemberOwner, nil
	}
	role, err := r.Role(ctx, to.account, toksta.MemberID(by.ID))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return "", denied()
	case err != nil:
		return "", fmt.Errorf("check the role of member %s: %w", by.ID, err)
	case !role.Allows(to.needed):
		return "", denied()
	}
	return role, nil
}

// withoutOwners returns FORBIDDEN if m concerns an owner, before or after the change, or an
// invitation for one.
func withoutOwners(ctx context.Context, r store.Reader, m store.Mutation) error {
	for _, i := range m.Invitations {
		if i.Role == toksta.MemberOwner {
			return deniedOwner()
		}
	}
	for _, after := range m.Memberships {
		before, err := r.Membership(ctx, after.AccountID, after.MemberID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("read the membership of member %s: %w", after.MemberID, err)
		}
		if before.Role == toksta.MemberOwner || after.Role == toksta.MemberOwner {
			return deniedOwner()
		}
	}
	return nil
}

// deniedOwner returns the error for a change of owners by a member who is no owner.
func deniedOwner() error {
	return &toksta.Error{
		Code: toksta.CodeForbidden, Message: "Only an owner of the account can change owners, or make another member an owner.",
	}
}

// denied returns the error for a change that the role of the member does not allow. It is the
// same for a person who is no member of the account.
func denied() error {
	return &toksta.Error{
		Code: toksta.CodeForbidden, Message: "Your role in this account does not allow this. Ask an owner or an admin of the account.",
	}
}
