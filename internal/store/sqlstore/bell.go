package sqlstore

import (
	"context"
	"sync"
)

// localBell wakes the listeners of this process: all there can be on SQLite.
type localBell struct {
	mu        sync.Mutex
	last      int64 // number of the last change
	listeners map[chan struct{}]struct{}
}

func newLocalBell() *localBell {
	return &localBell{listeners: make(map[chan struct{}]struct{})}
}

// rang rings for every listener. Rings that come faster than they are heard
// merge.
func (b *localBell) rang(seq int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = max(b.last, seq)
	for ring := range b.listeners {
		select {
		case ring <- struct{}{}:
		default:
		}
	}
}

func (b *localBell) number() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

// Listen calls woken after each ring until ctx ends, then returns its error.
func (b *localBell) Listen(ctx context.Context, woken func(seq int64)) error {
	ring := make(chan struct{}, 1)
	b.mu.Lock()
	b.listeners[ring] = struct{}{}
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.listeners, ring)
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ring:
			woken(b.number())
		}
	}
}
