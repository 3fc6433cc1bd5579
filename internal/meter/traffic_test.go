package meter

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/store"
)

// traffic counts the writes to a store.
type traffic struct{ Batches, Rows int }

// Flush must not be called concurrently.
func (t *traffic) Flush(_ context.Context, b store.UsageBatch) error {
	t.Batches++
	t.Rows += len(b.Totals)
	return nil
}

// measureTraffic returns the traffic of five seconds in which each slot is called at the given rate
// per second.
func measureTraffic(t *testing.T, slots, calls int) (got traffic) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{Sink: &got, Now: time.Now})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- m.Run(ctx) }()
		<-time.After(500 * time.Millisecond)
		for range 5 {
			for i := range slots * calls {
				e := call(time.Now())
				e.KeyID = numberedKey(i % slots)
				count(t, m, e)
			}
			<-time.After(time.Second)
		}
		stop()
		<-ended
	})
	return got
}

// Guarantee: the writes to the store grow with the number of slots in use and not with the number
// of requests, so a flood of calls does not become a flood of writes.
func TestFlushTrafficFollowsSlots(t *testing.T) {
	for _, c := range []struct {
		slots, calls int
		want         traffic
	}{
		{100, 1, traffic{5, 500}},
		{100, 10, traffic{5, 500}},
		{100, 100, traffic{5, 500}},
		{200, 10, traffic{5, 1000}},
		{2 * batchSize, 1, traffic{10, 10 * batchSize}},
	} {
		if diff := cmp.Diff(c.want, measureTraffic(t, c.slots, c.calls)); diff != "" {
			t.Errorf("%d slots, %d calls a second each:\n%s", c.slots, c.calls, diff)
		}
	}
}
