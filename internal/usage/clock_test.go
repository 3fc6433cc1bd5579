package usage_test

import (
	"context"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/meter"
	"github.com/toksta/toksta/internal/store"
)

// closingSink signals every epoch that was closed in the store.
type closingSink struct {
	meter.Sink
	closed chan struct{}
}

func (s closingSink) Flush(ctx context.Context, b store.UsageBatch) error {
	err := s.Sink.Flush(ctx, b)
	if err == nil && b.Close {
		s.closed <- struct{}{}
	}
	return err
}

// clockSteps returns the successive times of a clock. Each is in a different hour than the one
// before.
func clockSteps() (out []time.Time) {
	for _, at := range []string{
		"2028-02-28T22:59:59Z", "2028-02-28T23:59:59Z", "2028-02-29T00:00:00Z", // leap day
		"2028-02-29T23:59:59Z", "2028-03-01T00:00:00Z", "2028-02-29T23:30:00Z", // the month changes, then the clock goes back an hour
		"2028-03-01T00:30:00Z", "2028-03-31T23:59:59Z", "2028-04-01T00:00:00Z",
	} {
		moment, _ := time.Parse(time.RFC3339, at)
		out = append(out, moment)
	}
	return out
}

// clockedLoad counts calls on a clock that a test sets.
type clockedLoad struct {
	clock  atomic.Int64 // Unix seconds
	counts atomic.Int64
	over   atomic.Bool
}

func (c *clockedLoad) now() time.Time { return time.Unix(c.clock.Load(), 0).UTC() }

// counter counts calls until over is set and returns their numbers by hour.
func (c *clockedLoad) counter(t *testing.T, m *meter.Meter) map[int64]int64 {
	byHour := map[int64]int64{}
	for !c.over.Load() {
		now := c.now()
		if err := m.Count(meter.Increment{AccountID: ours, KeyID: live, Family: "data", CostKey: "creator_search", Calls: 1, Now: now}); err != nil {
			t.Error(err)
			return byHour
		}
		byHour[now.Unix()/3600]++
		c.counts.Add(1)
		runtime.Gosched() // without it, eight busy goroutines would starve the flush
	}
	return byHour
}

// Guarantee: over hours, a leap day, ends of months and a clock stepped back, with concurrent
// calls, flushes and new journals, each call is counted once, in the hour that its clock showed and
// in the month of that hour.
func TestClockUnderLoad(t *testing.T) {
	t.Parallel()
	w, c, closed := newTestEnv(t), &clockedLoad{}, make(chan struct{}, 1000)
	moments := clockSteps()
	c.clock.Store(moments[0].Unix())
	m, err := meter.Open(meter.Config{Dir: filepath.Join(t.TempDir(), "meter"), Sink: closingSink{w.store, closed}, FlushEvery: time.Millisecond, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running, counters sync.WaitGroup
	running.Go(func() { _ = m.Run(ctx) })
	tallies := make([]map[int64]int64, 8)
	for i := range tallies {
		counters.Go(func() { tallies[i] = c.counter(t, m) })
	}
	for i, at := range moments {
		c.clock.Store(at.Unix())
		if i > 0 {
			<-closed // the journal of the hour before
		}
		for until := c.counts.Load() + 1000; c.counts.Load() < until && !t.Failed(); {
			if err := m.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	c.over.Store(true)
	counters.Wait()
	stop()
	running.Wait()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	w.checkStored(tallies, moments[len(moments)-1])
}

// checkStored compares the hours in the store, and the reports of their months, with the counted
// calls.
func (w *testEnv) checkStored(tallies []map[int64]int64, now time.Time) {
	w.Helper()
	w.reader.Now = func() time.Time { return now }
	hours, months := map[int64]int64{}, map[string]int64{}
	for _, tally := range tallies {
		for hour, n := range tally {
			hours[hour] += n
			months[time.Unix(hour*3600, 0).UTC().Format("2006-01")] += n
		}
	}
	got := map[int64]int64{}
	for hour := range hours {
		from := time.Unix(hour*3600, 0)
		rows, err := w.store.ListUsage(w.Context(), store.UsageQuery{Account: ours, From: from, To: from.Add(time.Hour)})
		if err != nil {
			w.Fatal(err)
		}
		for _, row := range rows {
			got[hour] += row.Calls
		}
	}
	if diff := cmp.Diff(hours, got); diff != "" {
		w.Errorf("by hour (-counted +stored)\n%s", diff)
	}
	for month, want := range months {
		report, err := w.reader.Month(w.Context(), ours, month)
		if err != nil {
			w.Fatal(err)
		}
		if report.TotalCalls != want {
			w.Errorf("%s has %d calls, want %d", month, report.TotalCalls, want)
		}
	}
}
