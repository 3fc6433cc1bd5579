package usage

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Retention is the time for which usage is kept by hour and by day. Days and months are UTC.
type Retention struct {
	HourlyDays int // days before today whose hours are kept
	KeepMonths int // months before this one whose days are kept
}

// firstHourly returns the start of the oldest day whose hours are kept.
func (r Retention) firstHourly(now time.Time) time.Time {
	now = now.UTC()
	return time.Date(now.Year(), now.Month(), now.Day()-r.HourlyDays, 0, 0, 0, 0, time.UTC)
}

// FirstMonth returns the start of the oldest month that is kept.
func (r Retention) FirstMonth(now time.Time) time.Time {
	now = now.UTC()
	return time.Date(now.Year(), now.Month()-time.Month(r.KeepMonths), 1, 0, 0, 0, 0, time.UTC)
}

// checkRetained rejects a period with deleted or future usage, and a period that includes part of
// an hour, or part of a day of which only the sum is kept.
func (r Retention) checkRetained(p period, now time.Time) error {
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

// Pruner rolls up old hours into days and deletes the days of old months. One node at a time does
// it for all nodes. Two at once do no harm.
type Pruner struct {
	Store interface {
		store.Retention
		store.Claims
	}
	Retention
	Holder string // identifies the process in its claim
	Log    *slog.Logger
}

const (
	pruneInterval = time.Hour
	claimDuration = 10 * time.Minute // a batch takes milliseconds
	batchSize     = 1000             // rows; other commits wait for one batch at most
)

// Run prunes usage every hour until ctx ends. It logs a failure and tries again an hour later.
func (k *Pruner) Run(ctx context.Context) error {
	tick := time.NewTicker(pruneInterval)
	defer tick.Stop()
	for {
		if err := k.prune(ctx); err != nil && ctx.Err() == nil {
			k.Log.Error("cannot roll up or delete old usage; trying again in an hour", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// prune rolls up old hours before it deletes old days, because the deletion affects only days.
func (k *Pruner) prune(ctx context.Context) error {
	rolled, err := k.inBatches(ctx, k.Store.RollUp, k.firstHourly)
	if err != nil {
		return fmt.Errorf("roll up usage: %w", err)
	}
	dropped, err := k.inBatches(ctx, k.Store.Drop, k.FirstMonth)
	if err != nil {
		return fmt.Errorf("delete old usage: %w", err)
	}
	if rolled+dropped > 0 {
		k.Log.Info("old usage rolled up and deleted", "rolled_up", rolled, "dropped", dropped)
	}
	return nil
}

// inBatches calls fold, which changes up to a batch of rows before a time, until there are no such
// rows or another node holds the claim. It returns the number of changed rows. limit computes the
// time from the database's clock, because a node whose clock is ahead must not delete rows that are
// still kept.
func (k *Pruner) inBatches(ctx context.Context, fold func(context.Context, time.Time, int) (int64, error), limit func(time.Time) time.Time) (rows int64, err error) {
	for {
		now, err := k.Store.Claim(ctx, store.Claim{Name: "usage retention", Holder: k.Holder, For: claimDuration})
		if err != nil || now.IsZero() {
			return rows, err
		}
		n, err := fold(ctx, limit(now), batchSize)
		if rows += n; err != nil || n == 0 {
			return rows, err
		}
	}
}
