package simulate

import (
	"bytes"
	"fmt"
	"slices"
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
	// Silent transactions hold up the caller's own renewal meanwhile.
	most := time.Duration(float64(sitOut(c.Lease))*(1+drift)) + 2*c.Machine.Idle
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
		if len(r.Latency) < 100 || r.Broken < 20 || r.Waited < c.Lease {
			t.Errorf("seed %d proves nothing: %d revocations, %d faults, %s the longest wait",
				c.Seed, len(r.Latency), r.Broken, r.Waited)
		}
	}
}

// Guarantee: the model can see each rule broken, so its silence means
// something.
func TestEachRuleIsNeeded(t *testing.T) {
	t.Parallel()
	kept, broken := breaches(Defaults())[0], breaches(Defaults())[1:]
	if r := Run(kept.Config); r.Late > 0 {
		t.Errorf("%d late admissions with all rules kept", r.Late)
	}
	for _, v := range broken {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			if r := Run(v.Config); r.Late == 0 {
				t.Error("nothing was admitted late without the rule")
			}
		})
	}
}

// Guarantee: one node that stops in the middle of a renewal cannot hold up
// every revocation for as long as it is gone.
func TestSilentTransactionsMustEnd(t *testing.T) {
	t.Parallel()
	worst := func(idle time.Duration) (most time.Duration) {
		for seed := range uint64(2) {
			c := stormy(seed)
			c.Faults = Faults{Pause: 3 * time.Minute, Lasts: time.Minute}
			c.Machine.Idle = idle
			most = max(most, Run(c).Quantile(1))
		}
		return most
	}
	ended, held := worst(time.Second), worst(0)
	t.Logf("longest revocation: %s with the time-out, %s without", ended, held)
	if ended > 10*time.Second || held < 30*time.Second {
		t.Errorf("longest revocation: %s with the time-out, %s without", ended, held)
	}
}

// Guarantee: a node that joins with many keys to load holds nobody up, if it
// is waited for only once it can admit.
func TestLateLeaseJoinsQuietly(t *testing.T) {
	t.Parallel()
	c := stormy(1)
	c.Faults = Faults{Kill: time.Minute, Lasts: 10 * time.Second}
	c.Machine.Keys = 2_000_000
	eager := Run(c)
	c.Rules.LateLease = true
	late := Run(c)
	t.Logf("slow revocations: %.2f eager, %.2f late", eager.Slow(), late.Slow())
	if late.Late > 0 || late.Slow() > eager.Slow()*3/4 {
		t.Errorf("slow revocations: %.2f eager, %.2f late; %d late admissions", eager.Slow(), late.Slow(), late.Late)
	}
}

// Guarantee: on a slow network the documented way out of starved writers is
// one.
func TestFairLockEndsStarvation(t *testing.T) {
	t.Parallel()
	c := Defaults()
	c.Nodes, c.Span, c.Machine.Keys = 100, time.Minute, 1000
	c.Machine.Trip = Latency{P50: 10 * time.Millisecond, P99: 20 * time.Millisecond}
	passed := Run(c).Quantile(0.99)
	c.Rules.FairLock = true
	queued := Run(c).Quantile(0.99)
	t.Logf("p99 %s with a lock that sharers pass, %s with a queue", passed, queued)
	if passed < 2*queued {
		t.Errorf("p99 %s with a lock that sharers pass, %s with a queue", passed, queued)
	}
}

// Guarantee: the lock is PostgreSQL's, not a kinder one: who waits to be alone
// is passed by sharers as long as one of them holds on.
func TestRowLockLetsSharersPass(t *testing.T) {
	t.Parallel()
	var got []string
	var l rowLock
	take := func(name string, share bool) {
		l.acquire(share, func() { got = append(got, name) })
	}
	take("a", true)
	take("alone", false)
	take("b", true)
	l.release(true)
	take("c", true)
	if want := []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Fatalf("holders %v, want %v", got, want)
	}
	l.release(true)
	l.release(true)
	take("d", true)
	take("e", true)
	l.release(false)
	if want := "[a b c alone d e]"; fmt.Sprint(got) != want {
		t.Errorf("holders %v, want %s", got, want)
	}
}
