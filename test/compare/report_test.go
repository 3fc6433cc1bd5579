package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// of returns a sample with the given CPU microseconds for each of 1,000 requests.
func of(cpuMicros int) sample {
	return sample{
		requests: 1000, elapsed: 2 * time.Second, cpu: time.Duration(cpuMicros) * time.Millisecond,
		p50: 1500 * time.Microsecond, p99: 12 * time.Millisecond, memory: 3 << 20,
	}
}

// Guarantee: the figures of one measurement have the units of the table.
func TestSampleFigures(t *testing.T) {
	s := of(25)
	got := []float64{s.cpuMicros(), s.rate(), s.p50Millis(), s.p99Millis(), s.mebibytes()}
	if diff := cmp.Diff([]float64{25, 500, 1.5, 12, 3}, got); diff != "" {
		t.Error(diff)
	}
}

// Guarantee: a ratio is the median of the ratios within rounds, so a round in which the
// whole machine was slow does not change it.
func TestRatioIsWithinRounds(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b []sample
		want float64
	}{
		{"slow round", []sample{of(20), of(200), of(22)}, []sample{of(10), of(100), of(10)}, 2},
		{"even number", []sample{of(10), of(30)}, []sample{of(10), of(10)}, 2},
		// The ratio of the medians is 3/2, the median of the ratios 1.
		{"not of medians", []sample{of(30), of(10), of(40)}, []sample{of(30), of(20), of(20)}, 1},
		{"unequal rounds", []sample{of(20), of(90)}, []sample{of(10)}, 2},
		{"no rounds", []sample{of(20)}, nil, math.NaN()},
		{"no CPU time", []sample{of(20)}, []sample{of(0)}, math.NaN()},
	} {
		got := ratio(c.a, c.b, sample.cpuMicros)
		if got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("%s: ratio %v, want %v", c.name, got, c.want)
		}
	}
}

// Guarantee: each column of the table has the ratio to its own reference: HAProxy and
// Caddy in the same case, the bare server's 200 at the same number of connections.
func TestRowReferences(t *testing.T) {
	r := results{
		{"403", 64, targetToksta}:             {of(60)},
		{"403", 64, targetHAProxy}:            {of(20)},
		{scenarioHealth, 64, targetBare}:      {of(30)},
		{scenarioHealth, 64, targetHAProxy}:   {of(1)},
		{scenarioHealth, 1, targetBare}:       {of(2)},
		{"hot", 64, targetToksta}:             {of(120)},
		{"hot", 64, targetHAProxy}:            {of(40)},
		{"hot", 64, targetCaddy}:              {of(240)},
		{"usage", 64, targetToksta}:           {of(150)},
		{"a case that was deleted", 1, "all"}: {of(1)},
	}
	text := r.tables()
	for _, want := range []string{
		"| Toksta | 60.0 | 3.00 | 2.00 | – | 500 (1.00) | 1.50 (1.00) | 12.0 (1.00) | 3.00 (1.00) |",
		"| Toksta | 120 | 3.00 | – | 0.50 | 500 (1.00) |",
		"| Toksta | 150 | – | 5.00 | – | 500 (–) |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the tables lack %q:\n%s", want, text)
		}
	}
}

// Guarantee: calls at a fixed rate have their own table, with ratios to HAProxy.
func TestSteadyRow(t *testing.T) {
	slow := of(120)
	slow.p99 = 36 * time.Millisecond
	text := results{{"steady", 64, targetToksta}: {slow}, {"steady", 64, targetHAProxy}: {of(40)}}.tables()
	_, text, _ = strings.Cut(text, "### Call to the upstream at 500 calls/s, 100,000 keys of 1,000 accounts, 64 connections\n")
	if want := "| Toksta | 120 | 3.00 | – | – | 500 (1.00) | 1.50 (1.00) | 36.0 (3.00) | 3.00 (1.00) |"; !strings.Contains(text, want) {
		t.Errorf("the table of the fixed rate lacks %q:\n%s", want, text)
	}
}

// Guarantee: the figures under changes are compared with those without changes in the
// same round, beside the rate of changes that was reached.
func TestChangesTable(t *testing.T) {
	slow := of(50)
	slow.p99, slow.changes = 18*time.Millisecond, 390
	text := results{{"unchanged", 64, targetToksta}: {of(40)}, {"changed", 64, targetToksta}: {slow}}.changesTable()
	for _, want := range []string{
		"| calls only | 0.00 | 40.0 (1.00) | 1.50 (1.00) | 12.0 (1.00) |\n",
		"| calls and 200 changes/s | 195 | 50.0 (1.25) | 1.50 (1.00) | 18.0 (1.50) |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the table lacks %q:\n%s", want, text)
		}
	}
}

// Guarantee: CPU time is user plus system time, also of a program whose name looks like
// more fields.
func TestParseCPU(t *testing.T) {
	stat := "42 (a b) 1 2) S 1 42 42 0 -1 4194560 900 0 3 0 150 75 9 9 20 0 7 0 1234 1000 200"
	got, err := parseCPU(stat)
	if want := 2250 * time.Millisecond; err != nil || got != want {
		t.Errorf("parseCPU: %v, %v, want %v", got, err, want)
	}
	if _, err := parseCPU("42 (a) S 1"); err == nil {
		t.Error("parseCPU: no error for a line that is cut")
	}
}

func TestParsePSS(t *testing.T) {
	got, err := parsePSS("55aa-7fff ---p 00000000 00:00 0 [rollup]\nRss:   900 kB\nPss:   512 kB\nPss_Anon:  4 kB\n")
	if err != nil || got != 512<<10 {
		t.Errorf("parsePSS: %d, %v, want %d", got, err, 512<<10)
	}
}

// Guarantee: a target that responds fast because it fails ends the run instead of
// looking fast.
func TestParseLoadRejectsFailures(t *testing.T) {
	line := func(requests, bad, failed string) string {
		return "Running 2s test\nRESULT {\"requests\":" + requests + ",\"micros\":2000000,\"bad_status\":" + bad + ",\"failed\":" + failed + ",\"p50\":10,\"p99\":20}\n"
	}
	for _, c := range []struct {
		name, output string
		status       int
		ok           bool
	}{
		{"all admitted", line("100", "0", "0"), 200, true},
		{"all rejected as expected", line("100", "100", "0"), 401, true},
		{"one rejection", line("100", "1", "0"), 200, false},
		{"one admission", line("100", "99", "0"), 401, false},
		{"failed connection", line("100", "0", "1"), 200, false},
		{"no response", line("0", "0", "0"), 200, false},
		{"no result", "unable to connect\n", 200, false},
	} {
		r, err := parseLoad([]byte(c.output), c.status)
		if (err == nil) != c.ok {
			t.Errorf("%s: error %v, want none: %v", c.name, err, c.ok)
		}
		if want := (loadResult{Requests: 100, Micros: 2_000_000, BadStatus: r.BadStatus, P50: 10, P99: 20}); c.ok && r != want {
			t.Errorf("%s: %+v, want %+v", c.name, r, want)
		}
	}
}

// Guarantee: over the rounds, each target is measured at each position.
func TestRoundsRotateTargets(t *testing.T) {
	targets := []string{"a", "b", "c"}
	var got [][]string
	for round := range 4 {
		got = append(got, inRound(targets, round))
	}
	want := [][]string{{"a", "b", "c"}, {"b", "c", "a"}, {"c", "a", "b"}, {"a", "b", "c"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Guarantee: a new run replaces the results and no other text of the page.
func TestReplaceResults(t *testing.T) {
	page := "# Title\n" + beginResults + "old\n" + endResults + "tail\n"
	got, err := replaceResults(page, "new\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("# Title\n"+beginResults+"\nnew\n\n"+endResults+"tail\n", got); diff != "" {
		t.Error(diff)
	}
	if again, err := replaceResults(got, "new"); err != nil || again != got {
		t.Errorf("a repeat changed the page: %v\n%s", err, again)
	}
	if _, err := replaceResults("# Title\n", "new"); err == nil {
		t.Error("no error for a page without marks")
	}
}

func TestDecisionTable(t *testing.T) {
	got := decisionTable("goos: linux\nBenchmarkVerify/admitted-2 \t 100\t 229.5 ns/op\t 0.75 x-sha256\t 0 B/op\t 0 allocs/op\nPASS\n")
	if !strings.HasSuffix(got, "\n| admitted-2 | 229.5 | 0.75 |\n") {
		t.Errorf("unexpected table:\n%s", got)
	}
}
