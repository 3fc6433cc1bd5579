package accounts

import (
	"context"
	"fmt"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// edited is an account before and after a change, with the actor.
type edited struct {
	before, after toksta.Account
	by            toksta.Actor
}

// correction returns the credit entry for a change of the purchased credits, or
// no entry if they do not change. It returns an error if the change would
// remove credits that are used, reserved or held by a call.
func (s *Service) correction(ctx context.Context, r store.Reader, e edited) ([]store.CreditEntry, error) {
	n := e.after.Entitlements.PurchasedCredits - e.before.Entitlements.PurchasedCredits
	if n == 0 {
		return nil, nil
	}
	left, err := s.Unspent(ctx, r, e.before.ID)
	if err != nil {
		return nil, err
	}
	if -n > left {
		return nil, toksta.Invalid("value", fmt.Sprintf("Only %d of the %d purchased credits are left to take away.",
			left, e.before.Entitlements.PurchasedCredits))
	}
	return []store.CreditEntry{{
		AccountID: e.before.ID, Kind: store.CreditAdjustment, Delta: toksta.Charge{Credits: n, Purchased: n},
		Reason: "set as an entitlement", Actor: e.by.Name,
	}}, nil
}
