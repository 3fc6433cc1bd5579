package meter

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/toksta/toksta/internal/store"
)

// Guarantee: a call that needs the next file finds it made; it does not wait
// for the disk to make one.
func TestNextFileIsPrepared(t *testing.T) {
	t.Parallel()
	made := 0
	sink, dir := &ledger{}, t.TempDir()
	m := open(t, Config{Dir: dir, Sink: sink, allocate: func(f *os.File, size int64) error {
		made++
		return fallocate(f, size)
	}})
	m.current.next = perSegment / 2
	for range 2 {
		if err := m.prepare(); err != nil {
			t.Fatal(err)
		}
	}
	m.current.next = perSegment
	count(t, m, call(noon()))
	if made != 2 {
		t.Errorf("%d files made, want the first and the prepared one", made)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if left := journals(t, dir, "*"); len(left) > 0 || sink.sum() != 1 {
		t.Errorf("%d calls in the store, left behind: %v", sink.sum(), left)
	}
}

// Guarantee: a prepared file that was never used does not outlive a clean stop.
func TestUnusedFileIsRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := open(t, Config{Dir: dir, Sink: &ledger{}})
	m.current.next = perSegment / 2
	if err := errors.Join(m.prepare(), m.Close()); err != nil {
		t.Fatal(err)
	}
	if left := journals(t, dir, "*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// gate is a store whose first flush waits and then fails, and whose second
// finds that its caller has left.
type gate struct {
	ledger
	pass chan struct{}
	runs atomic.Int64
}

// leaving is where a caller's context has what ends it.
type leaving struct{}

func (g *gate) Flush(ctx context.Context, b store.UsageBatch) error {
	switch g.runs.Add(1) {
	case 1:
		<-g.pass
		return errAway
	case 2:
		ctx.Value(leaving{}).(context.CancelFunc)()
		return ctx.Err()
	default:
		return g.ledger.Flush(ctx, b)
	}
}

// Guarantee: however many ask for their usage at once, the store is written
// once for all of them, and each sees the calls counted before it asked; the
// one that flushes for all and goes away fails no other.
func TestFlushesAreMerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{pass: make(chan struct{})}
		m := open(t, Config{Sink: g})
		count(t, m, call(noon()))
		var callers sync.WaitGroup
		var left atomic.Int64
		callers.Go(func() {
			if err := m.Flush(t.Context()); !errors.Is(err, errAway) {
				t.Errorf("the first flush answered %v", err)
			}
		})
		synctest.Wait()
		count(t, m, call(noon()))
		for range 50 {
			callers.Go(func() {
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				err := m.Flush(context.WithValue(ctx, leaving{}, leave))
				if errors.Is(err, context.Canceled) {
					left.Add(1)
				} else if got := g.sum(); err != nil || got != 2 {
					t.Errorf("the store has %d calls, want 2 (%v)", got, err)
				}
			})
		}
		synctest.Wait()
		close(g.pass)
		callers.Wait()
		if got := left.Load(); got != 1 {
			t.Errorf("%d callers failed, want the 1 that left", got)
		}
		if n := g.runs.Load(); n != 3 {
			t.Errorf("the store was written %d times for 51 callers, want 3: the first, the one that left, the others", n)
		}
	})
}
