package credits

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// pastLifetime is the time after which past hours are read again. They change
// only if a node flushes late, after an outage.
const pastLifetime = 10 * time.Minute

// aloneLifetime is the time after which a node without other nodes reads all
// charges again. A node that joined and left between two polls of the node list
// can have added some.
const aloneLifetime = time.Minute

// past is the sum of the charges of others in the hours before until. It is
// cached, because a cycle has many hours and purchased credits are summed over
// all time. If there is no other node, it covers all hours.
type past struct {
	cycle, own, until time.Time
	charged           store.Charged
	readAt            time.Time
}

func (p past) isStale(now time.Time) bool {
	if p.until.Equal(noEnd) {
		return now.Sub(p.readAt) > aloneLifetime
	}
	return now.Sub(p.readAt) > pastLifetime
}

// readOthers reads the charges of others on the accounts and applies them. If
// there are other nodes, it reads this hour and the last one every time,
// otherwise only reservations and entries. It reads earlier hours only if there
// is no current sum of them in s.past. Both sums must have the same number of
// entries. Otherwise a reservation that is settled in between could be missing
// in both. The caller holds s.mu.
func (s *Service) readOthers(ctx context.Context, accounts []syncState) error {
	const attempts = 5
	for range attempts {
		if len(accounts) == 0 {
			return nil
		}
		now := s.Now()
		until, err := s.pastUntil(ctx, now)
		if err != nil {
			return err
		}
		recent, err := s.readSpans(ctx, accounts, func(a syncState) store.ChargeSpan {
			return store.ChargeSpan{Account: a.ID, Cycle: a.Cycle, Own: a.Own, From: until}
		})
		if err != nil {
			return err
		}
		var missing []syncState
		for i, a := range accounts {
			p, r := s.past[a.ID], recent[i]
			if p.isStale(now) || !p.cycle.Equal(a.Cycle) || !p.own.Equal(a.Own) || !p.until.Equal(until) || p.charged.Entries != r.Entries {
				missing = append(missing, a)
				continue
			}
			r.Cycle = p.charged.Cycle.Plus(r.Cycle)
			r.PurchasedEver += p.charged.PurchasedEver
			s.Balances.setOthers(a, r)
		}
		if err := s.readPast(ctx, missing, until); err != nil {
			return err
		}
		accounts = missing
	}
	return errors.New("read the charges of other nodes: an account got new entries during every read")
}

// readPast reads what the other nodes charged to the accounts in the hours before until,
// and keeps it in s.past.
func (s *Service) readPast(ctx context.Context, accounts []syncState, until time.Time) error {
	now := s.Now()
	charged, err := s.readSpans(ctx, accounts, func(a syncState) store.ChargeSpan {
		return store.ChargeSpan{Account: a.ID, Cycle: a.Cycle, Own: a.Own, To: until}
	})
	if err != nil {
		return err
	}
	for i, a := range accounts {
		s.past[a.ID] = past{cycle: a.Cycle, own: a.Own, until: until, charged: charged[i], readAt: now}
	}
	return nil
}

// readSpans returns the charges of others in the span of each account, in the
// order of the accounts.
func (s *Service) readSpans(ctx context.Context, accounts []syncState, span func(syncState) store.ChargeSpan) ([]store.Charged, error) {
	if len(accounts) == 0 {
		return nil, nil
	}
	spans := make([]store.ChargeSpan, len(accounts))
	for i, a := range accounts {
		spans[i] = span(a)
	}
	charged, err := s.Store.ChargesBy(ctx, s.Meter.Owner(), spans)
	if err != nil {
		return nil, fmt.Errorf("read the charges of other nodes: %w", err)
	}
	return charged, nil
}

// expirePast deletes the cached sums that are stale.
func (s *Service) expirePast() {
	now := s.Now()
	maps.DeleteFunc(s.past, func(_ toksta.AccountID, p past) bool { return p.isStale(now) })
}
