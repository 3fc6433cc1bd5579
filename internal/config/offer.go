package config

import "fmt"

// checkCurrency checks the currency, and that each fee can be charged in it. Prices
// of a credit can have more decimals, because a bill has the price of many.
func (c *checker) checkCurrency() {
	currency := c.cfg.Currency
	c.require(currency.IsKnown(), "currency", fmt.Sprintf("There is no currency %q.", currency), "write a code of ISO 4217 in capitals, such as USD, EUR or JPY")
	if !currency.IsKnown() {
		return
	}
	unit := int64(1_000_000)
	for range currency.Digits() {
		unit /= 10
	}
	for i, p := range c.cfg.Plans {
		c.require(int64(p.Fee)%unit == 0, fmt.Sprintf("plans[%d].fee", i), fmt.Sprintf("The fee %s has more than the %d decimals of %s.", p.Fee, currency.Digits(), currency.Code()),
			"round it; only prices of a credit can have more decimals")
	}
}
