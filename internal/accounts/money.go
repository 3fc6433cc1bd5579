package accounts

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// microsPerDollar and maxCapDollars bound money; it is counted in whole
// micro-dollars and never goes through a float.
const (
	microsPerDollar = 1_000_000
	maxCapDollars   = 1_000_000_000
)

// setOverageCap refuses 0, which could be meant as "no overage" or as "no cap",
// and the second costs money.
func setOverageCap(e *toksta.Entitlements, value string) error {
	e.OverageCapMicros = 0
	if value == Default || value == "none" {
		return nil
	}
	micros, ok := parseDollars(value)
	if !ok || micros == 0 {
		return fmt.Errorf("is an amount above 0 such as 25 or 12.50, or %q for no cap", Default)
	}
	e.OverageCapMicros = micros
	return nil
}

func overageCapText(e toksta.Entitlements) string {
	if e.OverageCapMicros == 0 {
		return Default
	}
	return dollars(e.OverageCapMicros)
}

// parseDollars reads digits with at most six decimals.
func parseDollars(s string) (micros int64, ok bool) {
	whole, fraction, point := strings.Cut(s, ".")
	if point && (fraction == "" || len(fraction) > 6) {
		return 0, false
	}
	w, err := strconv.ParseUint(whole, 10, 63)
	if err != nil || w > maxCapDollars {
		return 0, false
	}
	// Padded to six digits, so that .5 is half a dollar.
	f, err := strconv.ParseUint((fraction + "000000")[:6], 10, 63)
	return int64(w)*microsPerDollar + int64(f), err == nil
}

// dollars writes an amount with as many decimals as it has, two at least.
func dollars(micros int64) string {
	s := fmt.Sprintf("%d.%06d", micros/microsPerDollar, micros%microsPerDollar)
	for strings.HasSuffix(s, "0") && len(s)-strings.IndexByte(s, '.') > 3 {
		s = s[:len(s)-1]
	}
	return s
}
