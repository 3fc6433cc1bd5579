// Package upstream exchanges requests and responses with one upstream over HTTP/1.1.
//
// It serves plain exchanges: over TCP, TLS or a Unix socket, without an upgrade. One
// goroutine sends the request and reads the response, and a second one sends the
// request's body if there is one. The package parses responses strictly: it rejects
// everything that two parsers could read differently, so that no byte of one response
// can become part of another.
package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxIdle is the number of unused connections that are kept for one upstream.
	maxIdle = 256
	// tick is the longest time without a check whether the caller still waits.
	tick = 500 * time.Millisecond
)

// ErrHTTP2 is the error of an upstream that chose HTTP/2 in the TLS handshake. No part
// of the request was sent or read.
var ErrHTTP2 = errors.New("the upstream chose HTTP/2")

// Config configures a client.
type Config struct {
	Dial    func(ctx context.Context) (net.Conn, error) // connects to the upstream, without TLS
	TLS     *tls.Config                                 // nil for a connection without TLS
	Connect time.Duration                               // limits the TLS handshake
	// Progress limits the time in which the upstream reads no more of a request and does
	// not begin its response.
	Progress time.Duration
	// Idle is the lifetime of an unused connection. Age is the time for which new requests
	// use a connection.
	Idle, Age time.Duration
	Now       func() time.Time // measures Age
}

// Client sends requests to one upstream and keeps its connections. It is safe for
// concurrent use.
type Client struct {
	config    Config
	exchanges sync.Pool    // of *Exchange
	pieces    sync.Pool    // of *[]byte, for bodies of requests
	http2     atomic.Int64 // Unix time in nanoseconds until which the upstream counts as one with HTTP/2

	mu      sync.Mutex
	idle    []*conn // ordered by the time of their last use; the last one is used next
	waiting []*waiter
	timer   *time.Timer // closes expired connections; nil before the first one is idle
	armed   bool        // the timer is running
}

// New returns a client. It connects when the first request is sent.
func New(c Config) *Client { return &Client{config: c} }

// UsesHTTP2 reports whether the upstream chose HTTP/2 within the last Config.Age.
func (c *Client) UsesHTTP2() bool {
	until := c.http2.Load()
	return until != 0 && c.config.Now().UnixNano() < until
}

// waiter is a request that waits for a connection: a new one, or one that another
// request no longer uses. It is in Client.waiting until it is served.
type waiter struct {
	ready chan delivery // of capacity 1
}

// delivery is the result of waiting for a connection.
type delivery struct {
	conn *conn
	err  error
}

// get returns a connection. A used connection has no unread bytes and was not closed by
// the upstream when it was checked. If fresh, get takes no idle connection.
func (c *Client) get(ctx context.Context, fresh bool) (*conn, error) {
	for {
		n := c.pop(fresh)
		if n == nil {
			var err error
			if n, err = c.connect(ctx); err != nil {
				return nil, err
			}
		}
		if !n.used || n.isQuiet() {
			return n, nil
		}
		_ = n.Close()
	}
}

// pop removes the connection that was used last from the idle ones. It returns nil if
// there is none or if fresh is set.
func (c *Client) pop(fresh bool) *conn {
	if fresh {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.idle) > 0 {
		last := len(c.idle) - 1
		n := c.idle[last]
		c.idle[last] = nil
		c.idle = c.idle[:last]
		if !c.isOld(n) && time.Since(n.idleSince) < c.config.Idle {
			return n
		}
		_ = n.Close()
	}
	return nil
}

// isOld reports whether new requests must not use a connection any more.
func (c *Client) isOld(n *conn) bool { return c.config.Now().Sub(n.born) >= c.config.Age }

// connect dials and returns the first connection that is available: the new one, or one
// that another request no longer uses. It waits at most for Config.Progress.
func (c *Client) connect(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Progress)
	defer cancel()
	w := &waiter{ready: make(chan delivery, 1)}
	c.mu.Lock()
	c.waiting = append(c.waiting, w)
	c.mu.Unlock()
	go func() {
		n, err := c.dial(ctx)
		c.deliver(w, delivery{n, err})
	}()
	select {
	case d := <-w.ready:
		return d.conn, d.err
	case <-ctx.Done():
		c.deliver(w, delivery{err: ctx.Err()})
		d := <-w.ready
		return d.conn, d.err
	}
}

// deliver serves w. If w was served already, deliver keeps the connection for other requests.
func (c *Client) deliver(w *waiter, d delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.waiting, w); i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
		w.ready <- d
		return
	}
	if d.conn != nil {
		c.keep(d.conn)
	}
}

// put takes back a connection after an exchange that left no bytes on it.
func (c *Client) put(n *conn) {
	n.used = true
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(n)
}

// keep gives a connection to the first waiter or makes it idle. It closes the
// connection if it is too old, or if too many are idle. c.mu is locked.
func (c *Client) keep(n *conn) {
	if c.isOld(n) || n.socket == nil {
		_ = n.Close()
		return
	}
	if len(c.waiting) > 0 {
		c.waiting[0].ready <- delivery{conn: n}
		c.waiting = slices.Delete(c.waiting, 0, 1)
		return
	}
	if len(c.idle) >= maxIdle {
		_ = n.Close()
		return
	}
	n.idleSince = time.Now()
	c.idle = append(c.idle, n)
	if c.armed {
		return
	}
	if c.armed = true; c.timer == nil {
		c.timer = time.AfterFunc(c.config.Idle, c.expire)
		return
	}
	c.timer.Reset(c.config.Idle)
}

// expire closes the connections that have been idle for Config.Idle, and starts the
// timer for the next one.
func (c *Client) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, expired := time.Now(), 0
	for _, n := range c.idle {
		if now.Sub(n.idleSince) < c.config.Idle {
			break
		}
		_ = n.Close()
		expired++
	}
	kept := copy(c.idle, c.idle[expired:])
	clear(c.idle[kept:])
	c.idle = c.idle[:kept]
	if c.armed = kept > 0; c.armed {
		c.timer.Reset(c.config.Idle - now.Sub(c.idle[0].idleSince))
	}
}
