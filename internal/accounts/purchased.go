package accounts

import (
	"context"
	"fmt"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
)

// edited is an account on both sides of a change, and who makes it.
type edited struct {
	before, after toksta.Account
	by            toksta.Actor
}

// correction is the ledger's entry of a change that sets how much was ever
// bought, none for any other. Nothing is taken away that was used or is
// reserved.
func correction(ctx context.Context, r store.Reader, e edited) ([]store.CreditEntry, error) {
	n := e.after.Entitlements.PurchasedCredits - e.before.Entitlements.PurchasedCredits
	if n == 0 {
		return nil, nil
	}
	state, err := r.CreditState(ctx, store.CreditQuery{Account: e.before.ID})
	if err != nil {
		return nil, err
	}
	if left := state.Purchased(); -n > left {
		return nil, toksta.Invalid("value", fmt.Sprintf("Only %d of the %d purchased credits are left to take away.",
			left, e.before.Entitlements.PurchasedCredits))
	}
	return []store.CreditEntry{{
		AccountID: e.before.ID, Kind: store.CreditAdjustment, Delta: toksta.Charge{Credits: n, Purchased: n},
		Reason: "set as an entitlement", Actor: e.by.Name,
	}}, nil
}
