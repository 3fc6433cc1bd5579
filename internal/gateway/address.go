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

// ClientAddress returns the client's address as calls are decided on it. If a
// trusted proxy sends no address, it returns the proxy's own.
func (g *Gateway) ClientAddress(r *http.Request) netip.Addr {
	addr, err := g.config.proxies().client(r)
	if err != nil {
		return peer(r)
	}
	return addr
}

// client returns the client's address, unmapped. It is the peer's address, or
// the last address of X-Forwarded-For that is not a trusted proxy if the peer is
// one. Forwarded is not read: a proxy that sets one of the two fields often
// passes the caller's own claim in the other. An element that is not an address
// is rejected if it would decide.
func (p proxies) client(r *http.Request) (netip.Addr, error) {
	addr := peer(r)
	if !p.trustPeer(r) {
		return addr, nil
	}
	hops := elements(r.Header["X-Forwarded-For"])
	for i := len(hops) - 1; i >= 0 && p.trust(addr); i-- {
		var err error
		if addr, err = hop(hops[i]); err != nil {
			return netip.Addr{}, badRequest("X-Forwarded-For holds something else than addresses.")
		}
	}
	return addr, nil
}

// elements returns the elements of a list field. Several lines are one list, and
// empty elements do not count (RFC 9110, sections 5.3 and 5.6.1.2).
func elements(lines []string) []string {
	var out []string
	for _, line := range lines {
		for e := range strings.SplitSeq(line, ",") {
			if e = strings.Trim(e, " \t"); e != "" {
				out = append(out, e)
			}
		}
	}
	return out
}

// hop parses an address with or without a port or, in IPv6, brackets. The result
// is unmapped: an IPv4 client must match IPv4 networks, however its proxy writes
// the address.
func hop(s string) (netip.Addr, error) {
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s += ":0"
	}
	if withPort, err := netip.ParseAddrPort(s); err == nil {
		return withPort.Addr().Unmap(), nil
	}
	addr, err := netip.ParseAddr(s)
	return addr.Unmap(), err
}

// proto returns the scheme that the caller used: that of the connection, or of
// the first element of X-Forwarded-Proto if the peer is a trusted proxy.
func (p proxies) proto(r *http.Request) string {
	if said := elements(r.Header["X-Forwarded-Proto"]); len(said) > 0 && p.trustPeer(r) {
		switch strings.ToLower(said[0]) {
		case "https", "wss":
			return "https"
		case "http", "ws":
			return "http"
		}
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
