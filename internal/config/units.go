package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Money is an amount in micro-dollars, written in dollars: 0.018.
type Money int64

// microDigits is how many decimals of a dollar an amount can have.
const microDigits = 6

// UnmarshalText reads dollars with at most six decimals, exactly: no amount
// passes through floating point.
func (m *Money) UnmarshalText(text []byte) error {
	whole, fraction, _ := strings.Cut(string(text), ".")
	if len(fraction) > microDigits {
		return fmt.Errorf("the amount %q has more than %d decimals; write dollars such as 0.018", text, microDigits)
	}
	digits := whole + fraction + strings.Repeat("0", microDigits-len(fraction))
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || whole == "" {
		return fmt.Errorf("%q is not an amount; write dollars such as 29 or 0.018", text)
	}
	*m = Money(n)
	return nil
}

// String returns the amount in dollars without trailing zeros.
func (m Money) String() string {
	s := fmt.Sprintf("%d.%06d", m/1e6, m%1e6)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// MarshalYAML writes the amount as a plain number.
func (m Money) MarshalYAML() (any, error) { return number(m.String()), nil }

// Size is a number of bytes, written with a unit: 8MiB.
type Size int64

// unit is a unit of size.
type unit struct {
	name  string // as it is written
	bytes int64  // in one of it
}

// units are the units, largest first; B would match the end of each.
func units() []unit { return []unit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}} }

// UnmarshalText reads a whole number of B, KiB, MiB or GiB.
func (s *Size) UnmarshalText(text []byte) error {
	for _, u := range units() {
		digits, ok := strings.CutSuffix(string(text), u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/u.bytes {
			break
		}
		*s = Size(n * u.bytes)
		return nil
	}
	return fmt.Errorf("%q is not a size; write a whole number with its unit, such as 512KiB or 8MiB", text)
}

// String returns the size in the largest unit that holds it exactly.
func (s Size) String() string {
	for _, u := range units() {
		if int64(s)%u.bytes == 0 && s != 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return "0B"
}

// MarshalText writes the size as UnmarshalText reads it.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// number is text as a YAML number, which keeps its digits: a float would print
// 0.1 as it is not.
func number(text string) *yaml.Node {
	tag := "!!int"
	if strings.Contains(text, ".") {
		tag = "!!float"
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text}
}
