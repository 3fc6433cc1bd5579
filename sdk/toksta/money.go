package toksta

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Dollars is an amount of money in micro-dollars. Its text is a decimal number of
// dollars. Amounts are exact: no floating-point number is involved.
type Dollars int64

// MicrosPerDollar is the number of micro-dollars in a dollar.
const MicrosPerDollar = 1_000_000

// dollarDigits is the largest number of decimals of an amount in dollars.
const dollarDigits = 6

// ParseDollars parses a non-negative amount such as "29" or "0.018", with at most
// six decimals.
func ParseDollars(text string) (Dollars, error) {
	whole, fraction, point := strings.Cut(text, ".")
	if len(fraction) > dollarDigits {
		return 0, fmt.Errorf("the amount %q has more than %d decimals", text, dollarDigits)
	}
	n, err := strconv.ParseUint(whole+fraction+strings.Repeat("0", dollarDigits-len(fraction)), 10, 63)
	if err != nil || whole == "" || point && fraction == "" {
		return 0, errors.New(strconv.Quote(text) + " is not an amount")
	}
	return Dollars(n), nil
}

// String formats the amount as the shortest exact decimal: "0", "0.025", "-1.5".
func (d Dollars) String() string { return d.Decimal(0) }

// Decimal formats the exact amount with at least the given number of decimals,
// which must not exceed six.
func (d Dollars) Decimal(least int) string {
	sign, micros := "", uint64(d)
	if d < 0 {
		sign, micros = "-", -micros // unsigned, so that the least value does not overflow
	}
	fraction := fmt.Sprintf("%06d", micros%MicrosPerDollar)
	for len(fraction) > least && strings.HasSuffix(fraction, "0") {
		fraction = fraction[:len(fraction)-1]
	}
	if fraction != "" {
		fraction = "." + fraction
	}
	return sign + strconv.FormatUint(micros/MicrosPerDollar, 10) + fraction
}

// MarshalJSON encodes the amount as a JSON number with its exact digits.
func (d Dollars) MarshalJSON() ([]byte, error) { return []byte(d.String()), nil }
