package gateway

import (
	"net/http"
	"net/netip"
	"strings"
)

// proxies are the networks of the peers that may say who the client is.
type proxies []netip.Prefix

// trust reports whether a is a trusted proxy. Nobody is by default.
func (p proxies) trust(a netip.Addr) bool {
	for _, network := range p {
		if network.Contains(a) {
			return true
		}
	}
	return false
}

// trustPeer spares the ordinary node without proxies the parsing of the peer.
func (p proxies) trustPeer(r *http.Request) bool { return len(p) > 0 && p.trust(peer(r)) }

// ClientAddress returns the client's address as calls are decided on it. A
// trusted proxy that contradicts itself leaves the proxy's own.
func (g *Gateway) ClientAddress(r *http.Request) netip.Addr {
	addr, err := g.config.proxies().client(r)
	if err != nil {
		return peer(r)
	}
	return addr
}

// client returns the client's address, unmapped: the peer's, or when the peer
// is a trusted proxy the last address of X-Forwarded-For that is not one
// itself. A trusted proxy that sends the field twice, beside Forwarded, or
// with something else than addresses where it counts is refused.
func (p proxies) client(r *http.Request) (netip.Addr, error) {
	addr := peer(r)
	if !p.trustPeer(r) {
		return addr, nil
	}
	fields := r.Header["X-Forwarded-For"]
	if len(fields) > 1 || len(r.Header["Forwarded"]) > 0 {
		return netip.Addr{}, badRequest("The client's address is given twice.")
	}
	if len(fields) == 0 {
		return addr, nil
	}
	hops := strings.Split(fields[0], ",")
	for i := len(hops) - 1; i >= 0 && p.trust(addr); i-- {
		var err error
		if addr, err = hop(strings.Trim(hops[i], " \t")); err != nil {
			return netip.Addr{}, badRequest("X-Forwarded-For holds something else than addresses.")
		}
	}
	return addr, nil
}

// hop reads an address with or without a port, unmapped: an IPv4 client must
// match IPv4 networks whichever way its proxy writes it.
func hop(s string) (netip.Addr, error) {
	if withPort, err := netip.ParseAddrPort(s); err == nil {
		return withPort.Addr().Unmap(), nil
	}
	addr, err := netip.ParseAddr(s)
	return addr.Unmap(), err
}

// proto is how the client came: a trusted proxy that ends TLS says so.
func (p proxies) proto(r *http.Request) string {
	if said := r.Header["X-Forwarded-Proto"]; len(said) == 1 && p.trustPeer(r) && (said[0] == "https" || said[0] == "http") {
		return said[0]
	}
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// peer is the address of the connection's other end, unmapped.
func peer(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}
