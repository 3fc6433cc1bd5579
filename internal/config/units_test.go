package config

import (
	"testing"

	"pgregory.net/rapid"
)

// Amounts and sizes do not change when they are printed and parsed, so that the
// output of `config print` can be the next configuration.
func TestUnitsRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		money := Money(rapid.Int64Range(0, 1<<50).Draw(t, "micros"))
		var m Money
		if err := m.UnmarshalText([]byte(money.String())); err != nil || m != money {
			t.Fatalf("%d was printed as %s and parsed as %d, %v", money, money, m, err)
		}
		size := Size(rapid.Int64Range(0, 1<<40).Draw(t, "bytes"))
		var s Size
		if err := s.UnmarshalText([]byte(size.String())); err != nil || s != size {
			t.Fatalf("%d was printed as %s and parsed as %d, %v", size, size, s, err)
		}
	})
}

// An amount that would be rounded, or a size without a known unit, is rejected.
func TestUnitsReject(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", ".", ".5", "-1", "+1", "1e3", "1,5", "0.1234567", "1.-5", "99999999999999999999", "$1"} {
		var m Money
		if m.UnmarshalText([]byte(text)) == nil {
			t.Errorf("amount %q was parsed as %s", text, m)
		}
	}
	for _, text := range []string{"", "10", "10MB", "-1MiB", "1.5MiB", "MiB", "99999999999GiB"} {
		var s Size
		if s.UnmarshalText([]byte(text)) == nil {
			t.Errorf("size %q was parsed as %s", text, s)
		}
	}
}
