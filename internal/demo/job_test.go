package demo

import "testing"

// Guarantee: a job is reserved at the price in the API's price list, and invalid
// parameters are rejected before the reservation.
func TestPriceOfJob(t *testing.T) {
	t.Parallel()
	for q, want := range map[[2]any]int64{
		{"broad", 1}: 1, {"", 0}: 200, {"balanced", 100}: 200, {"strict", 200}: 600, {"strict", 201}: 0, {"strict", -1}: 0, {"lax", 1}: 0,
	} {
		each, most := params{Mode: q[0].(string), MaxCandidates: int64(q[1].(int))}.price()
		if each*most != want {
			t.Errorf("%v is reserved at %d, want %d", q, each*most, want)
		}
	}
}
