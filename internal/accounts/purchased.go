package accounts

import (
	"context"
	"fmt"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// edited is an account on both sides of a change, and who makes it.
type edited struct {
	before, after toksta.Account
	by            toksta.Actor
}

// correction is the ledger's entry of a change that sets how much was ever
// bought, none for any other. Nothing is taken away that was used, is reserved
// or may be spent by a call in flight.
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
