package downstream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// After the last response a connection is read for a while, as in nginx. A client that is
// still sending to a closed socket would get a reset, which discards a response that
// the client has not read.
const (
	lingerSilence = 3 * time.Second  // without a byte; lingerDraining during a shutdown
	lingerTotal   = 30 * time.Second // in total

	lingerDraining = time.Second
)

// unknown is the state of a connection before its server states one.
const unknown http.ConnState = -1

// socket is a *net.TCPConn or a *net.UnixConn.
type socket interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
}

// Conn is the connection of one client.
type Conn struct {
	socket
	listener *Listener
	closing  atomic.Bool
	gone     atomic.Bool // the client closed or broke the connection
	removed  atomic.Bool

	mu         sync.Mutex
	readsEnded bool
	state      http.ConnState
	begun      uint64 // streams so far
	streams    map[*stream]struct{}

	// Used by check only:
	sent   stopwatch
	unused stopwatch
}

// Read reads from the client. After an error other than a timeout, the client counts
// as disconnected. Once endReads was called, Read returns net.ErrClosed.
func (c *Conn) Read(p []byte) (int, error) {
	if c.haveReadsEnded() {
		return 0, net.ErrClosed
	}
	n, err := c.socket.Read(p)
	switch {
	case err == nil:
	case c.haveReadsEnded():
		return 0, net.ErrClosed
	case !errors.Is(err, os.ErrDeadlineExceeded):
		c.gone.Store(true)
	}
	return n, err
}

// SetReadDeadline fails once endReads was called, so that no later deadline permits
// reads again.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.readsEnded {
		return net.ErrClosed
	}
	return c.socket.SetReadDeadline(t)
}

// SetDeadline calls SetReadDeadline and SetWriteDeadline.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// endReads makes every Read fail, also a Read in progress.
func (c *Conn) endReads() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readsEnded = true
	_ = c.socket.SetReadDeadline(past)
}

func (c *Conn) haveReadsEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.readsEnded
}

// Close ends the sending direction. It closes the socket in the background, once the
// client has ended the other direction or has been silent for lingerSilence.
func (c *Conn) Close() error {
	if c.closing.Swap(true) {
		return net.ErrClosed
	}
	c.endReads()
	if c.gone.Load() || c.CloseWrite() != nil {
		return c.release()
	}
	go c.linger()
	return nil
}

// linger reads and discards bytes of the client, then closes the socket. If the
// client is still receiving, check limits the time.
func (c *Conn) linger() {
	defer c.release()
	end, buffer := time.Now().Add(lingerTotal), make([]byte, 8<<10)
	for time.Now().Before(end) || unacknowledged(c.socket) > 0 {
		silence := lingerSilence
		if c.listener.isDraining() {
			silence = lingerDraining
		}
		_ = c.socket.SetReadDeadline(time.Now().Add(silence))
		switch _, err := c.socket.Read(buffer); {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded) || unacknowledged(c.socket) == 0:
			return
		}
	}
}

// abort disconnects the client at once and discards unsent bytes.
func (c *Conn) abort() {
	if tcp, ok := c.socket.(interface{ SetLinger(seconds int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	c.endReads()
	_ = c.release()
}

// release closes the socket and frees its slot, once.
func (c *Conn) release() error {
	if c.removed.Swap(true) {
		return nil
	}
	defer c.listener.remove(c)
	return c.socket.Close()
}

// connKey is the key of the connection in the context of its requests.
type connKey struct{}

// connContext implements http.Server.ConnContext.
func connContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, unwrap(c))
}

// connState implements http.Server.ConnState.
func connState(n net.Conn, state http.ConnState) {
	if c := unwrap(n); c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.state = state
	}
}

// isHTTP reports whether the connection has not changed to another protocol.
func (c *Conn) isHTTP() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state != http.StateHijacked
}

// unwrap returns the connection below TLS, nil if it is not of this package.
func unwrap(n net.Conn) *Conn {
	for {
		switch c := n.(type) {
		case *Conn:
			return c
		case interface{ NetConn() net.Conn }:
			n = c.NetConn()
		default:
			return nil
		}
	}
}

// begin adds a stream. It does nothing on a nil connection.
func (c *Conn) begin(x *stream) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begun++
	c.streams[x] = struct{}{}
}

// end removes a stream. It does nothing on a nil connection.
func (c *Conn) end(x *stream) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.streams, x)
}

var _ io.ReadWriteCloser = (*Conn)(nil)
