package accounts

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// The cadences of billing. Credits reset monthly either way.
const (
	CadenceMonthly = "monthly"
	CadenceAnnual  = "annual"
)

// PlanRequest subscribes an account to a plan.
type PlanRequest struct {
	Account     toksta.AccountID
	Plan        toksta.PlanID
	Cadence     string     // "": as it is
	CycleAnchor *time.Time // any day that a billing cycle began on; nil: see SetPlan
}

// SetPlan changes an account's plan. Leaving the free plan starts the billing
// cycle today, unless the cycle in which the account moved to it still runs:
// included credits are granted once a cycle. Moving between other plans keeps
// the cycle.
func (s *Service) SetPlan(ctx context.Context, by toksta.Actor, req PlanRequest) (Changed, error) {
	if err := toksta.InvalidFields(s.validPlan(req.Plan), validCadence(cmp.Or(req.Cadence, CadenceMonthly)), s.validAnchor(req.CycleAnchor)); err != nil {
		return Changed{}, err
	}
	now := s.now()
	return s.edit(ctx, by, target{account: req.Account}, func(a *toksta.Account) (store.Mutation, error) {
		detail := map[string]string{}
		maps.Copy(detail, change("plan", string(a.Plan), string(req.Plan)))
		if req.Cadence != "" {
			maps.Copy(detail, change("cadence", a.Cadence, req.Cadence))
			a.Cadence = req.Cadence
		}
		anchor := s.anchor(*a, req, now)
		if req.CycleAnchor != nil {
			maps.Copy(detail, change("cycle_anchor", dayText(a.CycleAnchor), dayText(anchor)))
		}
		a.Plan, a.CycleAnchor = req.Plan, anchor
		return store.Mutation{Kind: toksta.ChangePlanSet, Detail: detail}, nil
	})
}

// anchor returns the cycle anchor of an account that moves to another plan. On
// the free plan it is a day in the future while the last cycle of the plan
// before runs.
func (s *Service) anchor(a toksta.Account, to PlanRequest, now time.Time) time.Time {
	free := s.Catalog.FreePlan
	switch {
	case to.CycleAnchor != nil:
		return day(*to.CycleAnchor)
	case to.Plan != free && (a.CycleAnchor.IsZero() || a.Plan == free && !a.CycleAnchor.After(now)):
		return day(now)
	case to.Plan == free && a.Plan != free && !a.CycleAnchor.IsZero():
		return nextAnchor(a.CycleAnchor, now)
	}
	return a.CycleAnchor
}

// nextAnchor returns the first day with the anchor's day of the month that is not
// before the end of the running cycle.
func nextAnchor(anchor, now time.Time) time.Time {
	_, end := toksta.Cycle(anchor, now)
	if end.Day() == anchor.Day() {
		return end
	}
	return time.Date(end.Year(), end.Month()+1, anchor.Day(), 0, 0, 0, 0, time.UTC) // a short month is followed by a long one
}

// validAnchor rejects a day on which no cycle can have begun.
func (s *Service) validAnchor(anchor *time.Time) error {
	at, err := toksta.ValidateTime("cycle_anchor", anchor)
	if err == nil && at.After(s.now()) {
		err = toksta.Invalid("cycle_anchor", "Give a day on which a billing cycle has begun, today at the latest.")
	}
	return err
}

// dayText is "" for no day.
func dayText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}

// StatusRequest states a subscription's state.
type StatusRequest struct {
	Account toksta.AccountID
	Status  toksta.Status
	Since   time.Time // zero: now
}

// SetStatus changes an account's subscription status. Keys are not revoked by
// a lapse: they work again once the status admits them.
func (s *Service) SetStatus(ctx context.Context, by toksta.Actor, req StatusRequest) (Changed, error) {
	if err := s.validStatus(req.Status); err != nil {
		return Changed{}, err
	}
	since := req.Since.UTC().Truncate(time.Millisecond)
	if req.Since.IsZero() {
		since = s.now()
	}
	return s.edit(ctx, by, target{account: req.Account}, func(a *toksta.Account) (store.Mutation, error) {
		m := store.Mutation{Kind: toksta.ChangeStatusSet, Detail: change("status", string(a.Status), string(req.Status))}
		if len(m.Detail) > 0 {
			// Saying the same again does not restart "past due since".
			a.Status, a.StatusSince = req.Status, since
		}
		return m, nil
	})
}

// validPlan refuses a plan that is not in the catalogue. An account can still
// be on one that the catalogue lost; it is then refused like a free one.
func (s *Service) validPlan(id toksta.PlanID) error {
	if _, known := s.Catalog.Plan(id); known {
		return nil
	}
	ids := make([]toksta.PlanID, len(s.Catalog.Plans))
	for i, p := range s.Catalog.Plans {
		ids[i] = p.ID
	}
	return oneOf("plan", id, ids)
}

// validStatus takes only what the configuration says how to treat; a status
// that verification meets unlisted is refused there.
func (s *Service) validStatus(status toksta.Status) error {
	if _, known := s.Catalog.Statuses[status]; known {
		return nil
	}
	return oneOf("status", status, slices.Collect(maps.Keys(s.Catalog.Statuses)))
}

// validCadence guards a word that is shown to people and decides nothing.
func validCadence(c string) error {
	if c == CadenceMonthly || c == CadenceAnnual {
		return nil
	}
	return oneOf("cadence", c, []string{CadenceMonthly, CadenceAnnual})
}

// day is midnight UTC of t.
func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
