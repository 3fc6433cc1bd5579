package simulate

import (
	"bytes"
	"testing"
	"time"
)

// fewerCuts returns a short run with many faults in which some callers have none.
func fewerCuts(seed uint64) Config {
	c := manyFaults(Defaults())
	c.Seed, c.Span, c.Faults.Cut = seed, 2*time.Minute, time.Minute
	c.Machine.Idle = 200 * time.Millisecond
	return c
}

// Guarantee: the figures of the documentation can be reproduced.
func TestSameSeedSameTable(t *testing.T) {
	t.Parallel()
	c := Defaults()
	c.Span, c.Machine.Keys = 5*time.Second, 1000
	table := func(seed uint64) string {
		var b bytes.Buffer
		c.Seed = seed
		if err := Table(&b, c); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if a, b := table(1), table(1); a != b {
		t.Errorf("the same seed printed\n%s\nand\n%s", a, b)
	}
	if table(1) == table(2) {
		t.Error("another seed printed the same table")
	}
}

// Guarantee: under any faults, no node admits a key whose revocation has returned,
// no lease outlasts its length from the sending of its renewal, and a revocation
// returns about one lease after its commit.
func TestProtocolHolds(t *testing.T) {
	t.Parallel()
	c := fewerCuts(0)
	// 500 ms are for reading the node table and removing rows from it.
	most := time.Duration(float64(fenceAfter(c.Lease))*(1+drift)) + 500*time.Millisecond
	for c.Seed = range uint64(5) {
		r := Run(c)
		if r.Late > 0 {
			t.Errorf("seed %d: %d late admissions", c.Seed, r.Late)
		}
		if r.LongestLease > c.Lease {
			t.Errorf("seed %d: a lease lasted %s after its renewal was sent, want at most %s", c.Seed, r.LongestLease, c.Lease)
		}
		if r.LongestWait > most {
			t.Errorf("seed %d: a revocation took %s after its commit, want at most %s", c.Seed, r.LongestWait, most)
		}
		if len(r.Latency) < 100 || r.FaultCount < 20 || r.Fenced < 5 || r.LongestWait < c.Lease {
			t.Errorf("seed %d proves nothing: %d revocations, %d faults, %d fenced, longest wait %s",
				c.Seed, len(r.Latency), r.FaultCount, r.Fenced, r.LongestWait)
		}
	}
}

// Guarantee: the model detects a late admission when any rule is switched off. Some
// races are rare, so each rule gets several runs.
func TestEachRuleIsNeeded(t *testing.T) {
	t.Parallel()
	kept, broken := withoutRules(Defaults())[0], withoutRules(Defaults())[1:]
	if r := Run(kept.Config); r.Late > 0 {
		t.Errorf("%d late admissions with all rules", r.Late)
	}
	for _, v := range broken {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			for range 5 {
				if Run(v.Config).Late > 0 {
					return
				}
				v.Seed++
			}
			t.Error("no late admission without the rule")
		})
	}
}

// Guarantee: a node that pauses during a change does not make the other nodes'
// changes fail until it continues, because the database ends its idle transaction.
func TestIdleTransactionsMustEnd(t *testing.T) {
	t.Parallel()
	failed := func(idle time.Duration) (share float64) {
		c := manyPauses(Defaults())
		c.Machine.Idle = idle
		for c.Seed = range uint64(8) {
			share += Run(c).FailedShare() / 8
		}
		return share
	}
	ended, held := failed(time.Second), failed(0)
	t.Logf("%.2f %% of the revocations failed with the time-out, %.2f %% without", 100*ended, 100*held)
	if held < 0.01 || ended > held/10 {
		t.Errorf("%.2f %% of the revocations failed with the time-out, %.2f %% without", 100*ended, 100*held)
	}
}

// Guarantee: only the calls within about one lease wait for a killed node, and its
// replacement delays no call however long it loads.
func TestKilledNodeDelaysOneLease(t *testing.T) {
	t.Parallel()
	c := Defaults()
	c.Nodes, c.Span, c.Faults = 8, 20*time.Minute, Faults{Kill: 10 * time.Minute, Lasts: time.Second}
	c.Machine.Keys = 5_000_000 // 40 seconds to load
	r := Run(c)
	slow := int(r.Slow() * float64(len(r.Latency)))
	t.Logf("%d of %d revocations slow, %d kills, %d rows removed", slow, len(r.Latency), r.FaultCount, r.Fenced)
	// A node that is killed while it loads has no row to remove.
	if r.FaultCount < 4 || r.Fenced < r.FaultCount-2 || r.Fenced > r.FaultCount {
		t.Errorf("%d kills, %d rows removed", r.FaultCount, r.Fenced)
	}
	if lasts := int(2 * c.Lease.Seconds()); slow < r.FaultCount || slow > lasts*r.FaultCount {
		t.Errorf("%d revocations were slow after %d kills, one comes every second", slow, r.FaultCount)
	}
}

// Guarantee: renewals delay no change, whatever the number of nodes and the
// duration of a renewal.
func TestRenewalsDelayNoChange(t *testing.T) {
	t.Parallel()
	p99 := func(nodes int) time.Duration {
		c := Defaults()
		c.Nodes, c.Span, c.Machine.Keys = nodes, 2*time.Minute, 1000
		c.Machine.Trip = Latency{P50: 10 * time.Millisecond, P99: 20 * time.Millisecond}
		return Run(c).Quantile(0.99)
	}
	few, many := p99(3), p99(60)
	t.Logf("p99 %s with 3 nodes, %s with 60", few, many)
	if many > few*3/2 {
		t.Errorf("p99 %s with 3 nodes, %s with 60", few, many)
	}
}
