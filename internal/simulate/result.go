package simulate

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// Sizes in bytes. Memory sizes come from the benchmarks of package index, sizes on
// the wire from the columns that are read.
const (
	keyBytes    = 250 // of a followed key, on the wire
	nodeBytes   = 160 // of a row of the node table, on the wire
	indexBytes  = 96  // of a key in memory, with a hundred keys per account
	singleBytes = 200 // of a key in memory, with one key per account
)

// Result holds the measurements of one run, from the end of its warm-up.
type Result struct {
	Config       Config
	Latency      []time.Duration // of each revocation whose caller had no fault
	Failed       int             // revocations that reached a deadline before their commit; their callers had no fault
	LongestWait  time.Duration   // between the commit and the return of a revocation
	Late         int             // pairs of a returned revocation and a node that could still admit the key
	LongestLease time.Duration   // from sending a renewal to the end of its lease
	FaultCount   int
	Fenced       int // rows removed after a wait
	Use          Use
}

// Use is the work that the cluster caused in its database.
type Use struct {
	Writes  int // committed write transactions
	Flushes int // of the disk
	Reads   int // of the node table
	Bytes   int // read by nodes
	Changes int // rows changed by calls that returned
}

func (r *run) count(add func(*Use)) {
	if r.now >= r.warm {
		add(&r.Use)
	}
}

// Quantile returns the latency that a share q of the revocations did not exceed,
// or 0 without revocations.
func (r Result) Quantile(q float64) time.Duration {
	if len(r.Latency) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(r.Latency))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// Slow returns the share of revocations that took more than half a lease, which
// means that they waited for the end of a lease.
func (r Result) Slow() float64 {
	slow := 0
	for _, l := range r.Latency {
		if l > r.Config.Lease/2 {
			slow++
		}
	}
	return float64(slow) / float64(max(len(r.Latency), 1))
}

// FailedShare returns the share of revocations that failed at a deadline.
func (r Result) FailedShare() float64 {
	return float64(r.Failed) / float64(max(r.Failed+len(r.Latency), 1))
}

func (r Result) perSecond(n int) float64 { return float64(n) / r.Config.Span.Seconds() }

// scenario is one block of the table.
type scenario struct {
	name   string
	load   Load
	faults Faults
}

// scenarios returns the loads and faults that Table simulates, and the numbers of nodes.
// Table runs each scenario with each number.
func scenarios() ([]scenario, []int) {
	rough := Faults{Cut: time.Hour, Pause: time.Hour, Kill: time.Hour, Lasts: 5 * time.Second}
	return []scenario{
		{"calm", Load{Revokes: 1}, Faults{}},
		{"busy", Load{Revokes: 10}, Faults{}},
		{"import", Load{Revokes: 1, Imports: 10, ImportRows: 500}, Faults{}},
		{"rough", Load{Revokes: 1}, rough},
	}, []int{1, 3, 10, 30, 100}
}

// Table runs every scenario on clusters of every size and writes the costs. It
// takes all other settings from c.
func Table(w io.Writer, c Config) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "load\tnodes\trevokes\tp50 ms\tp99 ms\tmax ms\twrites/s\tflushes/s\tlists/s\tread kB/s\tfaults\tfenced\tlate\t")
	list, sizes := scenarios()
	for _, s := range list {
		for _, c.Nodes = range sizes {
			c.Load, c.Faults = s.load, s.faults
			r := Run(c)
			fmt.Fprintf(t, "%s\t%d\t%d\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%d\t%d\t%d\t\n",
				s.name, c.Nodes, len(r.Latency), ms(r.Quantile(0.5)), ms(r.Quantile(0.99)), ms(r.Quantile(1)),
				r.perSecond(r.Use.Writes), r.perSecond(r.Use.Flushes), r.perSecond(r.Use.Reads),
				r.perSecond(r.Use.Bytes)/1e3, r.FaultCount, r.Fenced, r.Late)
		}
	}
	return t.Flush()
}

// Sizes writes the memory of a node and the size and duration of its snapshot. The
// figures are calculated, not simulated.
func Sizes(w io.Writer, c Config) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "keys\tmemory MB\tan account each MB\tsnapshot MB\tsnapshot s\t")
	for keys := 100_000; keys <= 100_000_000; keys *= 10 {
		c.Machine.Keys = keys
		fmt.Fprintf(t, "%d\t%d\t%d\t%d\t%.1f\t\n",
			keys, keys*indexBytes/1e6, keys*singleBytes/1e6, keys*keyBytes/1e6, c.loadTime().Seconds())
	}
	return t.Flush()
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
