package usage

import "strconv"

// Dollars is an amount of money in micro-dollars. It is formatted as a decimal number of dollars
// without floating-point arithmetic.
type Dollars int64

const (
	microsPerDollar = 1_000_000
	decimals        = 6
)

// String returns the shortest exact decimal: "0", "0.025", "-1.5".
func (d Dollars) String() string { return string(d.append(nil)) }

// MarshalJSON returns a JSON number.
func (d Dollars) MarshalJSON() ([]byte, error) { return d.append(nil), nil }

// append converts to unsigned before it negates, because -d overflows for the least value.
func (d Dollars) append(b []byte) []byte {
	micros := uint64(d)
	if d < 0 {
		b, micros = append(b, '-'), -micros
	}
	b = strconv.AppendUint(b, micros/microsPerDollar, 10)
	fraction := micros % microsPerDollar
	if fraction == 0 {
		return b
	}
	b = append(b, '.')
	for scale := uint64(microsPerDollar / 10); fraction > 0; scale /= 10 {
		b = append(b, byte('0'+fraction/scale))
		fraction %= scale
	}
	return b
}
