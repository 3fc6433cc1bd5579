package usage

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Retention is for how long usage is kept, and how finely. Days and months are
// UTC's.
type Retention struct {
	HourlyDays int // before today, of which hours are kept
	KeepMonths int // before this one, of which days are kept
}

// firstHourly is the first moment of the oldest day whose hours are kept.
func (r Retention) firstHourly(now time.Time) time.Time {
	now = now.UTC()
	return time.Date(now.Year(), now.Month(), now.Day()-r.HourlyDays, 0, 0, 0, 0, time.UTC)
}

// FirstMonth is the first moment of the oldest month that is kept.
func (r Retention) FirstMonth(now time.Time) time.Time {
	now = now.UTC()
	return time.Date(now.Year(), now.Month()-time.Month(r.KeepMonths), 1, 0, 0, 0, 0, time.UTC)
}

// checkKept rejects a period with usage that is deleted, or that has not begun,
// and one that cuts an hour, or a day of which only the sum is kept.
func (r Retention) checkKept(p period, now time.Time) error {
	whole := func(t time.Time) bool {
		return t.Equal(t.Truncate(time.Hour)) && (!t.Before(r.firstHourly(now)) || t.Equal(t.Truncate(24*time.Hour)))
	}
	switch {
	case p.from.Before(r.FirstMonth(now)):
		return toksta.Invalid("from", "Usage is kept from "+r.FirstMonth(now).Format(time.DateOnly)+" on; give from, no earlier than that.")
	case p.from.After(now):
		return toksta.Invalid("from", "This time has not begun.")
	case !p.from.Before(p.to):
		return toksta.Invalid("to", "Give a to that is later than from.")
	case !whole(p.from) || !whole(p.to):
		return toksta.Invalid("from", "Give whole hours, UTC, and whole days before "+r.firstHourly(now).Format(time.DateOnly)+".")
	}
	return nil
}

// Keeper rolls old hours up into days and drops the days of old months. One
// node does it for all; two at once do no harm.
type Keeper struct {
	Store interface {
		store.Retention
		store.Claims
	}
	Retention
	Holder string // of the claim: different for each process
	Log    *slog.Logger
}

const (
	keepEvery = time.Hour
	keepClaim = 10 * time.Minute // a batch takes milliseconds
	keepBatch = 1000             // rows: a commit of somebody else waits for one batch
)

// Run keeps the store small until ctx ends. A failure is logged and tried
// again with the next hour.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		if err := k.keep(ctx); err != nil && ctx.Err() == nil {
			k.Log.Error("cannot make old usage smaller; it is kept meanwhile", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// keep does what is due. Hours go first: what is to be dropped is days.
func (k *Keeper) keep(ctx context.Context) error {
	rolled, err := k.each(ctx, k.Store.RollUp, k.firstHourly)
	if err != nil {
		return fmt.Errorf("roll usage up: %w", err)
	}
	dropped, err := k.each(ctx, k.Store.Drop, k.FirstMonth)
	if err != nil {
		return fmt.Errorf("drop old usage: %w", err)
	}
	if rolled+dropped > 0 {
		k.Log.Info("old usage made smaller", "rolled_up", rolled, "dropped", dropped)
	}
	return nil
}

// each takes batches of what is before a limit, for as long as there are any
// and the claim is this node's. The limit follows the database's clock: a node
// whose own is ahead must not delete what is to be kept.
func (k *Keeper) each(ctx context.Context, fold func(context.Context, time.Time, int) (int64, error), limit func(time.Time) time.Time) (rows int64, err error) {
	for {
		now, err := k.Store.Claim(ctx, store.Claim{Name: "usage retention", Holder: k.Holder, For: keepClaim})
		if err != nil || now.IsZero() {
			return rows, err
		}
		n, err := fold(ctx, limit(now), keepBatch)
		if rows += n; err != nil || n == 0 {
			return rows, err
		}
	}
}
