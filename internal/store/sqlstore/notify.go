package sqlstore

import (
	"context"
	"sync"
)

// localNotifier notifies the listeners of this process. On SQLite no other process
// has the database open.
type localNotifier struct {
	mu        sync.Mutex
	last      int64 // number of the last change
	listeners map[chan struct{}]struct{}
}

func newLocalNotifier() *localNotifier {
	return &localNotifier{listeners: make(map[chan struct{}]struct{})}
}

// committed notifies every listener. Notifications merge while a listener is busy.
func (n *localNotifier) committed(seq int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last = max(n.last, seq)
	for listener := range n.listeners {
		select {
		case listener <- struct{}{}:
		default:
		}
	}
}

func (n *localNotifier) lastSeq() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.last
}

// Listen calls notified after commits until ctx ends, then returns its error.
func (n *localNotifier) Listen(ctx context.Context, notified func(seq int64)) error {
	listener := make(chan struct{}, 1)
	n.mu.Lock()
	n.listeners[listener] = struct{}{}
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.listeners, listener)
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-listener:
			notified(n.lastSeq())
		}
	}
}
