package simulate

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// variant is a named configuration.
type variant struct {
	name string
	Config
}

// Variants runs other deployments, then the protocol with one rule switched off at
// a time, and writes the results.
func Variants(w io.Writer, c Config) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "cluster\tnodes\tp50 ms\tp99 ms\tmax ms\tslow %\tfailed %\tfaults\tfenced\tlate")
	long := c
	long.Span *= 4 // some races are rare
	for _, v := range append(deployments(c), withoutRules(long)...) {
		r := Run(v.Config)
		fmt.Fprintf(t, "%s\t%d\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%d\t%d\t%d\n", v.name, v.Nodes,
			ms(r.Quantile(0.5)), ms(r.Quantile(0.99)), ms(r.Quantile(1)), 100*r.Slow(), 100*r.FailedShare(), r.FaultCount, r.Fenced, r.Late)
	}
	return t.Flush()
}

// deployments returns the choices of an operator: the distance of the database,
// the rate of kills, and whether the database ends idle transactions.
func deployments(c Config) []variant {
	far := c
	far.Nodes, far.Machine.Trip = 100, Latency{P50: 10 * time.Millisecond, P99: 20 * time.Millisecond}
	often := far
	often.Load.Revokes = 10

	killed := c
	killed.Nodes, killed.Faults = 10, Faults{Kill: 10 * time.Minute, Lasts: 10 * time.Second}

	ended := manyPauses(c)
	ended.Span *= 4 // few pauses hit a change
	held := ended
	held.Machine.Idle = 0
	return []variant{
		{"10 ms away, a change a second", far},
		{"10 ms away, ten changes a second", often},
		{"kills", killed},
		{"pauses, idle transactions are ended", ended},
		{"pauses, idle transactions stay open", held},
	}
}

// withoutRules returns a cluster under many faults, first with all rules, then
// with each rule switched off.
func withoutRules(c Config) []variant {
	rules := []struct {
		name string
		Rules
	}{
		{"many faults, all rules", Rules{}},
		{"many faults, lease from the response", Rules{LeaseFromResponse: true}},
		{"many faults, stopping clock", Rules{StoppingClock: true}},
		{"many faults, list before commit", Rules{ListBeforeCommit: true}},
		{"many faults, unordered numbers", Rules{UnorderedNumbers: true}},
		{"many faults, notify only", Rules{NotifyOnly: true}},
		{"many faults, fence unchecked", Rules{FenceUnchecked: true}},
	}
	var out []variant
	for _, b := range rules {
		v := variant{b.name, manyFaults(c)}
		v.Rules = b.Rules
		out = append(out, v)
	}
	return out
}

// manyPauses returns a small, busy cluster in which processes often pause during a
// change.
func manyPauses(c Config) Config {
	c = manyFaults(c)
	c.Nodes, c.Load.Imports = 3, 10
	c.Faults = Faults{Pause: time.Minute, Lasts: 30 * time.Second}
	return c
}

// manyFaults returns a small cluster with frequent faults of every kind and a slow
// database, which makes every race likely.
func manyFaults(c Config) Config {
	c.Nodes = 8
	c.Load = Load{Revokes: 5, Imports: 5, ImportRows: 500}
	c.Faults = Faults{Cut: 10 * time.Second, Pause: time.Minute, Kill: time.Minute, Lasts: 3 * time.Second}
	c.Machine.Keys, c.Machine.Idle = 1000, time.Second
	c.Machine.Trip = Latency{P50: 10 * time.Millisecond, P99: 80 * time.Millisecond}
	c.Machine.Flush = Latency{P50: 5 * time.Millisecond, P99: 50 * time.Millisecond}
	return c
}
