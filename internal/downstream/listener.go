// Package downstream limits the resources that clients use: the number of their
// connections, how long a connection makes no progress, and how long it takes to close.
//
// net/http limits the time of a request's header only. It waits without limit for the
// rest of a body and for a client that reads no response. A [Listener] checks all its
// connections at intervals, so that reads and writes need no timer. It is safe for
// concurrent use.
package downstream

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// The limits without a setting.
const (
	// drainLimit replaces longer limits while the server shuts down.
	drainLimit = 3 * time.Second
	// warnInterval is the shortest time between two warnings about full slots.
	warnInterval = time.Minute
)

// Limits bounds how long a client may make no progress.
type Limits struct {
	Body  time.Duration // until the client sends more of a body that is being read
	Write time.Duration // until the client takes more of a response
}

// capped returns the limits while the server shuts down: none is longer than
// drainLimit.
func (l Limits) capped() Limits {
	return Limits{Body: min(l.Body, drainLimit), Write: min(l.Write, drainLimit)}
}

// interval returns the time between two checks, a fraction of the limits.
func (l Limits) interval() time.Duration {
	return max(min(l.Body, l.Write)/8, time.Millisecond)
}

// Slots limits the connections of all listeners that share it. Nil slots set no limit.
type Slots chan struct{}

// Config configures a Listener.
type Config struct {
	Limits Limits
	Slots  Slots
	Log    *slog.Logger
}

// Listener accepts TCP and Unix connections of clients and limits them while Run runs.
// It must be the innermost listener, below TLS and other wrappers.
type Listener struct {
	net.Listener
	config   Config
	closed   func() // ends a wait for a slot, once
	ended    <-chan struct{}
	draining <-chan struct{} // closed by drain
	drain    func()
	removed  chan struct{} // a connection was closed

	mu     sync.Mutex
	conns  map[*Conn]struct{}
	warned time.Time
}

// Listen wraps a listener of TCP or Unix connections.
func Listen(l net.Listener, c Config) *Listener {
	ended, draining := make(chan struct{}), make(chan struct{})
	return &Listener{
		Listener: l, config: c, conns: map[*Conn]struct{}{}, removed: make(chan struct{}, 1),
		ended: ended, closed: sync.OnceFunc(func() { close(ended) }),
		draining: draining, drain: sync.OnceFunc(func() { close(draining) }),
	}
}

// Configure makes a server report the state of connections to l. The server must serve
// only l or a wrapper of l.
func (l *Listener) Configure(s *http.Server) {
	s.ConnContext = connContext
	s.ConnState = connState
	s.RegisterOnShutdown(l.drain)
}

// Accept waits for a free slot, then for a connection.
func (l *Listener) Accept() (net.Conn, error) {
	if err := l.take(); err != nil {
		return nil, err
	}
	accepted, err := l.Listener.Accept()
	if err != nil {
		l.free()
		return nil, err
	}
	s, ok := accepted.(socket)
	if !ok {
		l.free()
		return nil, fmt.Errorf("limit the connection: %T is neither TCP nor Unix", accepted)
	}
	c := &Conn{socket: s, listener: l, state: unknown, streams: map[*stream]struct{}{}}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[c] = struct{}{}
	return c, nil
}

// Close stops accepting. Connections stay.
func (l *Listener) Close() error {
	l.closed()
	return l.Listener.Close()
}

// take waits for a slot.
func (l *Listener) take() error {
	if l.config.Slots == nil {
		return nil
	}
	select {
	case l.config.Slots <- struct{}{}:
		return nil
	default:
	}
	l.warn()
	select {
	case l.config.Slots <- struct{}{}:
		return nil
	case <-l.ended:
		return net.ErrClosed
	}
}

// free releases a slot.
func (l *Listener) free() {
	if l.config.Slots != nil {
		<-l.config.Slots
	}
}

// warn logs that new clients wait, at most once in warnInterval.
func (l *Listener) warn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.warned) < warnInterval {
		return
	}
	l.warned = time.Now()
	l.config.Log.Warn("all client connections are in use; new clients wait until one is closed", "max_connections", cap(l.config.Slots))
}

// remove removes a closed connection.
func (l *Listener) remove(c *Conn) {
	l.mu.Lock()
	delete(l.conns, c)
	l.mu.Unlock()
	l.free()
	select {
	case l.removed <- struct{}{}:
	default:
	}
}

// openConns returns the accepted connections that are not closed.
func (l *Listener) openConns() []*Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.conns))
}

// Run disconnects clients that make no progress. It returns when ctx ends, or
// when the server shuts down and the last connection has been closed, apart from
// WebSockets, which no server waits for.
func (l *Listener) Run(ctx context.Context) {
	limits, draining := l.config.Limits, l.draining
	ticker := time.NewTicker(limits.interval())
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-draining:
			draining, limits = nil, limits.capped()
			ticker.Reset(limits.interval())
		case <-l.removed:
		case now := <-ticker.C:
			for _, c := range l.openConns() {
				c.check(now, limits, draining == nil)
			}
		}
		if draining == nil && !slices.ContainsFunc(l.openConns(), (*Conn).isHTTP) {
			return
		}
	}
}

// isDraining reports whether the server is shutting down.
func (l *Listener) isDraining() bool {
	select {
	case <-l.draining:
		return true
	default:
		return false
	}
}
