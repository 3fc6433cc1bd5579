package creditfeed

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/store"
)

// kept is how long what was read of past hours is good for. Totals come late
// to them only from a node that was without the store, or dead, meanwhile.
const kept = 10 * time.Minute

// past is what others charged an account in the hours before until. It is read
// seldom: the hours of a cycle may be many, and those of all purchased credits
// only grow.
type past struct {
	start, until time.Time
	use          store.CreditUse
	read         time.Time
}

// learn reads what others charged the spenders: past hours where what is known
// of them does not serve, then this hour and the one before.
func (f *Feed) learn(ctx context.Context, spenders []credits.Spender) error {
	if len(spenders) == 0 {
		return nil
	}
	until := f.config.Now().Truncate(time.Hour).Add(-time.Hour)
	if err := f.readPast(ctx, spenders, until); err != nil {
		return err
	}
	spans := make([]store.ChargeSpan, len(spenders))
	for i, s := range spenders {
		spans[i] = store.ChargeSpan{Account: s.ID, Cycle: s.Start, From: until}
	}
	recent, err := f.config.Store.ChargesBy(ctx, f.config.Meter.Owner(), spans)
	if err != nil {
		return fmt.Errorf("learn what other nodes charge: %w", err)
	}
	for i, s := range spenders {
		p := f.past[s.ID].use
		f.config.Book.Learn(s, p.Cycle.Plus(recent[i].Cycle), p.PurchasedEver+recent[i].PurchasedEver)
	}
	return nil
}

func (p past) stale(now time.Time) bool { return now.Sub(p.read) > kept }

// forget lets go of accounts that were not asked about for a while.
func (f *Feed) forget() {
	now := f.config.Now()
	maps.DeleteFunc(f.past, func(_ toksta.AccountID, p past) bool { return p.stale(now) })
}

// readPast makes the past of every spender known.
func (f *Feed) readPast(ctx context.Context, spenders []credits.Spender, until time.Time) error {
	now := f.config.Now()
	var spans []store.ChargeSpan
	for _, s := range spenders {
		if p := f.past[s.ID]; !p.start.Equal(s.Start) || !p.until.Equal(until) || p.stale(now) {
			spans = append(spans, store.ChargeSpan{Account: s.ID, Cycle: s.Start, To: until})
		}
	}
	if len(spans) == 0 {
		return nil
	}
	uses, err := f.config.Store.ChargesBy(ctx, f.config.Meter.Owner(), spans)
	if err != nil {
		return fmt.Errorf("learn what other nodes charged before: %w", err)
	}
	for i, span := range spans {
		f.past[span.Account] = past{start: span.Cycle, until: until, use: uses[i], read: now}
	}
	return nil
}
