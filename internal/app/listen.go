package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/toksta/toksta/internal/downstream"
)

// listener is a bound address and its server.
type listener struct {
	name    string       // for messages: "public", "pages", debugging, operators, private
	net     net.Listener // clients, with PROXY headers and TLS if configured
	clients *downstream.Listener
	server  *http.Server
}

// private is the name of the operator's socket.
const private = "private"

// listenTCP binds a TCP address.
func listenTCP(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return l, nil
}

// listenSocket binds a Unix socket that only the user of this process can open, because
// every client of the socket is the operator. It replaces the socket of a killed
// process, but no other file.
func listenSocket(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("create the directory of the private socket: %w", err)
	}
	if err := removeStaleSocket(path); err != nil {
		return nil, err
	}
	config := net.ListenConfig{Control: ownerOnly}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on the private socket: %w", err)
	}
	return l, nil
}

// removeStaleSocket removes the socket at path if no process listens on it.
func removeStaleSocket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("examine the private socket: %w", err)
	case info.Mode().Type() != os.ModeSocket:
		return fmt.Errorf("listen.private names %s, which is not a socket: choose a path without a file", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return fmt.Errorf("the private socket %s is in use: is another toksta serving from this data directory?", path)
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("check whether the private socket %s is in use: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the stale private socket: %w", err)
	}
	return nil
}

// ownerOnly sets the mode of a socket before it is bound, so that the file never has
// another one. A umask would also affect files that other goroutines create.
func ownerOnly(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) { failed = unix.Fchmod(int(fd), 0o600) })
	return errors.Join(err, failed)
}

// serve serves requests until ctx ends, then waits up to the grace period for the
// requests in flight. During all this time it disconnects clients that make no
// progress. It returns nil after a clean stop.
func (l *listener) serve(ctx context.Context, grace time.Duration) error {
	watch, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	defer unwatch()
	failed, closed := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(closed)
		l.clients.Run(watch)
	}()
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
	select { // the last responses are on their way
	case <-closed:
	case <-stop.Done():
	}
	return nil
}
