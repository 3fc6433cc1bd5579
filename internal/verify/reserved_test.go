package verify

import (
	"context"
	"testing"

	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a reservation takes the place of the hold: the balance in memory is untouched when it
// is made, so that both together never need the credits twice. It is made after all other checks, and the call is
// counted once, by its result. A rejection that does not concern the account is not counted.
func TestVerifyReserved(t *testing.T) {
	t.Parallel()
	whole := *search
	whole.Credits = 4 // the whole balance
	for name, c := range map[string]struct {
		key     string
		made    toksta.Rejection
		asked   bool
		want    toksta.Reason
		counted int
	}{
		"reserved":       {"live", toksta.Rejection{}, true, "", 1},
		"too few":        {"live", toksta.Reject(toksta.ReasonInsufficientCredits), true, toksta.ReasonInsufficientCredits, 1},
		"no database":    {"live", toksta.Reject(toksta.ReasonStoreUnavailable), true, toksta.ReasonStoreUnavailable, 0},
		"job used again": {"live", toksta.Reject(toksta.ReasonIdempotencyKeyReused), true, toksta.ReasonIdempotencyKeyReused, 0},
		"revoked":        {"dead", toksta.Rejection{}, false, toksta.ReasonKeyRevoked, 1},
		"unknown":        {"typo", toksta.Rejection{}, false, toksta.ReasonKeyUnknown, 0},
		"out of scope":   {"narrow", toksta.Rejection{}, false, toksta.ReasonScopeInsufficient, 1},
	} {
		n, asked := newNode(), false
		d := n.VerifyReserved(t.Context(), call(c.key, &whole), func(_ context.Context, d *toksta.Decision) toksta.Rejection {
			asked = true
			if d.Principal.AccountID != "acct_1" || d.Route.Credits != 4 || len(n.meter.increments) > 0 || !n.deps.Credits.Hold(d.Standing, 4, now) {
				t.Errorf("%s: reserved for %+v, %d counted before, or the credits were held", name, d.Principal, len(n.meter.increments))
			}
			return c.made
		})
		if d.Reason != c.want || d.Hold != 0 || asked != c.asked || len(n.meter.increments) != c.counted {
			t.Errorf("%s: %v, hold %d, asked %v, counted %d times", name, d.Rejection, d.Hold, asked, len(n.meter.increments))
		}
		if c.counted > 0 && n.meter.increments[0].Reason != c.want {
			t.Errorf("%s: counted as %q", name, n.meter.increments[0].Reason)
		}
	}
}

// Guarantee: a reserved call is taken from the rate limits.
func TestVerifyReservedTakesRate(t *testing.T) {
	t.Parallel()
	n := newNode()
	none := func(context.Context, *toksta.Decision) toksta.Rejection { return toksta.Rejection{} }
	first, second := n.VerifyReserved(t.Context(), call("slow", free), none), n.VerifyReserved(t.Context(), call("slow", free), none)
	if first.Rejected() || second.Reason != toksta.ReasonRateLimited {
		t.Errorf("%v, %v", first.Rejection, second.Rejection)
	}
}
