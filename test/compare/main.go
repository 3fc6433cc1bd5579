// Command compare measures Toksta's request path beside other servers: the CPU time
// of a request, throughput, latency and memory. `make bench-compare` runs it.
//
// It starts every server on one core and the load generator on another: wrk, or this
// program for calls at a fixed rate. Each case is measured for one target after the other, and the order changes from round
// to round. Only the measured target runs; the others are suspended. All traffic is
// on loopback, and every process that it starts ends with it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// bench is one run.
type bench struct {
	dir                  string // working directory, removed at the end
	self                 string // this program, which is also the net/http server
	binary, verifyTest   string // toksta, and the test binary of internal/verify
	serverCore, loadCore int
	rounds               int
	longest              time.Duration // of one measurement
	upstream             int           // port
	processes            []*process    // in the order of their start
	targets              map[string]*target
}

// A run writes its results into the page of docs only with at least publishedRounds
// rounds and a machine load below publishedLoad. longestRun limits every run.
const (
	publishedRounds = 5
	publishedLoad   = 1.0
	longestRun      = time.Hour
)

func main() {
	// The kernel kills the children when the thread that started them ends.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "serve":
		err = serve(os.Args[2:])
	case len(os.Args) > 1 && os.Args[1] == "generate":
		err = generate(os.Args[2:])
	default:
		err = run(ctx, os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// run parses the flags, measures and reports.
func run(ctx context.Context, args []string) (err error) {
	b := &bench{targets: map[string]*target{}}
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	flags.StringVar(&b.binary, "toksta", "bin/toksta", "the server to measure")
	flags.StringVar(&b.verifyTest, "verify-test", "bin/verify.test", "test binary of internal/verify")
	flags.IntVar(&b.serverCore, "server-core", 0, "core of all servers")
	flags.IntVar(&b.loadCore, "load-core", 1, "core of the load generator")
	flags.IntVar(&b.rounds, "rounds", publishedRounds, "number of rounds")
	seconds := flags.Int("seconds", int(flushInterval/time.Second), "longest measurement in seconds")
	page := flags.String("page", "docs/benchmarks-compare.md", "page to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if b.rounds < 1 || *seconds < 1 {
		return errors.New("-rounds and -seconds must be at least 1")
	}
	if b.serverCore == b.loadCore {
		return errors.New("-server-core and -load-core must differ: this benchmark needs two cores")
	}
	b.longest = time.Duration(*seconds) * time.Second
	load, err := loadAverage()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, longestRun)
	defer cancel()
	publish := load < publishedLoad && b.rounds >= publishedRounds && b.longest >= flushInterval
	if !publish {
		fmt.Fprintf(os.Stderr, "This run leaves %s unchanged: that takes %d rounds, %v and a load below %v, not %d, %v and %.2f.\n",
			*page, publishedRounds, flushInterval, publishedLoad, b.rounds, b.longest, load)
	}
	text, err := b.report(ctx, load)
	if err != nil {
		return err
	}
	fmt.Println(text)
	if publish {
		err = writePage(*page, text)
	}
	return err
}

// report measures everything and returns the generated part of the page.
func (b *bench) report(ctx context.Context, load float64) (text string, err error) {
	for _, path := range []*string{&b.binary, &b.verifyTest} {
		if *path, err = filepath.Abs(*path); err != nil {
			return "", err
		}
	}
	if b.self, err = os.Executable(); err != nil {
		return "", err
	}
	if b.dir, err = os.MkdirTemp("", "compare-"); err != nil {
		return "", err
	}
	defer func() {
		for _, p := range slices.Backward(b.processes) {
			p.stop()
		}
		err = errors.Join(err, os.RemoveAll(b.dir))
	}()
	if err := os.WriteFile(b.file("wrk.lua"), []byte(wrkScript), 0o600); err != nil {
		return "", err
	}
	head, err := b.machine(ctx, time.Now(), load)
	if err != nil {
		return "", err
	}
	decision, err := b.decisionBenchmark(ctx)
	if err != nil {
		return "", err
	}
	if err := b.startAll(ctx); err != nil {
		return "", err
	}
	measured, err := b.measureAll(ctx)
	if err != nil {
		return "", err
	}
	if err := b.measureChanges(ctx, measured); err != nil {
		return "", err
	}
	return head + "\n" + measured.tables() + "\n" + measured.changesTable() + "\n### Context\n\n" + decision, nil
}

// startAll starts the upstream and every target, and suspends the targets.
func (b *bench) startAll(ctx context.Context) error {
	fmt.Fprintln(os.Stderr, "Starting the servers and importing the keys.")
	if err := b.startUpstream(); err != nil {
		return err
	}
	if err := b.startToksta(ctx); err != nil {
		return err
	}
	if err := b.startPeers(); err != nil {
		return err
	}
	for _, c := range cases() {
		secret, err := b.firstSecret(c.keys)
		if err != nil {
			return err
		}
		for _, name := range c.targets {
			if err := b.targets[name].await(ctx, c.path, secret, c.status); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	for _, t := range b.targets {
		if err := t.signal((*process).suspend); err != nil {
			return err
		}
	}
	return nil
}

// measureAll measures every case and target in every round.
func (b *bench) measureAll(ctx context.Context) (results, error) {
	out := results{}
	for round := range b.rounds {
		fmt.Fprintf(os.Stderr, "Round %d of %d.\n", round+1, b.rounds)
		for _, c := range cases() {
			for _, name := range inRound(c.targets, round) {
				s, err := b.measure(ctx, c, name, round)
				if err != nil {
					return nil, fmt.Errorf("%s, %s, %s: %w", name, c.name, count(c.connections, "connection"), err)
				}
				id := cell{c.name, c.connections, name}
				out[id] = append(out[id], s)
			}
		}
	}
	return out, nil
}

// measure resumes one target, measures it and suspends it again.
func (b *bench) measure(ctx context.Context, c benchCase, name string, round int) (s sample, err error) {
	t := b.targets[name]
	if err := t.signal((*process).resume); err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, t.signal((*process).suspend)) }()
	secret, err := b.firstSecret(c.keys)
	if err != nil {
		return s, err
	}
	if err := t.await(ctx, c.path, secret, c.status); err != nil {
		return s, err
	}
	for _, p := range t.processes {
		if err := os.Truncate(p.log, 0); err != nil { // a log of the whole run would fill the disk
			return s, err
		}
	}
	changes, err := b.newChanger(ctx, c.changes)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, changes.stop()) }()
	l := load{url: t.url + c.path, keys: c.keys, status: c.status, connections: c.connections, rate: c.rate, round: round}
	if l.duration = c.warmUp(name, b.longest); l.duration > 0 {
		if _, err := l.run(ctx, b); err != nil {
			return s, err
		}
	}
	l.duration = c.duration(b.longest)
	return b.sample(ctx, t, l, changes)
}

// sample measures a load on a target that runs.
func (b *bench) sample(ctx context.Context, t *target, l load, changes *changer) (s sample, err error) {
	before, err := t.cpu()
	if err != nil {
		return s, err
	}
	changed := changes.done.Load()
	got, err := l.run(ctx, b)
	if err != nil {
		return s, err
	}
	changed = changes.done.Load() - changed
	after, err := t.cpu()
	if err != nil {
		return s, err
	}
	memory, err := t.memory()
	return sample{
		requests: got.Requests, elapsed: time.Duration(got.Micros) * time.Microsecond, cpu: after - before,
		p50: time.Duration(got.P50) * time.Microsecond, p99: time.Duration(got.P99) * time.Microsecond, memory: memory,
		changes: int(changed),
	}, err
}

// writePage replaces the results on the page.
func writePage(path, text string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	replaced, err := replaceResults(string(page), text)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(replaced), 0o644)
}
