package app

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/pires/go-proxyproto"
)

// readPROXY returns a listener that reads a PROXY header (version 1 or 2) at the
// start of each connection from one of the networks and takes the client's
// address from it. A connection from these networks without the header is closed;
// other connections are not searched for one.
func readPROXY(l net.Listener, networks []netip.Prefix, limit time.Duration) net.Listener {
	if len(networks) == 0 {
		return l
	}
	policy := func(o proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
		peer, err := netip.ParseAddrPort(o.Upstream.String())
		sends := func(n netip.Prefix) bool { return n.Contains(peer.Addr().Unmap()) }
		if err != nil || !slices.ContainsFunc(networks, sends) {
			return proxyproto.SKIP, nil
		}
		return proxyproto.REQUIRE, nil
	}
	return proxyListener{&proxyproto.Listener{Listener: l, ConnPolicy: policy, ReadHeaderTimeout: limit}}
}

// proxyListener accepts connections that show the connection below them.
type proxyListener struct{ *proxyproto.Listener }

// Accept does not wait for the header.
func (l proxyListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if c, ok := conn.(*proxyproto.Conn); ok {
		return proxyConn{c}, nil
	}
	return conn, err
}

// proxyConn has the address that a PROXY header states.
type proxyConn struct{ *proxyproto.Conn }

// NetConn returns the connection below.
func (c proxyConn) NetConn() net.Conn { return c.Raw() }

// CloseWrite lets net/http end its side and wait for the client's.
func (c proxyConn) CloseWrite() error {
	if w, ok := c.Raw().(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return net.ErrClosed
}
