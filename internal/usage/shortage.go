package usage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Shortage describes an account whose credits do not pay even the cheapest call that
// costs some.
type Shortage struct {
	Left   int64     // credits
	Since  time.Time // zero: not known
	Grant  int64     // credits that the plan grants at resets; 0: none
	Resets time.Time
	Capped bool // the plan sells overage, and the account's cap is reached
}

// Shortage returns the shortage of an account. It returns nil if the account can pay a
// call, has no calls to pay, or is blocked for another reason. With an error, the result
// is valid, but without the time since when.
func (r *Reader) Shortage(ctx context.Context, s *toksta.Standing) (*Shortage, error) {
	least, _ := r.prices(s.Families)
	if s.Blocked != "" || least == 0 {
		return nil, nil
	}
	now := r.now()
	b := r.Balance(s, now)
	rate := s.Plan.OverageMicros
	sells := rate > 0 && (b.OverageCapMicros <= 0 || b.OverageMicros <= b.OverageCapMicros-rate)
	if sells || b.Remaining() >= least {
		return nil, nil
	}
	out := &Shortage{Left: b.Remaining(), Grant: b.Included, Resets: b.ResetsAt, Capped: rate > 0}
	if r.Exhausted == nil {
		return out, nil
	}
	since, err := r.Exhausted(ctx, s.Account.ID)
	if err != nil {
		return out, fmt.Errorf("read since when the credits are used up: %w", err)
	}
	if start, _ := toksta.Cycle(s.Account.CycleAnchor, now); !since.Before(start) {
		out.Since = since
	}
	return out, nil
}

// prices returns the price of the cheapest operation of the families that costs
// credits, 0 if none does, and whether the vendor's API has free ones among them.
func (r *Reader) prices(families []toksta.Family) (least int64, free bool) {
	for _, route := range r.Catalog.Routes {
		switch {
		case !slices.Contains(families, route.Family):
		case route.Credits > 0 && (least == 0 || route.Credits < least):
			least = route.Credits
		case route.Credits == 0 && route.Family != toksta.FamilyAccount:
			free = true
		}
	}
	return least, free
}

// Rejection states that calls with a key are rejected now, whatever their rate.
type Rejection struct {
	Reason toksta.Reason
	Since  time.Time // zero: not known
	// Free means that calls that cost no credits are still admitted.
	Free bool
}

// Rejection returns why the calls of a key are rejected at now, nil if they are admitted. It
// checks whether the key is revoked or expired, then whether the account is blocked,
// then whether the plan lacks all scopes of the key, then whether the credits pay its
// calls. lack is the account's shortage.
func (r *Reader) Rejection(s *toksta.Standing, k toksta.Key, lack *Shortage, now time.Time) *Rejection {
	reach := reachable(s, k)
	switch state := k.State(now); {
	case state == toksta.KeyRevoked:
		return &Rejection{Reason: toksta.ReasonKeyRevoked, Since: k.RevokedAt}
	case state == toksta.KeyExpired:
		return &Rejection{Reason: toksta.ReasonKeyExpired, Since: k.ExpiresAt}
	case s.Blocked == toksta.ReasonPlanFree, s.Blocked == toksta.ReasonAPIAccessDisabled:
		return &Rejection{Reason: s.Blocked}
	case s.Blocked != "": // by the status of the subscription
		return &Rejection{Reason: s.Blocked, Since: s.Account.StatusSince}
	case len(k.Limits.Scopes) > 0 && len(reach) == 0:
		return &Rejection{Reason: toksta.NotEntitled(k.Limits.Scopes[0])}
	case lack == nil:
		return nil
	}
	least, free := r.prices(reach)
	if least == 0 {
		return nil
	}
	return &Rejection{Reason: toksta.ReasonInsufficientCredits, Since: lack.Since, Free: free}
}

// reachable returns the families that a key can call by its scopes and the account's plan.
func reachable(s *toksta.Standing, k toksta.Key) []toksta.Family {
	if len(k.Limits.Scopes) == 0 {
		return s.Families
	}
	return slices.DeleteFunc(slices.Clone(k.Limits.Scopes), func(f toksta.Family) bool { return !slices.Contains(s.Families, f) })
}
