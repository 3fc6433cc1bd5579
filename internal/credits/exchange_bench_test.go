package credits

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// BenchmarkExchange measures an exchange of charges on a node that has another node, for an account
// near its limit, whose charges are exchanged four times a second. It compares an account without
// usage with one that has 50,000 usage rows of other nodes in its cycle.
func BenchmarkExchange(b *testing.B) {
	for _, rows := range []int{0, 50_000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			c := newCluster(b, filepath.Join(b.TempDir(), "toksta.db"), 2, toksta.Plan{IncludedCredits: 1 << 30, PerMinute: 1 << 40})
			first, _ := toksta.Cycle(c.st.Account.CycleAnchor, c.now)
			hours := int(c.now.Sub(first)/time.Hour) + 1
			batch := store.UsageBatch{Epoch: "another node"}
			for i := range rows {
				batch.Totals = append(batch.Totals, store.UsageTotal{
					UsageSlot: store.UsageSlot{
						AccountID: c.st.Account.ID, KeyID: toksta.KeyID(fmt.Sprintf("key_%d", i/hours)), Family: "data", CostKey: "search",
						Hour: first.Unix()/3600 + int64(i%hours),
					},
					Calls: 1, Charge: toksta.Charge{Credits: 1},
				})
			}
			c.ok(c.db.Flush(b.Context(), batch))
			n := c.nodes[0]
			start, at := cpuTime(), 0
			for b.Loop() {
				c.now = c.now.Add(urgentInterval)
				n.call(1)
				at++
				n.exchange(at%20 == 0)
			}
			b.ReportMetric(float64((cpuTime()-start).Microseconds())/float64(b.N), "cpu-µs/op")
			if left, want := n.left(), int64(1<<30-rows-at); left != want {
				b.Errorf("%d credits are left, want %d", left, want)
			}
		})
	}
}

// cpuTime returns the processor time of this process, which other programs of a busy machine do not
// change.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
