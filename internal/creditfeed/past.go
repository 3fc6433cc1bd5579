package creditfeed

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// kept is how long what was read of past hours is good for. Totals come late
// to them only from a node that was dead, or without the store, meanwhile.
const kept = 10 * time.Minute

// past is what others charged an account in the hours before until. It is read
// seldom: the hours of a cycle may be many, and those of all purchased credits
// only grow.
type past struct {
	cycle, own, until time.Time
	charged           store.Charged
	read              time.Time
}

func (p past) stale(now time.Time) bool { return now.Sub(p.read) > kept }

// learn reads what others charged the spenders this hour and the one before,
// and past hours where what is known of them does not serve. Both must be of
// one state of the account's ledger, or a reservation that is settled
// meanwhile would be in neither.
func (f *Feed) learn(ctx context.Context, spenders []credits.Spender) error {
	const attempts = 5
	for range attempts {
		if len(spenders) == 0 {
			return nil
		}
		now := f.config.Now()
		until := now.Truncate(time.Hour).Add(-time.Hour)
		recent, err := f.read(ctx, spenders, func(s credits.Spender) store.ChargeSpan {
			return store.ChargeSpan{Account: s.ID, Cycle: s.Start, Own: s.Own, From: until}
		})
		if err != nil {
			return err
		}
		var behind []credits.Spender
		for i, s := range spenders {
			p, r := f.past[s.ID], recent[i]
			if p.stale(now) || !p.cycle.Equal(s.Start) || !p.own.Equal(s.Own) || !p.until.Equal(until) || p.charged.Entries != r.Entries {
				behind = append(behind, s)
				continue
			}
			f.config.Book.Learn(s, credits.Use{
				Cycle:         p.charged.Cycle.Plus(r.Cycle),
				PurchasedEver: p.charged.PurchasedEver + r.PurchasedEver,
				Held:          r.Held,
				Entries:       r.Entries,
			})
		}
		if err := f.readPast(ctx, behind, until); err != nil {
			return err
		}
		spenders = behind
	}
	return errors.New("learn what others charge: an account's ledger grew with every look")
}

// readPast makes the past of the spenders known.
func (f *Feed) readPast(ctx context.Context, spenders []credits.Spender, until time.Time) error {
	now := f.config.Now()
	charged, err := f.read(ctx, spenders, func(s credits.Spender) store.ChargeSpan {
		return store.ChargeSpan{Account: s.ID, Cycle: s.Start, Own: s.Own, To: until}
	})
	if err != nil {
		return err
	}
	for i, s := range spenders {
		f.past[s.ID] = past{cycle: s.Start, own: s.Own, until: until, charged: charged[i], read: now}
	}
	return nil
}

// read asks the store about a span of each spender.
func (f *Feed) read(ctx context.Context, spenders []credits.Spender, span func(credits.Spender) store.ChargeSpan) ([]store.Charged, error) {
	if len(spenders) == 0 {
		return nil, nil
	}
	spans := make([]store.ChargeSpan, len(spenders))
	for i, s := range spenders {
		spans[i] = span(s)
	}
	charged, err := f.config.Store.ChargesBy(ctx, f.config.Meter.Owner(), spans)
	if err != nil {
		return nil, fmt.Errorf("learn what others charge: %w", err)
	}
	return charged, nil
}

// forget lets go of accounts that were not asked about for a while.
func (f *Feed) forget() {
	now := f.config.Now()
	maps.DeleteFunc(f.past, func(_ toksta.AccountID, p past) bool { return p.stale(now) })
}
