package simulate

import (
	"bytes"
	"testing"
	"time"
)

// stormy is a short storm that leaves some calls undisturbed.
func stormy(seed uint64) Config {
	c := storm(Defaults())
	c.Seed, c.Span, c.Faults.Cut = seed, 2*time.Minute, time.Minute
	c.Machine.Idle = 200 * time.Millisecond
	return c
}

// Guarantee: a figure in the documentation can be printed again by whoever
// doubts it.
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

// Guarantee: whatever happens to the nodes, none admits a key whose revocation
// has returned; none admits longer than a lease after it last asked; and a
// revocation returns about one lease after its commit.
func TestProtocolHolds(t *testing.T) {
	t.Parallel()
	c := stormy(0)
	// The rest is reading the table of nodes and removing rows from it.
	most := time.Duration(float64(sitOut(c.Lease))*(1+drift)) + 500*time.Millisecond
	for c.Seed = range uint64(5) {
		r := Run(c)
		if r.Late > 0 {
			t.Errorf("seed %d: %d late admissions", c.Seed, r.Late)
		}
		if r.Longest > c.Lease {
			t.Errorf("seed %d: a node admitted for %s on one renewal", c.Seed, r.Longest)
		}
		if r.Waited > most {
			t.Errorf("seed %d: a revocation took %s after its commit, %s is the most", c.Seed, r.Waited, most)
		}
		if len(r.Latency) < 100 || r.Broken < 20 || r.Fenced < 5 || r.Waited < c.Lease {
			t.Errorf("seed %d proves nothing: %d revocations, %d faults, %d fenced, %s the longest wait",
				c.Seed, len(r.Latency), r.Broken, r.Fenced, r.Waited)
		}
	}
}

// Guarantee: the model can see each rule broken, so its silence means
// something. Some races are rare: a few storms may pass before one is met.
func TestEachRuleIsNeeded(t *testing.T) {
	t.Parallel()
	kept, broken := breaches(Defaults())[0], breaches(Defaults())[1:]
	if r := Run(kept.Config); r.Late > 0 {
		t.Errorf("%d late admissions with all rules kept", r.Late)
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
			t.Error("nothing was admitted late without the rule")
		})
	}
}

// Guarantee: one node that stops in the middle of a change cannot hold up
// every other change for as long as it is gone.
func TestSilentTransactionsMustEnd(t *testing.T) {
	t.Parallel()
	worst := func(idle time.Duration) (most time.Duration) {
		c := pauses(Defaults())
		c.Machine.Idle = idle
		for c.Seed = range uint64(8) {
			most = max(most, Run(c).Quantile(1))
		}
		return most
	}
	ended, held := worst(time.Second), worst(0)
	t.Logf("longest revocation: %s with the time-out, %s without", ended, held)
	if ended > 10*time.Second || held < 20*time.Second {
		t.Errorf("longest revocation: %s with the time-out, %s without", ended, held)
	}
}

// Guarantee: a dead node costs the calls within about a lease one wait, and
// the node that takes its place holds nobody up however long it loads.
func TestDeadNodesAreWaitedForOnce(t *testing.T) {
	t.Parallel()
	c := Defaults()
	c.Nodes, c.Faults = 8, Faults{Kill: 10 * time.Minute, Lasts: time.Second}
	c.Machine.Keys = 5_000_000 // 40 seconds to load
	r := Run(c)
	slow := int(r.Slow() * float64(len(r.Latency)))
	t.Logf("%d of %d revocations slow, %d kills, %d rows removed", slow, len(r.Latency), r.Broken, r.Fenced)
	// Who dies while loading has no row to remove.
	if r.Broken < 4 || r.Fenced < r.Broken-2 || r.Fenced > r.Broken {
		t.Errorf("%d kills, %d rows removed", r.Broken, r.Fenced)
	}
	if lasts := int(2 * c.Lease.Seconds()); slow < r.Broken || slow > lasts*r.Broken {
		t.Errorf("%d revocations were slow after %d kills, one comes every second", slow, r.Broken)
	}
}

// Guarantee: renewals hold up no change, however many nodes there are and
// however long a renewal takes.
func TestRenewalsHoldUpNobody(t *testing.T) {
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
