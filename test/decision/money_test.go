package decision_test

import (
	"encoding/json"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: an amount is the same number in a configuration, in the database, on
// a page and in a JSON document, to the millionth.
func TestAmount(t *testing.T) {
	t.Parallel()
	for micros, want := range map[toksta.Amount][2]string{
		0: {"0", "0.00"}, 1: {"0.000001", "0.000001"}, 25_000: {"0.025", "0.025"}, 100_000: {"0.1", "0.10"},
		1_000_000: {"1", "1.00"}, -1_500_000: {"-1.5", "-1.50"}, 299_999_999: {"299.999999", "299.999999"},
	} {
		if got := [2]string{micros.String(), micros.Decimal(2)}; got != want {
			t.Errorf("%d: %q, want %q", int64(micros), got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		micros := rapid.Int64().Draw(t, "micros")
		text, err := json.Marshal(toksta.Amount(micros))
		if err != nil {
			t.Fatal(err)
		}
		got, ok := new(big.Rat).SetString(string(text))
		if !ok || got.Cmp(big.NewRat(micros, toksta.MicrosPerUnit)) != 0 {
			t.Fatalf("%d millionths were encoded as %s", micros, text)
		}
		parsed, err := toksta.ParseAmount(string(text))
		if (err == nil) != (micros >= 0) || err == nil && parsed != toksta.Amount(micros) {
			t.Fatalf("%s was parsed as %d: %v", text, parsed, err)
		}
	})
}

// Guarantee: a fee is charged in the smallest unit of its currency, and a code that
// ISO 4217 does not have is rejected.
func TestCurrency(t *testing.T) {
	t.Parallel()
	for code, want := range map[toksta.Currency]struct {
		digits int
		known  bool
	}{
		"USD": {2, true}, "EUR": {2, true}, "JPY": {0, true}, "KRW": {0, true}, "KWD": {3, true}, "CLF": {4, true},
		"": {2, false}, "eur": {2, false}, "EU": {2, false}, "XXX": {2, false}, "UR ": {2, false}, "DEM": {2, false}, "D E": {2, false},
	} {
		if code.Digits() != want.digits || code.IsKnown() != want.known {
			t.Errorf("%q: %d digits, known %v", code, code.Digits(), code.IsKnown())
		}
	}
}
