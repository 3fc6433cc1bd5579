package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// conn is a connection to the upstream. One exchange uses it at a time.
type conn struct {
	net.Conn
	secure bool            // with TLS
	socket syscall.RawConn // below TLS; nil if unknown
	peek   func(fd uintptr) bool
	quiet  bool // result of peek
	used   bool // an exchange has ended on it

	born      time.Time // by Config.Now
	idleSince time.Time
	deadline  time.Time // of reads, and of writes without TLS; zero if unknown
}

// dial connects and completes the TLS handshake.
func (c *Client) dial(ctx context.Context) (*conn, error) {
	born := c.config.Now()
	plain, err := c.config.Dial(ctx)
	if err != nil {
		return nil, err
	}
	n := &conn{Conn: plain, born: born}
	if s, ok := plain.(syscall.Conn); ok {
		if n.socket, err = s.SyscallConn(); err != nil {
			n.socket = nil
		}
	}
	n.peek = n.readNothing
	if c.config.TLS == nil {
		return n, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Connect)
	defer cancel()
	secure := tls.Client(plain, c.config.TLS)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = plain.Close()
		return nil, err
	}
	if secure.ConnectionState().NegotiatedProtocol == "h2" {
		_ = secure.Close()
		c.http2.Store(born.Add(c.config.Age).UnixNano())
		return nil, ErrHTTP2
	}
	n.Conn, n.secure = secure, true
	return n, nil
}

// isQuiet reports whether the upstream has neither closed an unused connection nor sent
// anything on it. Bytes that arrive before a request cannot be its response.
func (n *conn) isQuiet() bool {
	if n.secure && !n.isDrained() {
		return false
	}
	n.extend(time.Now(), tick)
	n.quiet = false
	return n.socket.Read(n.peek) == nil && n.quiet
}

// isDrained reports whether TLS has no decrypted bytes and no whole records left. It
// reads without waiting.
func (n *conn) isDrained() bool {
	n.deadline = time.Time{}
	_ = n.SetReadDeadline(time.Unix(1, 0))
	var b [1]byte
	_, err := n.Read(b[:])
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// readNothing sets n.quiet if a read of the socket would block. It never waits.
func (n *conn) readNothing(fd uintptr) bool {
	var b [1]byte
	_, err := syscall.Read(int(fd), b[:])
	n.quiet = err == syscall.EAGAIN
	return true
}

// extend makes operations fail after d at the latest, and after half of it at the
// earliest. Most calls of a busy connection leave the earlier deadline as it is, because
// changing it costs more than the rare check after it. With TLS, extend does not limit
// writes: after a write has timed out, the connection could not be used.
func (n *conn) extend(now time.Time, d time.Duration) {
	if left := n.deadline.Sub(now); left >= d/2 && left <= d {
		return
	}
	n.deadline = now.Add(d)
	if n.secure {
		_ = n.SetReadDeadline(n.deadline)
		return
	}
	_ = n.SetDeadline(n.deadline)
}
