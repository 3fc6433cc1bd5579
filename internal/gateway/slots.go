package gateway

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
)

// dialFunc connects, as net.Dialer.DialContext does.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// within returns a dialFunc that waits for a free slot before it connects. A connection
// occupies its slot until it is closed. Nil slots set no limit.
func (dial dialFunc) within(slots chan struct{}) dialFunc {
	if slots == nil {
		return dial
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		c, err := dial(ctx, network, address)
		if err != nil {
			<-slots
			return nil, err
		}
		return &slotted{c, sync.OnceFunc(func() { <-slots })}, nil
	}
}

// slotted is a connection that occupies a slot.
type slotted struct {
	net.Conn
	free func()
}

// SyscallConn returns the socket of the connection.
func (c *slotted) SyscallConn() (syscall.RawConn, error) {
	if s, ok := c.Conn.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// Close frees the slot.
func (c *slotted) Close() error {
	defer c.free()
	return c.Conn.Close()
}
