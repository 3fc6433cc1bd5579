package members

import (
	"context"
	"errors"
	"fmt"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// restricting lists the kinds of changes of members that a closed account allows, because
// they only take access away.
var restricting = map[toksta.ChangeKind]bool{
	toksta.ChangeMemberRemoved:     true,
	toksta.ChangeMemberDisabled:    true,
	toksta.ChangeInvitationRevoked: true,
}

// checkOpen returns CONFLICT if a change lets a person into a closed account, or is a change
// by a member in a closed account that does more than take access away.
func checkOpen(ctx context.Context, r store.Reader, by toksta.Actor, m store.Mutation) error {
	var affected []toksta.AccountID
	if by.Kind == toksta.ActorMember && !own[m.Kind] && !restricting[m.Kind] {
		affected = append(affected, m.AccountID)
	}
	for _, s := range m.Memberships {
		if s.RemovedAt.IsZero() && s.DisabledAt.IsZero() && !restricting[m.Kind] {
			affected = append(affected, s.AccountID)
		}
	}
	for _, i := range m.Invitations {
		if i.UsedAt.IsZero() && i.RevokedAt.IsZero() {
			affected = append(affected, i.AccountID)
		}
	}
	for _, id := range affected {
		// The account of a sign-up does not exist before the change.
		a, err := r.Account(ctx, id)
		switch {
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return fmt.Errorf("check whether the account %s is closed: %w", id, err)
		case err == nil && !a.ClosedAt.IsZero():
			return &toksta.Error{Code: toksta.CodeConflict, Message: "The account is closed, so this can no longer be changed in it."}
		}
	}
	return nil
}
