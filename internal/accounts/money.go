package accounts

import (
	"fmt"

	"github.com/toksta/toksta/sdk/toksta"
)

// maxCap bounds an overage cap.
const maxCap = 1_000_000_000

// overageCapName returns the name of the entitlement to an overage cap.
func (s *Service) overageCapName() string {
	if s.Catalog.Currency.IsDefault() {
		return EntitlementOverageCap + "_usd"
	}
	return EntitlementOverageCap
}

// setOverageCap sets the largest overage per cycle. It rejects 0,
// because a person could mean "no overage" or "no cap", and overage without a cap
// costs money.
func setOverageCap(e *toksta.Entitlements, value string) error {
	e.OverageCapMicros = 0
	if value == Default || value == "none" {
		return nil
	}
	amount, err := toksta.ParseAmount(value)
	if err != nil || amount == 0 || amount/toksta.MicrosPerUnit > maxCap {
		return fmt.Errorf("is an amount above 0 such as 25 or 12.50, or %q for no cap", Default)
	}
	e.OverageCapMicros = int64(amount)
	return nil
}

func overageCapText(e toksta.Entitlements) string {
	if e.OverageCapMicros == 0 {
		return Default
	}
	return toksta.Amount(e.OverageCapMicros).Decimal(2)
}
