package rig

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

// backEnd is what the nodes protect. It answers everything at once, on one
// address for each network that they are in.
type backEnd struct{ server *http.Server }

// newBackEnd listens nowhere yet.
func newBackEnd() backEnd {
	done := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return backEnd{&http.Server{Handler: done, ReadHeaderTimeout: time.Minute}}
}

// listen answers on an address of host as well, until the server is closed,
// and returns its URL.
func (b backEnd) listen(host string) (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", fmt.Errorf("listen as a back end: %w", err)
	}
	go func() { _ = b.server.Serve(l) }()
	return "http://" + l.Addr().String(), nil
}
