package accounts

import (
	"fmt"

	"github.com/toksta/toksta/sdk/toksta"
)

// maxCapDollars bounds an overage cap.
const maxCapDollars = 1_000_000_000

// setOverageCap sets the largest overage per cycle, in dollars. It rejects 0,
// because a person could mean "no overage" or "no cap", and overage without a cap
// costs money.
func setOverageCap(e *toksta.Entitlements, value string) error {
	e.OverageCapMicros = 0
	if value == Default || value == "none" {
		return nil
	}
	amount, err := toksta.ParseDollars(value)
	if err != nil || amount == 0 || amount/toksta.MicrosPerDollar > maxCapDollars {
		return fmt.Errorf("is an amount above 0 such as 25 or 12.50, or %q for no cap", Default)
	}
	e.OverageCapMicros = int64(amount)
	return nil
}

func overageCapText(e toksta.Entitlements) string {
	if e.OverageCapMicros == 0 {
		return Default
	}
	return toksta.Dollars(e.OverageCapMicros).Decimal(2)
}
