package usage

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/toksta/toksta/sdk/toksta"
)

// amountColumns returns the header of the columns with the amount of overage, and a
// function that returns their fields.
func amountColumns(c toksta.Currency) (header []string, fields func(micros int64) []string) {
	if c.IsDefault() {
		return []string{"overage_usd"}, func(micros int64) []string { return []string{toksta.Amount(micros).String()} }
	}
	return []string{"overage_amount", "currency"}, func(micros int64) []string { return []string{toksta.Amount(micros).String(), c.Code()} }
}

// member is a name and a value of an object whose names depend on the configuration.
type member struct {
	name  string
	value any
}

// encodeObject encodes the members in their order, because encoding/json sorts the
// names of a map.
func encodeObject(members []member) ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			out.WriteByte(',')
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", m.name, err)
		}
		fmt.Fprintf(&out, "%q:%s", m.name, value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}
