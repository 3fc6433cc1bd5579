package accounts

import (
	"context"
	"fmt"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// maxCreated is the number of accounts that a person can create, the one of the sign-up included.
const maxCreated = 10

// checkOwned returns CONFLICT if a member has created as many accounts as a person can. On a plan
// with included credits this is one: otherwise a person would get them again with each account.
// The changes are counted and not the accounts, because a person can close or leave an account.
func (s *Service) checkOwned(ctx context.Context, r store.Reader, member toksta.MemberID, id toksta.PlanID) error {
	limit := maxCreated
	if plan, known := s.Catalog.Plan(id); known && plan.IncludedCredits > 0 {
		limit = 1
	}
	q := store.ChangeSearch{Actor: string(member), Kind: toksta.ChangeAccountCreated}
	for n := 0; ; {
		page, err := r.FindChanges(ctx, q)
		if err != nil {
			return fmt.Errorf("count the accounts that member %s created: %w", member, err)
		}
		if n += len(page.Rows); n >= limit {
			return &toksta.Error{Code: toksta.CodeConflict, Message: "You cannot create a further account. Ask the vendor for one, or join an account by an invitation."}
		}
		if q.Before = page.Next; q.Before == 0 {
			return nil
		}
	}
}
