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

// Guarantee: the next file exists before a call needs it, so no call waits for its creation.
func TestNextFileIsPrepared(t *testing.T) {
	t.Parallel()
	made := 0
	sink, dir := &memStore{}, t.TempDir()
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

// Guarantee: a clean stop removes a prepared file that was never used.
func TestUnusedFileIsRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := open(t, Config{Dir: dir, Sink: &memStore{}})
	m.current.next = perSegment / 2
	if err := errors.Join(m.prepare(), m.Close()); err != nil {
		t.Fatal(err)
	}
	if left := journals(t, dir, "*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// gate is a store whose first flush blocks and then fails, and whose second flush cancels the
// context of its caller.
type gate struct {
	memStore
	pass chan struct{}
	runs atomic.Int64
}

// cancelKey is the key of a context value: the function that cancels the context.
type cancelKey struct{}

func (g *gate) Flush(ctx context.Context, b store.UsageBatch) error {
	switch g.runs.Add(1) {
	case 1:
		<-g.pass
		return errUnavailable
	case 2:
		ctx.Value(cancelKey{}).(context.CancelFunc)()
		return ctx.Err()
	default:
		return g.memStore.Flush(ctx, b)
	}
}

// Guarantee: concurrent requests for usage cause one write to the store, and each sees the calls
// counted before it. If the caller that runs the shared flush is canceled, the other callers do not
// fail.
func TestFlushesAreMerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{pass: make(chan struct{})}
		m := open(t, Config{Sink: g})
		count(t, m, call(noon()))
		var callers sync.WaitGroup
		var canceled atomic.Int64
		callers.Go(func() {
			if err := m.Flush(t.Context()); !errors.Is(err, errUnavailable) {
				t.Errorf("the first flush returned %v", err)
			}
		})
		synctest.Wait()
		count(t, m, call(noon()))
		for range 50 {
			callers.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				err := m.Flush(context.WithValue(ctx, cancelKey{}, cancel))
				if errors.Is(err, context.Canceled) {
					canceled.Add(1)
				} else if got := g.sum(); err != nil || got != 2 {
					t.Errorf("the store has %d calls, want 2 (%v)", got, err)
				}
			})
		}
		synctest.Wait()
		close(g.pass)
		callers.Wait()
		if got := canceled.Load(); got != 1 {
			t.Errorf("%d callers failed, want the 1 that was canceled", got)
		}
		if n := g.runs.Load(); n != 3 {
			t.Errorf("the store was written %d times for 51 callers, want 3: the first, the canceled one, the others", n)
		}
	})
}
