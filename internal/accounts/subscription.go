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

// Billing cadences. Credits reset monthly with both.
const (
	CadenceMonthly = "monthly"
	CadenceAnnual  = "annual"
)

// PlanRequest sets the plan of an account.
type PlanRequest struct {
	Account     toksta.AccountID
	Plan        toksta.PlanID
	Cadence     string     // "": unchanged
	CycleAnchor *time.Time // any day on which a billing cycle began; nil: see SetPlan
}

// SetPlan changes an account's plan. A change between paid plans keeps the billing
// cycle. A change from the free plan to a paid one starts a cycle today. If the
// last paid cycle has not ended, it continues instead, so that included credits
// are granted once a cycle.
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

// anchor returns the cycle anchor of an account that changes its plan. A change to
// the free plan moves the anchor to the end of the current paid cycle. If the
// account subscribes again before that date, the anchor stays and the cycle
// continues.
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

// nextAnchor returns the first date at or after the end of the current cycle that
// has the anchor's day of the month.
func nextAnchor(anchor, now time.Time) time.Time {
	_, end := toksta.Cycle(anchor, now)
	if end.Day() == anchor.Day() {
		return end
	}
	return time.Date(end.Year(), end.Month()+1, anchor.Day(), 0, 0, 0, 0, time.UTC) // a short month is followed by a long one
}

// validAnchor rejects a date in the future.
func (s *Service) validAnchor(anchor *time.Time) error {
	at, err := toksta.ValidateTime("cycle_anchor", anchor)
	if err == nil && at.After(s.now()) {
		err = toksta.Invalid("cycle_anchor", "Give a day on which a billing cycle has begun, today at the latest.")
	}
	return err
}

// dayText formats a date; the zero time becomes "".
func dayText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}

// StatusRequest sets the subscription status of an account.
type StatusRequest struct {
	Account toksta.AccountID
	Status  toksta.Status
	Since   time.Time // zero: now
}

// SetStatus changes an account's subscription status. It revokes no key: keys work
// again when the status allows it.
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
			// Setting the same status again keeps its start.
			a.Status, a.StatusSince = req.Status, since
		}
		return m, nil
	})
}

// validPlan rejects a plan that is not in the catalog. If a plan is removed from
// the catalog, the calls of its accounts are rejected like calls on a free plan.
func (s *Service) validPlan(id toksta.PlanID) error {
	if _, known := s.Catalog.Plan(id); known {
		return nil
	}
	ids := make([]toksta.PlanID, len(s.Catalog.Plans))
	for i, p := range s.Catalog.Plans {
		ids[i] = p.ID
	}
	return unknownValue("plan", id, ids)
}

// validStatus rejects a status that is not in the configuration. If the status of
// an existing account is removed from it, the account's calls are rejected.
func (s *Service) validStatus(status toksta.Status) error {
	if _, known := s.Catalog.Statuses[status]; known {
		return nil
	}
	return unknownValue("status", status, slices.Collect(maps.Keys(s.Catalog.Statuses)))
}

// validCadence rejects an unknown cadence. The cadence is only shown to people.
func validCadence(c string) error {
	if c == CadenceMonthly || c == CadenceAnnual {
		return nil
	}
	return unknownValue("cadence", c, []string{CadenceMonthly, CadenceAnnual})
}

// day truncates t to midnight UTC.
func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
