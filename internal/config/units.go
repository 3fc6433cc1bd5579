package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/toksta/toksta/sdk/toksta"
)

// Money is an amount in millionths of the currency's unit, written as a decimal
// number of units: 0.018.
type Money toksta.Amount

// UnmarshalText parses an amount with at most six decimals, without a currency.
func (m *Money) UnmarshalText(text []byte) error {
	amount, err := toksta.ParseAmount(string(text))
	if err != nil {
		return fmt.Errorf("%w; write a number such as 29 or 0.018, without the currency", err)
	}
	*m = Money(amount)
	return nil
}

// micros returns the amount in millionths, 0 for nil.
func (m *Money) micros() int64 {
	if m == nil {
		return 0
	}
	return int64(*m)
}

// String formats the amount without trailing zeros.
func (m Money) String() string { return toksta.Amount(m).String() }

// MarshalYAML encodes the amount as a number without quotes.
func (m Money) MarshalYAML() (any, error) { return yamlNumber(m.String()), nil }

// Size is a number of bytes, written with a unit: 8MiB.
type Size int64

// sizeUnit is a unit of Size.
type sizeUnit struct {
	name  string // such as "KiB"
	bytes int64  // per unit
}

// sizeUnits returns the units, the largest first. B is last, because every other
// name ends in it.
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
