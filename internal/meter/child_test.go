package meter

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/sdk/toksta"
)

// The environment of a child.
const (
	childDir     = "METER_TEST_DIR"
	childStore   = "METER_TEST_STORE"
	childMode    = "METER_TEST_MODE"
	childFlushes = "METER_TEST_FLUSHES" // number after which the child kills itself; 0: never
)

const (
	killWorkers = 8
	killKeys    = 5
	killCredits = 2 // per call
)

// The designs that a child can use: the right one, and two wrong ones that the test must detect.
const (
	modeRight       = "right"
	modeDifferences = "differences" // flushes the increase since the last flush
	modeAsync       = "async"       // acknowledges first, counts through a channel
)

// A child writes reports to standard output: for each call before it tries to count it and after it
// was counted, and for the result of each flush.
const (
	reportTried byte = iota
	reportAcked
	reportFlushed
	reportFailed
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		s := childConfig{dir, os.Getenv(childStore), os.Getenv(childMode)}
		if err := s.countUntilKilled(os.Getenv(childFlushes)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// childConfig configures a child and its successors in the same directory.
type childConfig struct{ dir, store, mode string }

func (s childConfig) journal() string { return filepath.Join(s.dir, "meter") }

// open opens the store and the meter. An hour lasts 40 ms, so that files are created and deleted
// while the child is killed.
func (s childConfig) open() (*Meter, *sqlstore.Store, error) {
	db, err := sqlstore.Open(context.Background(), sqlstore.Config{URL: s.store})
	if err != nil {
		return nil, nil, err
	}
	var sink Sink = db
	if s.mode == modeDifferences {
		sink = &differencesSink{db, map[string]map[store.UsageSlot]int64{}}
	}
	m, err := Open(Config{Dir: s.journal(), Sink: sink, FlushEvery: 3 * time.Millisecond, Now: quickHours})
	return m, db, err
}

func quickHours() time.Time {
	return noon().Add(time.Since(noon()) / (40 * time.Millisecond) % 6 * time.Hour)
}

// countUntilKilled is the main function of a child.
func (s childConfig) countUntilKilled(flushes string) error {
	m, _, err := s.open()
	if err != nil {
		return err
	}
	last, err := strconv.ParseInt(flushes, 10, 64)
	if err != nil {
		return err
	}
	m.config.Sink = &reportingSink{Sink: m.config.Sink, last: last}
	counter := m.Count
	if s.mode == modeAsync {
		counter = countAsync(m)
	}
	failed := make(chan error)
	go func() { failed <- m.Run(context.Background()) }()
	for w := range killWorkers {
		go func() {
			for i := w; ; i++ {
				if err := countOne(counter, i%killKeys); err != nil {
					failed <- err
				}
			}
		}()
	}
	return <-failed
}

func countOne(count func(Increment) error, key int) error {
	e := call(quickHours())
	e.KeyID = killKey(key)
	e.Charge.Credits = killCredits
	if err := report(reportTried, key, e.Now); err != nil {
		return err
	}
	if err := count(e); err != nil {
		return err
	}
	return report(reportAcked, key, e.Now)
}

func killKey(i int) toksta.KeyID { return toksta.KeyID(testKey[:len(testKey)-1] + strconv.Itoa(i)) }

// report writes eight bytes, which a pipe accepts as a whole or not at all.
func report(what byte, key int, at time.Time) error {
	n := [8]byte{what, byte(key)}
	binary.BigEndian.PutUint32(n[4:], uint32(at.Unix()/3600))
	_, err := os.Stdout.Write(n[:])
	return err
}

// reportingSink reports the result of each flush. After the last flush, the process dies at the
// moment when the store has committed and the meter does not know it yet.
type reportingSink struct {
	Sink
	done atomic.Int64
	last int64
}

func (w *reportingSink) Flush(ctx context.Context, b store.UsageBatch) error {
	err := w.Sink.Flush(ctx, b)
	if err != nil {
		return errors.Join(err, report(reportFailed, 0, time.Time{}))
	}
	if w.done.Add(1) == w.last {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return report(reportFlushed, 0, time.Time{})
}

// differencesSink implements the wrong design: each flush is a new row with the increase since the
// last flush.
type differencesSink struct {
	Sink
	sent map[string]map[store.UsageSlot]int64
}

func (d *differencesSink) Flush(ctx context.Context, b store.UsageBatch) error {
	for i := range b.Totals {
		t := &b.Totals[i]
		if d.sent[b.Epoch] == nil {
			d.sent[b.Epoch] = map[store.UsageSlot]int64{}
		}
		was := d.sent[b.Epoch][t.UsageSlot]
		d.sent[b.Epoch][t.UsageSlot] = t.Calls
		t.Calls -= was
		t.Charge.Credits = t.Calls * killCredits
	}
	b.Epoch = strconv.FormatUint(rand.Uint64(), 16)
	return d.Sink.Flush(ctx, b)
}

func countAsync(m *Meter) func(Increment) error {
	events := make(chan Increment, 1<<16)
	go func() {
		for e := range events {
			_ = m.Count(e)
		}
	}()
	return func(e Increment) error { events <- e; return nil }
}
