package simulate

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// What one thing takes, in bytes: in memory as the benchmarks of package index
// measure it, on the wire by the columns that are read.
const (
	keyBytes    = 250 // of a followed key, on the wire
	nodeBytes   = 160 // of a node in a list, on the wire
	indexBytes  = 96  // of a key in a node's memory, a hundred keys to an account
	singleBytes = 200 // with an account to each
)

// Result is what a run showed, counted after the cluster had formed.
type Result struct {
	Config  Config
	Latency []time.Duration // of each revocation whose caller met no fault
	Waited  time.Duration   // the longest part of one after its commit
	Late    int             // revocations, times nodes, admitted after they had returned
	Longest time.Duration   // that a node admitted after it had sent the renewal
	Broken  int             // faults
	Fenced  int             // rows removed after a wait
	Use     Use
}

// Use is what the cluster asked of its database.
type Use struct {
	Writes  int // committed write transactions
	Flushes int // of the disk
	Reads   int // of the table of nodes
	Bytes   int // read by nodes
	Changes int // rows changed by calls that returned
}

func (r *run) count(add func(*Use)) {
	if r.now >= r.warm {
		add(&r.Use)
	}
}

// Quantile returns the latency that a share q of the revocations kept within,
// 0 when there were none.
func (r Result) Quantile(q float64) time.Duration {
	if len(r.Latency) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(r.Latency))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// Slow returns the share of revocations that took over half a lease: those
// that waited for a lease to run out.
func (r Result) Slow() float64 {
	slow := 0
	for _, l := range r.Latency {
		if l > r.Config.Lease/2 {
			slow++
		}
	}
	return float64(slow) / float64(max(len(r.Latency), 1))
}

// perSecond is the rate of something that was counted.
func (r Result) perSecond(n int) float64 { return float64(n) / r.Config.Span.Seconds() }

// scenario is one block of the table.
type scenario struct {
	name   string
	load   Load
	faults Faults
}

// scenarios are what the table compares; each is run on clusters of sizes.
func scenarios() ([]scenario, []int) {
	rough := Faults{Cut: time.Hour, Pause: time.Hour, Kill: time.Hour, Lasts: 5 * time.Second}
	return []scenario{
		{"calm", Load{Revokes: 1}, Faults{}},
		{"busy", Load{Revokes: 10}, Faults{}},
		{"import", Load{Revokes: 1, Imports: 10, ImportRows: 500}, Faults{}},
		{"rough", Load{Revokes: 1}, rough},
	}, []int{1, 3, 10, 30, 100}
}

// Table plays every scenario on clusters of every size, with c for the rest,
// and writes what each cost.
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
				r.perSecond(r.Use.Bytes)/1e3, r.Broken, r.Fenced, r.Late)
		}
	}
	return t.Flush()
}

// Sizes writes what a node holds and how long it takes to join, by
// arithmetic.
func Sizes(w io.Writer, c Config) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "keys\tmemory MB\tan account each MB\tsnapshot MB\tsnapshot s\t")
	for keys := 100_000; keys <= 100_000_000; keys *= 10 {
		c.Machine.Keys = keys
		fmt.Fprintf(t, "%d\t%d\t%d\t%d\t%.1f\t\n",
			keys, keys*indexBytes/1e6, keys*singleBytes/1e6, keys*keyBytes/1e6, c.joinTime().Seconds())
	}
	return t.Flush()
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
