package members

import (
	"context"
	"fmt"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// needsAddress lists the kinds of changes that a member can make only with a verified address, if
// Log.RequireVerified is set. With each of them, a person who signed up with another
// person's address would keep access after the owner of the address has taken over the sign-in.
// Revoking a key needs nothing.
var needsAddress = map[toksta.ChangeKind]bool{
	toksta.ChangeKeyCreated:        true,
	toksta.ChangeKeyRotated:        true,
	toksta.ChangeInvitationCreated: true,
	toksta.ChangeMemberRoleSet:     true,
	toksta.ChangeIdentityLinked:    true,
}

// checkVerified returns FORBIDDEN if the change m needs a verified address and the actor, a member,
// has none.
func checkVerified(ctx context.Context, r store.Reader, by toksta.Actor, m store.Mutation) error {
	if !needsAddress[m.Kind] {
		return nil
	}
	actor, err := r.Member(ctx, toksta.MemberID(by.ID))
	switch {
	case err != nil:
		return fmt.Errorf("read whether the address of member %s is verified: %w", by.ID, err)
	case actor.IsProvisional():
		return unverified()
	}
	return nil
}

// unverified returns the error for a change that needs a verified address.
func unverified() error {
	return &toksta.Error{
		Code: toksta.CodeForbidden, Message: "Confirm your e-mail address first: open the link in the mail, or ask for another one on the account page.",
	}
}
