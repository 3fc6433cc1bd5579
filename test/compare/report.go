package main

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// sample is one measurement: one case, one target, one round.
type sample struct {
	requests int
	elapsed  time.Duration
	cpu      time.Duration // user and system time of every process of the target
	p50, p99 time.Duration
	memory   int64 // bytes
	changes  int   // of keys that returned during the measurement
}

func (s sample) cpuMicros() float64  { return micros(s.cpu) / float64(s.requests) }
func (s sample) rate() float64       { return float64(s.requests) / s.elapsed.Seconds() }
func (s sample) changeRate() float64 { return float64(s.changes) / s.elapsed.Seconds() }
func (s sample) p50Millis() float64  { return micros(s.p50) / 1e3 }
func (s sample) p99Millis() float64  { return micros(s.p99) / 1e3 }
func (s sample) mebibytes() float64  { return float64(s.memory) / (1 << 20) }

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// cell identifies the samples of one target in one case.
type cell struct {
	scenario    string
	connections int
	target      string
}

// results holds the samples of each cell. Index i of every slice belongs to round i.
type results map[cell][]sample

// median returns the median of values, or NaN if there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// typical returns the median of value over the rounds.
func typical(samples []sample, value func(sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = value(s)
	}
	return median(values)
}

// ratio returns the median over the rounds of value(a)/value(b). Each ratio is
// computed within one round, so that a slow minute of the machine affects both
// parts of it. Without a common round the result is NaN.
func ratio(a, b []sample, value func(sample) float64) float64 {
	rounds := min(len(a), len(b))
	ratios := make([]float64, 0, rounds)
	for i := range rounds {
		if divisor := value(b[i]); divisor > 0 {
			ratios = append(ratios, value(a[i])/divisor)
		}
	}
	return median(ratios)
}

// tables writes one table for each case. Ratios to HAProxy and Caddy are within the
// case. Ratios to a bare net/http server are to its 200 at the same number of
// connections.
func (r results) tables() string {
	var out bytes.Buffer
	for _, c := range cases() {
		fmt.Fprintf(&out, "### %s, %s\n\n", c.title, count(c.connections, "connection"))
		out.WriteString("| target | CPU µs per request | × HAProxy | × net/http 200 | × Caddy | requests/s | p50 ms | p99 ms | memory MiB |\n")
		out.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
		for _, target := range targetNames {
			if s := r[cell{c.name, c.connections, target}]; len(s) > 0 {
				out.WriteString(r.row(c, target, s))
			}
		}
		out.WriteString("\n")
	}
	return strings.TrimSpace(out.String()) + "\n"
}

// row writes the line of one target.
func (r results) row(c benchCase, target string, s []sample) string {
	haproxy := r[cell{c.name, c.connections, targetHAProxy}]
	caddy := r[cell{c.name, c.connections, targetCaddy}]
	var bare []sample
	if !c.upstream {
		bare = r[cell{scenarioHealth, c.connections, targetBare}]
	}
	columns := []string{
		target,
		number(typical(s, sample.cpuMicros)),
		number(ratio(s, haproxy, sample.cpuMicros)),
		number(ratio(s, bare, sample.cpuMicros)),
		number(ratio(s, caddy, sample.cpuMicros)),
	}
	for _, value := range []func(sample) float64{sample.rate, sample.p50Millis, sample.p99Millis, sample.mebibytes} {
		columns = append(columns, number(typical(s, value))+" ("+number(ratio(s, haproxy, value))+")")
	}
	return "| " + strings.Join(columns, " | ") + " |\n"
}

// changesTable writes the table of Toksta on two cores with and without changes. Ratios
// are to the row without changes.
func (r results) changesTable() string {
	var out strings.Builder
	fmt.Fprintf(&out, "### Call to the upstream at %d calls/s on two cores, with and without changes of keys\n\n", steadyRate)
	out.WriteString("| load | changes/s | CPU µs per request | p50 ms | p99 ms |\n| --- | --- | --- | --- | --- |\n")
	var reference []sample
	for _, c := range changeCases() {
		s := r[cell{c.name, c.connections, targetToksta}]
		if len(s) == 0 {
			continue
		}
		load := "calls only"
		if c.changes > 0 {
			load = fmt.Sprintf("calls and %d changes/s", c.changes)
		} else {
			reference = s
		}
		columns := []string{load, number(typical(s, sample.changeRate))}
		for _, value := range []func(sample) float64{sample.cpuMicros, sample.p50Millis, sample.p99Millis} {
			columns = append(columns, number(typical(s, value))+" ("+number(ratio(s, reference, value))+")")
		}
		out.WriteString("| " + strings.Join(columns, " | ") + " |\n")
	}
	return out.String()
}

// number formats x with about three digits, and an absent value as a dash.
func number(x float64) string {
	switch {
	case math.IsNaN(x):
		return "–"
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// The marks of the generated part of the page.
const (
	beginResults = "<!-- results: written by make bench-compare -->\n"
	endResults   = "<!-- end of results -->\n"
)

// replaceResults returns the page with text between its marks.
func replaceResults(page, text string) (string, error) {
	head, rest, begins := strings.Cut(page, beginResults)
	_, tail, ends := strings.Cut(rest, endResults)
	if !begins || !ends {
		return "", fmt.Errorf("the page lacks the lines %q and %q", beginResults, endResults)
	}
	return head + beginResults + "\n" + strings.TrimSpace(text) + "\n\n" + endResults + tail, nil
}
