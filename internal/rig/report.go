package rig

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// Report is what a run saw.
type Report struct {
	Seed       uint64
	Span       time.Duration
	Uses       int            // answered or not
	Answers    map[int]int    // by status, 0 for none
	Narrowing  int            // calls that returned with success
	Calls      map[string]int // those and the others, by kind
	Tests      int            // uses sent within 100 ms after a narrowing call had returned
	Faults     map[string]int // by kind
	Missing    []string       // kinds of fault that never happened
	Untried    string         // why some kinds could not be made here; empty: all could
	Starts     int            // of processes, twins apart
	Quiet      Latency        // narrowing calls while nothing was wrong anywhere
	Disturbed  Latency        // the others
	Bounded    Latency        // of those, the ones through a node with which nothing was wrong: Config.Slack is for them
	Failures   []string       // what nodes logged of answers that nothing explains
	Violations []Violation
	Vacuous    string // why the run proves nothing; empty: it does
}

// Latency is of calls that returned with success.
type Latency struct {
	Count         int
	P50, P99, Max time.Duration
}

// OK reports whether every promise was kept in a run that proves something.
func (r Report) OK() bool { return r.Vacuous == "" && len(r.Violations) == 0 }

// Broken counts the violations of a promise.
func (r Report) Broken(promise string) int {
	n := 0
	for _, v := range r.Violations {
		if v.Promise == promise {
			n++
		}
	}
	return n
}

// report counts the history and checks it.
func (h *history) report(k *cluster, more []Violation) Report {
	c := k.config
	r := Report{
		Seed: c.Seed, Span: h.now(), Uses: len(h.uses),
		Answers: map[int]int{}, Calls: map[string]int{}, Faults: map[string]int{},
		Violations: append(h.check(c), more...),
	}
	for _, u := range h.uses {
		r.Answers[u.status]++
		if u.testing() {
			r.Tests++
		}
	}
	var quiet, disturbed, bounded []time.Duration
	for _, call := range h.calls {
		switch {
		case call.err != nil:
			continue
		case call.narrow && h.calm(call.span):
			quiet = append(quiet, call.done-call.call)
		case call.narrow:
			disturbed = append(disturbed, call.done-call.call)
			if h.quiet(call) {
				bounded = append(bounded, call.done-call.call)
			}
		}
		r.Calls[call.kind]++
	}
	r.Narrowing = len(quiet) + len(disturbed)
	r.Quiet, r.Disturbed, r.Bounded = latency(quiet), latency(disturbed), latency(bounded)
	for _, f := range h.faults {
		r.Faults[f.kind]++
	}
	for _, n := range k.nodes {
		r.Starts += n.starts
		r.Failures = append(r.Failures, n.failures()...)
	}
	if len(c.Members) == 0 {
		for _, card := range k.cards() {
			if r.Faults[card.kind] == 0 {
				r.Missing = append(r.Missing, card.kind)
			}
		}
		if k.noNetworks != nil {
			r.Untried = "faults in the kernel's network: " + k.noNetworks.Error()
		}
	}
	if r.Vacuous = r.vacuous(c); r.Vacuous == "" {
		r.Vacuous = h.unfelt()
	}
	return r
}

// calm reports whether no fault was on, or felt, during s.
func (h *history) calm(s span) bool {
	return !slices.ContainsFunc(h.faults, func(f fault) bool { return f.call < s.done && s.call < f.done+recovery })
}

// vacuous says why the run proves nothing: a cluster that admits nothing, or
// one that nothing happened to, breaks no promise.
func (r Report) vacuous(c Config) string {
	switch admitted := r.Answers[200] + r.Answers[204]; {
	case r.Tests < c.MinTests:
		return fmt.Sprintf("only %d uses within 100 ms after a narrowing call returned, %d wanted", r.Tests, c.MinTests)
	case len(r.Missing) > 0:
		return fmt.Sprintf("these faults never happened: %v", r.Missing)
	case admitted < r.Uses/20:
		return fmt.Sprintf("only %d of %d uses were admitted", admitted, r.Uses)
	}
	for kind := range narrowing {
		if r.Calls[kind] == 0 && r.Narrowing > 50*len(narrowing) {
			return "nobody made the call " + kind
		}
	}
	return ""
}

// unfelt names a fault that let through what it should not have.
func (h *history) unfelt() string {
	for _, f := range h.faults {
		if f.deaf && slices.ContainsFunc(h.uses, func(u use) bool {
			return u.node == f.node && u.status != 0 && f.call < u.call && u.done < f.done
		}) {
			return "answers came through during " + f.kind
		}
	}
	return ""
}

// latency sorts took.
func latency(took []time.Duration) Latency {
	if len(took) == 0 {
		return Latency{}
	}
	slices.Sort(took)
	at := func(p int) time.Duration { return took[(len(took)-1)*p/100].Round(10 * time.Microsecond) }
	return Latency{len(took), at(50), at(99), at(100)}
}

// shown is how many violations are printed.
const shown = 20

// Print writes the report for people.
func (r Report) Print(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	line := func(name string, value any) { fmt.Fprintf(w, "%s\t%v\n", name, value) }
	second := max(r.Span.Seconds(), 1)
	line("seed", r.Seed)
	line("span", r.Span.Round(time.Millisecond))
	line("uses", fmt.Sprintf("%d, %.0f a second", r.Uses, float64(r.Uses)/second))
	line("narrowing calls", fmt.Sprintf("%d, %.1f a second", r.Narrowing, float64(r.Narrowing)/second))
	line("uses within 100 ms after one", r.Tests)
	line("narrowing, all whole", r.Quiet)
	line("narrowing, under faults", r.Disturbed)
	line("  of others alone", r.Bounded)
	counts(line, "answer", r.Answers)
	counts(line, "call", r.Calls)
	counts(line, "fault", r.Faults)
	line("starts of a process", r.Starts)
	if r.Untried != "" {
		line("NOT TRIED", r.Untried)
	}
	line("violations", len(r.Violations))
	for _, v := range r.Violations[:min(shown, len(r.Violations))] {
		line("", fmt.Sprintf("%v: %s (%s)", v.At.Round(time.Millisecond), v.Promise, v.Detail))
	}
	for _, f := range r.Failures[:min(shown, len(r.Failures))] {
		line("", f)
	}
	switch {
	case len(r.Violations) > 0:
		line("verdict", "BROKEN")
	case r.Vacuous != "":
		line("verdict", "PROVES NOTHING: "+r.Vacuous)
	default:
		line("verdict", "kept")
	}
	return w.Flush()
}

// counts prints a table of numbers in the order of its keys.
func counts[K cmp.Ordered](line func(string, any), name string, m map[K]int) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		line(fmt.Sprint("  ", name, " ", k), m[k])
	}
}

// String is the three numbers that tell the most.
func (l Latency) String() string {
	return fmt.Sprintf("%d: p50 %v, p99 %v, max %v", l.Count, l.P50, l.P99, l.Max)
}
