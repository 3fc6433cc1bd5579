package toksta

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Amount is an amount of money in millionths of the unit of the vendor's
// [Currency], such as micro-dollars. Its text is a decimal number of units.
// Amounts are exact: no floating-point number is involved.
type Amount int64

// MicrosPerUnit is the number of millionths in a unit of a currency.
const MicrosPerUnit = 1_000_000

// amountDigits is the largest number of decimals of an amount.
const amountDigits = 6

// ParseAmount parses a non-negative amount such as "29" or "0.018", with at most
// six decimals.
func ParseAmount(text string) (Amount, error) {
	whole, fraction, point := strings.Cut(text, ".")
	if len(fraction) > amountDigits {
		return 0, fmt.Errorf("the amount %q has more than %d decimals", text, amountDigits)
	}
	n, err := strconv.ParseUint(whole+fraction+strings.Repeat("0", amountDigits-len(fraction)), 10, 63)
	if err != nil || whole == "" || point && fraction == "" {
		return 0, errors.New(strconv.Quote(text) + " is not an amount")
	}
	return Amount(n), nil
}

// String formats the amount as the shortest exact decimal: "0", "0.025", "-1.5".
func (a Amount) String() string { return a.Decimal(0) }

// Decimal formats the exact amount with at least the given number of decimals,
// which must not exceed six.
func (a Amount) Decimal(least int) string {
	sign, micros := "", uint64(a)
	if a < 0 {
		sign, micros = "-", -micros // unsigned, so that the least value does not overflow
	}
	fraction := fmt.Sprintf("%06d", micros%MicrosPerUnit)
	for len(fraction) > least && strings.HasSuffix(fraction, "0") {
		fraction = fraction[:len(fraction)-1]
	}
	if fraction != "" {
		fraction = "." + fraction
	}
	return sign + strconv.FormatUint(micros/MicrosPerUnit, 10) + fraction
}

// MarshalJSON encodes the amount as a JSON number with its exact digits.
func (a Amount) MarshalJSON() ([]byte, error) { return []byte(a.String()), nil }
