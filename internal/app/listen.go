package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// listener is one address and what answers there.
type listener struct {
	name   string // for messages: "public", "pages", "private"
	net    net.Listener
	server *http.Server
}

// listenTCP binds address, with TLS when config is given.
func listenTCP(address string, config *tls.Config) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	return l, nil
}

// listenSocket binds a Unix socket that only this process's user can open:
// whoever reaches it is the operator. A socket left behind by a process that
// died is replaced; one that still answers is not.
func listenSocket(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the private socket: %w", err)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return nil, fmt.Errorf("the private socket %s is in use: is another toksta serving from this data directory?", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the stale private socket: %w", err)
	}
	config := net.ListenConfig{Control: ownerOnly}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on the private socket: %w", err)
	}
	return l, nil
}

// ownerOnly gives a socket its mode before it is bound, so that the file has it
// from its first moment. The umask would do the same to every file that another
// goroutine makes meanwhile.
func ownerOnly(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) { failed = unix.Fchmod(int(fd), 0o600) })
	return errors.Join(err, failed)
}

// serve answers on l until ctx ends, then gives requests in flight the grace
// period. It returns nil after a clean stop.
func (l *listener) serve(ctx context.Context, grace time.Duration) error {
	failed := make(chan error, 1)
	go func() { failed <- l.server.Serve(l.net) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve the %s listener: %w", l.name, err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := l.server.Shutdown(stop); err != nil {
		l.server.Close()
		return fmt.Errorf("requests on the %s listener outlived the grace period of %v: %w", l.name, grace, err)
	}
	return nil
}
