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

// Report holds the results of a run.
type Report struct {
	Seed       uint64
	Span       time.Duration
	Uses       int            // with or without a response
	Responses  map[int]int    // by status, 0 without a response
	Ways       map[string]int // uses that were admitted, by the way in which they were sent
	Operators  int            // uses of operator keys that were admitted
	Actions    int            // of members on the account pages that succeeded
	Late       int            // actions sent within 100 ms after the member lost the right
	Narrowing  int            // successful narrowing calls
	Calls      map[string]int // all successful calls, by kind
	Tests      int            // uses sent within 100 ms after a narrowing call returned
	Faults     map[string]int // by kind
	Missing    []string       // kinds of faults that were not injected
	Untried    string         // why this machine does not support some kinds; "": it supports all
	Starts     int            // of processes, without twins
	Restarts   int            // those of them after all nodes were ready for the first time
	Quiet      Latency        // narrowing calls without any fault
	Disturbed  Latency        // all other narrowing calls
	Bounded    Latency        // of those, the calls through a node without a fault, to which the bound applies
	Failures   []string       // log records of unexpected responses
	Violations []Violation
	Vacuous    string // why the run proves nothing; "": it proves something
}

// Latency summarises the duration of successful calls.
type Latency struct {
	Count         int
	P50, P99, Max time.Duration
}

// OK reports whether the run proves something and shows no violation.
func (r Report) OK() bool { return r.Vacuous == "" && len(r.Violations) == 0 }

// Broken counts the violations of one kind.
func (r Report) Broken(promise string) int {
	n := 0
	for _, v := range r.Violations {
		if v.Promise == promise {
			n++
		}
	}
	return n
}

// report evaluates the history.
func (h *history) report(k *cluster, more []Violation) Report {
	c := k.config
	r := Report{
		Seed: c.Seed, Span: h.now(), Uses: len(h.uses),
		Responses: map[int]int{}, Ways: map[string]int{}, Calls: map[string]int{}, Faults: map[string]int{},
		Violations: append(h.check(c), more...),
	}
	for _, w := range k.ways() {
		r.Ways[string(w)] = 0
	}
	r.addUses(h.uses)
	var quiet, disturbed, bounded []time.Duration
	for _, call := range h.calls {
		switch {
		case call.err != nil:
			continue
		case call.narrow && h.isCalm(call.span):
			quiet = append(quiet, call.done-call.call)
		case call.narrow:
			disturbed = append(disturbed, call.done-call.call)
			if h.isUndisturbed(call) {
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
		starts := n.countStarts()
		r.Starts, r.Restarts = r.Starts+starts, r.Restarts+starts-n.readyStarts
		r.Failures = append(r.Failures, n.failures()...)
	}
	if len(c.Members) == 0 {
		for _, faultKind := range k.kinds() {
			if r.Faults[faultKind.kind] == 0 {
				r.Missing = append(r.Missing, faultKind.kind)
			}
		}
		if k.networkError != nil {
			r.Untried = "faults that need network namespaces: " + k.networkError.Error()
		}
	}
	if r.Vacuous = r.vacuous(c); r.Vacuous == "" {
		r.Vacuous = h.leakedFault()
	}
	return r
}

// addUses adds uses to the numbers of the report.
func (r *Report) addUses(uses []use) {
	for _, u := range uses {
		r.Responses[u.status]++
		switch {
		case u.admitted() && u.secret.kind == operatorSecret:
			r.Operators++
		case u.admitted() && u.secret.kind == memberSession:
			r.Actions++
		case u.admitted():
			r.Ways[string(u.way)]++
		}
		switch {
		case u.isTest() && u.secret.kind == memberSession:
			r.Late++
		case u.isTest():
			r.Tests++
		}
	}
}

// isCalm reports whether no fault was active, or within recovery, during s.
func (h *history) isCalm(s span) bool {
	return !slices.ContainsFunc(h.faults, func(f fault) bool { return f.call < s.done && s.call < f.done+recovery })
}

// vacuous returns why the run proves nothing: too few tests, missing faults, or too
// few admissions.
func (r Report) vacuous(c Config) string {
	switch admitted := r.Responses[200] + r.Responses[204]; {
	case r.Tests < c.MinTests:
		return fmt.Sprintf("only %d uses within 100 ms after a narrowing call returned, %d wanted", r.Tests, c.MinTests)
	case r.Late < c.MinTests/50 || r.Actions < c.MinTests/50: // a run of some seconds on a busy machine has few
		return fmt.Sprintf("only %d actions of members succeeded, and %d were sent within 100 ms after a right was lost", r.Actions, r.Late)
	case len(r.Missing) > 0:
		return fmt.Sprintf("these faults were not injected: %v", r.Missing)
	case admitted < r.Uses/20:
		return fmt.Sprintf("only %d of %d uses were admitted", admitted, r.Uses)
	}
	// A cluster that fails over on a slow machine responds 503 most of the time, by every way.
	for w, admitted := range r.Ways {
		if decided := r.Uses - r.Responses[503]; admitted < decided/(20*len(r.Ways)) {
			return fmt.Sprintf("only %d uses by the %s were admitted", admitted, w)
		}
	}
	for kind := range narrowing {
		if r.Calls[kind] == 0 && r.Narrowing > 50*len(narrowing) {
			return "no successful call " + kind
		}
	}
	return ""
}

// leakedFault names a fault during which a response arrived although it should have
// blocked all of them.
func (h *history) leakedFault() string {
	for _, f := range h.faults {
		if f.unreachable && slices.ContainsFunc(h.uses, func(u use) bool {
			return u.node == f.node && u.status != 0 && f.call < u.call && u.done < f.done
		}) {
			return "responses arrived during " + f.kind
		}
	}
	return ""
}

// latency returns the summary of took, which it sorts.
func latency(took []time.Duration) Latency {
	if len(took) == 0 {
		return Latency{}
	}
	slices.Sort(took)
	at := func(p int) time.Duration { return took[(len(took)-1)*p/100].Round(10 * time.Microsecond) }
	return Latency{len(took), at(50), at(99), at(100)}
}

// shown limits the number of printed violations.
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
	line("narrowing, no fault", r.Quiet)
	line("narrowing, with faults", r.Disturbed)
	line("  of other nodes only", r.Bounded)
	counts(line, "response", r.Responses)
	counts(line, "admitted by the", r.Ways)
	line("  operator keys accepted", r.Operators)
	line("  actions of members", fmt.Sprintf("%d, and %d sent within 100 ms after one lost the right", r.Actions, r.Late))
	counts(line, "call", r.Calls)
	counts(line, "fault", r.Faults)
	line("starts of a process", fmt.Sprintf("%d, %d of them after all were ready", r.Starts, r.Restarts))
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

// counts prints a map in the order of its keys.
func counts[K cmp.Ordered](line func(string, any), name string, m map[K]int) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		line(fmt.Sprint("  ", name, " ", k), m[k])
	}
}

// String returns the count, two quantiles and the maximum.
func (l Latency) String() string {
	return fmt.Sprintf("%d: p50 %v, p99 %v, max %v", l.Count, l.P50, l.P99, l.Max)
}
