package usage_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/sdk/toksta"
)

// idleStore is a store that signals when its pruner has nothing left to do: the last step changed
// no rows, or another node has the claim.
type idleStore struct {
	*testEnv
	claimed bool // another node has the claim
	idle    chan struct{}
	once    sync.Once
}

func (k *idleStore) Claim(ctx context.Context, c store.Claim) (time.Time, error) {
	if k.claimed {
		defer k.once.Do(func() { close(k.idle) })
		return time.Time{}, nil
	}
	return k.store.Claim(ctx, c)
}

func (k *idleStore) RollUp(ctx context.Context, before time.Time, limit int) (int64, error) {
	return k.store.RollUp(ctx, before, limit)
}

func (k *idleStore) Drop(ctx context.Context, before time.Time, limit int) (int64, error) {
	n, err := k.store.Drop(ctx, before, limit)
	if n == 0 {
		k.once.Do(func() { close(k.idle) })
	}
	return n, err
}

// runUntilIdle runs a pruner until it has nothing left to do.
func (k *idleStore) runUntilIdle() {
	k.Helper()
	k.idle, k.once = make(chan struct{}), sync.Once{}
	pruner := usage.Pruner{
		Store: k, Retention: usage.Retention{HourlyDays: 62, KeepMonths: 25}, Holder: "a", Log: slog.New(slog.DiscardHandler),
	}
	ctx, stop := context.WithCancel(k.Context())
	done := make(chan error)
	go func() { done <- pruner.Run(ctx) }()
	select {
	case <-k.idle:
	case <-time.After(20 * time.Second):
		k.Error("the pruner is not idle after 20 seconds")
	}
	stop()
	if err := <-done; err != nil {
		k.Error(err)
	}
}

// calls returns the account's calls by the hour in which the store has them.
func (k *idleStore) calls() map[time.Time]int64 {
	k.Helper()
	rows, err := k.store.ListUsage(k.Context(), store.UsageQuery{Account: ours, From: time.Unix(3600, 0), To: time.Now().AddDate(1, 0, 0)})
	if err != nil {
		k.Fatal(err)
	}
	out := map[time.Time]int64{}
	for _, r := range rows {
		out[time.Unix(3600*r.Hour, 0).UTC()] += r.Calls
	}
	return out
}

// Guarantee: hours and days are kept as long as configured, nothing is deleted before its export,
// and only one node does the work.
func TestPruner(t *testing.T) {
	t.Parallel()
	k := &idleStore{testEnv: newTestEnv(t)}
	now := time.Now().UTC()
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	hourly, daily := today.AddDate(0, 0, -62), month.AddDate(0, -25, 0)
	dayBefore, monthBefore := hourly.AddDate(0, 0, -1), daily.AddDate(0, 0, -1)
	all := map[time.Time]int64{}
	batch := store.UsageBatch{Epoch: "e", Close: true}
	for i, at := range []time.Time{
		now.Truncate(time.Hour), hourly, dayBefore.Add(23 * time.Hour), dayBefore.Add(5 * time.Hour), daily.Add(time.Hour), monthBefore.Add(23 * time.Hour),
	} {
		slot := store.UsageSlot{AccountID: ours, KeyID: live, Family: "data", Hour: at.Unix() / 3600}
		all[at] = 1 << i
		batch.Totals = append(batch.Totals, store.UsageTotal{UsageSlot: slot, Calls: 1 << i, Charge: toksta.Charge{Purchased: 1 << i}})
	}
	if err := k.store.Flush(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	is := func(when string, want map[time.Time]int64) {
		t.Helper()
		if d := cmp.Diff(want, k.calls()); d != "" {
			t.Errorf("%s (-want +got)\n%s", when, d)
		}
	}
	k.claimed = true
	k.runUntilIdle()
	is("another node works", all)
	k.claimed = false
	k.runUntilIdle()
	is("kept", map[time.Time]int64{now.Truncate(time.Hour): 1, hourly: 2, dayBefore: 4 + 8, daily: 16})
	err := k.store.CreditUse(t.Context(), now, func(toksta.AccountID) time.Time { return now }, func(_ toksta.AccountID, u store.CreditUse) {
		if u.PurchasedEver != 63 {
			t.Errorf("%d purchased credits were used, want 63", u.PurchasedEver)
		}
	})
	if err != nil {
		t.Error(err)
	}
}
