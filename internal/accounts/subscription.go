package accounts

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
)

// The cadences of billing. Credits reset monthly either way.
const (
	CadenceMonthly = "monthly"
	CadenceAnnual  = "annual"
)

// PlanRequest subscribes an account to a plan.
type PlanRequest struct {
	Account toksta.AccountID
	Plan    toksta.PlanID
	Cadence string // "": as it is
}

// SetPlan changes an account's plan. Leaving the free plan starts the billing
// cycle today; moving between other plans keeps it.
func (s *Service) SetPlan(ctx context.Context, by toksta.Actor, req PlanRequest) (Changed, error) {
	if err := toksta.InvalidFields(s.validPlan(req.Plan), validCadence(cmp.Or(req.Cadence, CadenceMonthly))); err != nil {
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
		subscribed := req.Plan != s.Catalog.FreePlan
		if subscribed && (a.Plan == s.Catalog.FreePlan || a.CycleAnchor.IsZero()) {
			// Only here: moving the anchor of a running cycle would give or take
			// credits.
			a.CycleAnchor = day(now)
		}
		a.Plan = req.Plan
		return store.Mutation{Kind: toksta.PlanSet, Detail: detail}, nil
	})
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
		m := store.Mutation{Kind: toksta.StatusSet, Detail: change("status", string(a.Status), string(req.Status))}
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
