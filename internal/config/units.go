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

// microDigits is the largest number of decimals of an amount in dollars.
const microDigits = 6

// UnmarshalText parses dollars with at most six decimals, without floating-point
// arithmetic.
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

// String formats the amount in dollars without trailing zeros.
func (m Money) String() string {
	s := fmt.Sprintf("%d.%06d", m/1e6, m%1e6)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// MarshalYAML encodes the amount as a number without quotes.
func (m Money) MarshalYAML() (any, error) { return yamlNumber(m.String()), nil }

// Size is a number of bytes, written with a unit: 8MiB.
type Size int64

// sizeUnit is a unit of Size.
type sizeUnit struct {
	name  string // such as "KiB"
	bytes int64  // per unit
}

// sizeUnits returns the units, the largest first: B is a suffix of each other one.
func sizeUnits() []sizeUnit {
	return []sizeUnit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}
}

// UnmarshalText parses a whole number of B, KiB, MiB or GiB.
func (s *Size) UnmarshalText(text []byte) error {
	for _, u := range sizeUnits() {
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

// String formats the size in the largest unit that represents it exactly.
func (s Size) String() string {
	for _, u := range sizeUnits() {
		if int64(s)%u.bytes == 0 && s != 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return "0B"
}

// MarshalText formats the size in the syntax of UnmarshalText.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// yamlNumber returns text as a YAML number with the same digits. Encoding a float64
// could change them.
func yamlNumber(text string) *yaml.Node {
	tag := "!!int"
	if strings.Contains(text, ".") {
		tag = "!!float"
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text}
}
