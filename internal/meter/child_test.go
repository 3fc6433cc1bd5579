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

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
)

// The environment of a child.
const (
	childDir     = "METER_TEST_DIR"
	childStore   = "METER_TEST_STORE"
	childMode    = "METER_TEST_MODE"
	childFlushes = "METER_TEST_FLUSHES" // it kills itself after so many; 0: it does not
)

const (
	killWorkers = 8
	killKeys    = 5
	killCredits = 2 // of each call
)

// The ways a child counts: the right one, and two that must be caught.
const (
	modeRight       = "right"
	modeDifferences = "differences" // flushes what was added since the last flush
	modeAfterwards  = "afterwards"  // answers first, counts by way of a channel
)

// What a child notes on standard output: each call before it tries to count it
// and again as the answer, and how its flushes end.
const (
	noteTried byte = iota
	noteAnswered
	noteFlushed
	noteFailed
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		s := site{dir, os.Getenv(childStore), os.Getenv(childMode)}
		if err := s.countUntilKilled(os.Getenv(childFlushes)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// site is where a child counts and the one that comes after it.
type site struct{ dir, store, mode string }

func (s site) journal() string { return filepath.Join(s.dir, "meter") }

// open opens store and meter. Hours pass every 40 ms, so that files come and
// go while it is killed.
func (s site) open() (*Meter, *sqlstore.Store, error) {
	db, err := sqlstore.Open(context.Background(), sqlstore.Config{URL: s.store})
	if err != nil {
		return nil, nil, err
	}
	var sink Sink = db
	if s.mode == modeDifferences {
		sink = &differences{db, map[string]map[store.UsageSlot]int64{}}
	}
	m, err := Open(Config{Dir: s.journal(), Sink: sink, FlushEvery: 3 * time.Millisecond, Now: quickHours})
	return m, db, err
}

func quickHours() time.Time {
	return noon().Add(time.Since(noon()) / (40 * time.Millisecond) % 6 * time.Hour)
}

// countUntilKilled is the child.
func (s site) countUntilKilled(flushes string) error {
	m, _, err := s.open()
	if err != nil {
		return err
	}
	last, err := strconv.ParseInt(flushes, 10, 64)
	if err != nil {
		return err
	}
	m.config.Sink = &watched{Sink: m.config.Sink, last: last}
	counter := m.Count
	if s.mode == modeAfterwards {
		counter = later(m)
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

func countOne(count func(Event) error, key int) error {
	e := call(quickHours())
	e.KeyID = killKey(key)
	e.Charge.Credits = killCredits
	if err := note(noteTried, key, e.Now); err != nil {
		return err
	}
	if err := count(e); err != nil {
		return err
	}
	return note(noteAnswered, key, e.Now)
}

func killKey(i int) toksta.KeyID { return toksta.KeyID(testKey[:len(testKey)-1] + strconv.Itoa(i)) }

// note writes eight bytes, which a pipe takes whole or not at all.
func note(what byte, key int, at time.Time) error {
	n := [8]byte{what, byte(key)}
	binary.BigEndian.PutUint32(n[4:], uint32(at.Unix()/3600))
	_, err := os.Stdout.Write(n[:])
	return err
}

// watched notes how flushes end. After the last that it is to see, the store
// has committed and its process dies before anything of it learns that.
type watched struct {
	Sink
	done atomic.Int64
	last int64
}

func (w *watched) Flush(ctx context.Context, b store.UsageBatch) error {
	err := w.Sink.Flush(ctx, b)
	if err != nil {
		return errors.Join(err, note(noteFailed, 0, time.Time{}))
	}
	if w.done.Add(1) == w.last {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return note(noteFlushed, 0, time.Time{})
}

// differences makes a store of the kind that adds up: each flush is a row of
// its own with what came since the last one.
type differences struct {
	Sink
	sent map[string]map[store.UsageSlot]int64
}

func (d *differences) Flush(ctx context.Context, b store.UsageBatch) error {
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

func later(m *Meter) func(Event) error {
	events := make(chan Event, 1<<16)
	go func() {
		for e := range events {
			_ = m.Count(e)
		}
	}()
	return func(e Event) error { events <- e; return nil }
}
