package app

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/pires/go-proxyproto"
)

// readPROXY returns a listener that requires a PROXY header (version 1 or 2) within
// limit at the start of each connection from one of the networks, and takes the
// client's address from it. Without the header, such a connection is closed. On other
// connections, it looks for no header.
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

// proxyListener accepts connections whose NetConn method returns the connection
// below.
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

// CloseWrite ends the sending direction, so that net/http can wait until the client
// ends the other one.
func (c proxyConn) CloseWrite() error {
	if w, ok := c.Raw().(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return net.ErrClosed
}
