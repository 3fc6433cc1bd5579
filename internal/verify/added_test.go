package verify

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/meter"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/toksta"
)

// noMeter counts nothing.
type noMeter struct{}

func (noMeter) Count(meter.Increment) error { return nil }

// BenchmarkAddedByMetering measures the cost that counting adds to an admitted call. Decisions with
// and without counting alternate in small chunks within one run, so other load on the machine
// affects both.
func BenchmarkAddedByMetering(b *testing.B) {
	for _, c := range []struct {
		name    string
		route   *toksta.Route
		keys    int
		flushes bool
	}{
		{"one key", free, 1, false},
		{"one key, flushed to PostgreSQL", free, 1, true},
		{"billed, one key", search, 1, false}, // two increments: the call, then its charge
		{"1000 keys", free, 1000, false},
		{"1000 keys, flushed to PostgreSQL", free, 1000, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			config := meter.Config{Dir: b.TempDir(), Sink: discardSink{}}
			if c.flushes {
				db, err := sqlstore.Open(b.Context(), sqlstore.Config{URL: pgtest.Start(b).NewDatabase(b)})
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { _ = db.Close() })
				config.Sink, config.FlushEvery = db, 100*time.Millisecond
			}
			m, err := meter.Open(config)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = m.Close() })
			runMeter(b, m)
			measureAdded(b, m, c.route, c.keys)
		})
	}
}

// runMeter runs m until the benchmark ends.
func runMeter(b *testing.B, m *meter.Meter) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		<-ended
	})
}

// measureAdded reports the cost of a decision without and with m for calls of the given number of
// keys: the mean over all chunks, and the quickest chunk, which was not interrupted.
func measureAdded(b *testing.B, m Meter, r *toksta.Route, keys int) {
	without, deps := newFundedEngine(noMeter{})
	with, metered := newFundedEngine(m)
	calls := make([]toksta.Call, keys)
	for i := range calls {
		name := fmt.Sprint("key_", i)
		calls[i] = call(name, r)
		for _, d := range []Deps{deps, metered} {
			d.Index.PutGrant(digest(name), "acct_1", toksta.Grant{KeyID: toksta.KeyID(name)})
		}
	}
	decide(b, with, calls) // creates the slots
	b.ReportAllocs()
	var off, on chunks
	for b.Loop() {
		off.add(decide(b, without, calls))
		on.add(decide(b, with, calls))
	}
	b.ReportMetric(off.mean(), "off-ns")
	b.ReportMetric(on.mean(), "on-ns")
	b.ReportMetric(on.mean()-off.mean(), "added-ns")
	b.ReportMetric(on.mean()/off.mean(), "on/off")
	b.ReportMetric(off.least(), "least-off-ns")
	b.ReportMetric(on.least(), "least-on-ns")
	b.ReportMetric(on.least()-off.least(), "least-added-ns")
}

// chunk is the number of decisions that are timed together.
const chunk = 1000

// decide times one chunk of admitted calls.
func decide(b *testing.B, e *Engine, calls []toksta.Call) time.Duration {
	start := time.Now()
	for i := range chunk {
		c := calls[i%len(calls)]
		d := e.Verify(context.Background(), c)
		e.Charge(&d, c, d.Hold)
		if d.Rejected() {
			b.Fatalf("rejected: %+v", d.Rejection)
		}
	}
	return time.Since(start)
}

// chunks accumulates the durations of chunks. Its results are nanoseconds per decision.
type chunks struct {
	n             int
	sum, quickest time.Duration
}

func (c *chunks) add(d time.Duration) {
	if c.n == 0 || d < c.quickest {
		c.quickest = d
	}
	c.n++
	c.sum += d
}

func (c *chunks) mean() float64  { return float64(c.sum) / float64(c.n*chunk) }
func (c *chunks) least() float64 { return float64(c.quickest) / chunk }
