package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/exchange"
)

// reader is the reader of a log, which a test can make stuck or failing.
type reader struct {
	stuck chan struct{} // full: writes wait

	mu      sync.Mutex
	failing error // returned after half of the bytes
	b       bytes.Buffer
}

func newReader() *reader { return &reader{stuck: make(chan struct{}, 1)} }

func (r *reader) block()   { r.stuck <- struct{}{} }
func (r *reader) release() { <-r.stuck }

func (r *reader) Write(p []byte) (int, error) {
	r.block()
	defer r.release()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failing != nil {
		n, _ := r.b.Write(p[:len(p)/2])
		return n, r.failing
	}
	return r.b.Write(p)
}

func (r *reader) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failing = err
}

// tally is the number of lines in a log by their kind.
type tally struct{ requests, failures, events, dropped int }

// read returns the tally of the lines written so far. A damaged line fails t.
func (r *reader) read(t *testing.T) (n tally) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range bytes.Lines(r.b.Bytes()) {
		var l struct {
			Level, Msg string
			Dropped    int
		}
		if err := json.Unmarshal(line, &l); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		switch {
		case l.Dropped > 0:
			n.dropped += l.Dropped
		case l.Msg != "request":
			n.events++
		case l.Level == "ERROR":
			n.failures++
		default:
			n.requests++
		}
	}
	return n
}

// startLog runs a log in the bubble of a synctest. stop ends it and waits.
func startLog(t *testing.T, r *reader, buffer int) (log *Log, stop func()) {
	t.Helper()
	log = NewLog(LogConfig{Out: r, Buffer: buffer})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- log.Run(ctx) }()
	synctest.Wait()
	return log, func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func failedExchange() *exchange.Exchange {
	x := fullExchange()
	x.Fail(errors.New("boom"))
	return x
}

// Guarantee: a kill costs at most the records of the last 100 ms, and no event of the
// process and no failure.
func TestPendingTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReader()
		log, stop := startLog(t, r, 1<<20)
		defer stop()
		log.request(failedExchange())
		synctest.Wait()
		log.Info("listening")
		synctest.Wait()
		if diff := cmp.Diff(tally{failures: 1, events: 1}, r.read(t), cmp.AllowUnexported(tally{})); diff != "" {
			t.Errorf("at once: %s", diff)
		}
		for range 100 {
			log.request(fullExchange())
			<-time.After(9 * time.Millisecond)
		}
		synctest.Wait()
		if n := r.read(t).requests; n < 100-100/9 {
			t.Errorf("%d of 100 records were written, the others are older than 100 ms", n)
		}
		<-time.After(flushInterval)
		synctest.Wait()
		if n := r.read(t).requests; n != 100 {
			t.Errorf("%d of 100 records were written", n)
		}
	})
}

// Guarantee: if nothing reads the log, requests go on. Records beyond the buffer are
// dropped before failures and events, and the log states their exact number once it
// is read again.
func TestStuckReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReader()
		log, stop := startLog(t, r, 64<<10)
		defer stop()
		const requests, failures, events = 10_000, 10, 5
		r.block()
		for range requests {
			log.request(fullExchange())
		}
		for range failures {
			log.request(failedExchange())
		}
		for range events {
			log.Warn("the lease ended")
		}
		if waiting := len(log.out.pending) + log.out.writing; waiting > 80<<10 {
			t.Errorf("%d bytes wait for the reader", waiting)
		}
		r.release()
		synctest.Wait()
		<-time.After(flushInterval)
		synctest.Wait()
		got := r.read(t)
		want := tally{requests: requests - got.dropped, failures: failures, events: events, dropped: got.dropped}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(tally{})); diff != "" || got.dropped == 0 || got.requests == 0 {
			t.Errorf("%+v: %s", got, diff)
		}
	})
}

// Guarantee: when a full disk has room again, the log goes on without a torn or a
// repeated line.
func TestFailingWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReader()
		log, stop := startLog(t, r, 1<<20)
		defer stop()
		r.fail(errors.New("no space left on device"))
		for range 10 {
			log.request(fullExchange())
			<-time.After(time.Second)
		}
		r.fail(nil)
		<-time.After(retryInterval + flushInterval)
		synctest.Wait()
		if diff := cmp.Diff(tally{requests: 10}, r.read(t), cmp.AllowUnexported(tally{})); diff != "" {
			t.Error(diff)
		}
	})
}

// Guarantee: a clean stop loses no line, not even those of the last components to
// stop. If nothing reads the log, the stop takes a few seconds longer.
func TestLogStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReader()
		log, stop := startLog(t, r, 1<<20)
		for range 100 {
			log.request(fullExchange())
		}
		stop()
		log.Info("closed")
		if diff := cmp.Diff(tally{requests: 100, events: 1}, r.read(t), cmp.AllowUnexported(tally{})); diff != "" {
			t.Error(diff)
		}
	})
	for name, block := range map[string]func(*reader) (release func()){
		"stuck":   func(r *reader) func() { r.block(); return r.release },
		"failing": func(r *reader) func() { r.fail(errors.New("broken pipe")); return func() {} },
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newReader()
			log, stop := startLog(t, r, 1<<20)
			release := block(r)
			log.request(fullExchange())
			log.Info("listening")
			synctest.Wait()
			began := time.Now()
			stop()
			if took := time.Since(began); took > stopTimeout {
				t.Errorf("%s: the stop took %v", name, took)
			}
			release()
		})
	}
}

// Guarantee: lines of many goroutines arrive whole, in both states of the log.
func TestConcurrentLines(t *testing.T) {
	t.Parallel()
	r := newReader()
	log := NewLog(LogConfig{Out: r, Buffer: 64 << 20})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for i := range 1000 {
				log.request(fullExchange())
				if i%100 == 0 {
					log.Info("event", "text", strings.Repeat("x", i))
				}
			}
		})
	}
	go func() { done <- log.Run(ctx) }()
	writers.Wait()
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tally{requests: 4000, events: 40}, r.read(t), cmp.AllowUnexported(tally{})); diff != "" {
		t.Error(diff)
	}
}
