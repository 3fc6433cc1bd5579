package simulate

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// variant is a cluster that differs from the one before it in one thing.
type variant struct {
	name string
	Config
}

// Variants plays what could be built or configured differently, then the
// protocol with one rule broken at a time, and writes what came of it.
func Variants(w io.Writer, c Config) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "cluster\tnodes\tp50 ms\tp99 ms\tmax ms\tslow %\tfaults\tfenced\tlate")
	for _, v := range append(choices(c), breaches(c)...) {
		r := Run(v.Config)
		fmt.Fprintf(t, "%s\t%d\t%.1f\t%.1f\t%.1f\t%.1f\t%d\t%d\t%d\n", v.name, v.Nodes,
			ms(r.Quantile(0.5)), ms(r.Quantile(0.99)), ms(r.Quantile(1)), 100*r.Slow(), r.Broken, r.Fenced, r.Late)
	}
	return t.Flush()
}

// choices are what an operator decides: where the nodes are, how often they
// are killed, and whether the database ends a silent transaction.
func choices(c Config) []variant {
	far := c
	far.Nodes, far.Machine.Trip = 100, Latency{P50: 10 * time.Millisecond, P99: 20 * time.Millisecond}
	often := far
	often.Load.Revokes = 10

	killed := c
	killed.Nodes, killed.Faults = 10, Faults{Kill: 10 * time.Minute, Lasts: 10 * time.Second}

	ended := pauses(c)
	ended.Span *= 4 // few pauses meet a change
	held := ended
	held.Machine.Idle = 0
	return []variant{
		{"10 ms away, a change a second", far},
		{"10 ms away, ten changes a second", often},
		{"kills", killed},
		{"pauses, silent transactions are ended", ended},
		{"pauses, silent transactions stay", held},
	}
}

// breaches are one storm with each rule of the protocol broken in turn.
func breaches(c Config) []variant {
	rules := []struct {
		name string
		Rules
	}{
		{"storm, all rules kept", Rules{}},
		{"storm, lease from the answer", Rules{LeaseFromAnswer: true}},
		{"storm, stopping clock", Rules{StoppingClock: true}},
		{"storm, list before commit", Rules{ListFirst: true}},
		{"storm, serial numbers", Rules{SerialNumbers: true}},
		{"storm, wake only", Rules{WakeOnly: true}},
		{"storm, fence blindly", Rules{FenceBlindly: true}},
	}
	var out []variant
	for _, b := range rules {
		v := variant{b.name, storm(c)}
		v.Rules = b.Rules
		out = append(out, v)
	}
	return out
}

// pauses is a busy little cluster in which a process often stops in the middle
// of a change.
func pauses(c Config) Config {
	c = storm(c)
	c.Nodes, c.Load.Imports = 3, 10
	c.Faults = Faults{Pause: time.Minute, Lasts: 30 * time.Second}
	return c
}

// storm is a small cluster in which every kind of fault keeps happening and
// the database is slow, so that every race has room.
func storm(c Config) Config {
	c.Nodes = 8
	c.Load = Load{Revokes: 5, Imports: 5, ImportRows: 500}
	c.Faults = Faults{Cut: 10 * time.Second, Pause: time.Minute, Kill: time.Minute, Lasts: 3 * time.Second}
	c.Machine.Keys, c.Machine.Idle = 1000, time.Second
	c.Machine.Trip = Latency{P50: 10 * time.Millisecond, P99: 80 * time.Millisecond}
	c.Machine.Flush = Latency{P50: 5 * time.Millisecond, P99: 50 * time.Millisecond}
	return c
}
