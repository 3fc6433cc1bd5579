package rig

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

// backend is the upstream that the nodes protect. It responds to every request at
// once with 204, on one address for each network of a node.
type backend struct{ server *http.Server }

// newBackend returns a backend without a listener.
func newBackend() backend {
	done := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return backend{&http.Server{Handler: done, ReadHeaderTimeout: time.Minute}}
}

// listen adds a listener on an address of host, until the server is closed, and
// returns its URL.
func (b backend) listen(host string) (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", fmt.Errorf("listen as the upstream: %w", err)
	}
	go func() { _ = b.server.Serve(l) }()
	return "http://" + l.Addr().String(), nil
}
