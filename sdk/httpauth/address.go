package httpauth

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// TrustedProxies returns a function for [WithAddress] that reads X-Forwarded-For if the
// peer of the connection is in one of the networks: the client's address is the last
// address of the field that is in none of them. If an invalid element would decide, the
// function returns a BAD_REQUEST. List only the networks of your own proxies: a peer in
// one of them states the address to which the networks of a key apply.
func TrustedProxies(networks ...netip.Prefix) func(*http.Request) (netip.Addr, error) {
	return func(r *http.Request) (netip.Addr, error) {
		peer, err := peerAddress(r)
		if err != nil {
			return peer, err
		}
		return ForwardedAddress(peer, r.Header["X-Forwarded-For"], networks)
	}
}

// ForwardedAddress returns the client's address, unmapped and without a zone: that of
// the peer or, if the peer is in a trusted network, the last address of forwardedFor
// that is not. forwardedFor has the lines of X-Forwarded-For. If an invalid element
// would decide, the error is a BAD_REQUEST.
func ForwardedAddress(peer netip.Addr, forwardedFor []string, trusted []netip.Prefix) (netip.Addr, error) {
	addr := plainAddress(peer)
	if !isTrusted(addr, trusted) {
		return addr, nil
	}
	hops := listElements(forwardedFor)
	for i := len(hops) - 1; i >= 0 && isTrusted(addr, trusted); i-- {
		var err error
		if addr, err = parseHop(hops[i]); err != nil {
			return netip.Addr{}, &toksta.Error{Code: toksta.CodeBadRequest, Message: "X-Forwarded-For contains an element that is not an address."}
		}
	}
	return addr, nil
}

// peerAddress returns the address of the peer; for a Unix socket, an invalid one.
func peerAddress(r *http.Request) (netip.Addr, error) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, nil
	}
	return plainAddress(peer.Addr()), nil
}

// plainAddress returns an address unmapped and without an IPv6 zone, because no network
// contains an address with a zone.
func plainAddress(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func isTrusted(a netip.Addr, trusted []netip.Prefix) bool {
	for _, network := range trusted {
		if network.Contains(a) {
			return true
		}
	}
	return false
}

// listElements returns the elements of a list field. Several lines are one list, and
// empty elements do not count (RFC 9110, sections 5.3 and 5.6.1.2).
func listElements(lines []string) []string {
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

// parseHop parses an address with or without a port or, in IPv6, brackets.
func parseHop(s string) (netip.Addr, error) {
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s += ":0"
	}
	if withPort, err := netip.ParseAddrPort(s); err == nil {
		return plainAddress(withPort.Addr()), nil
	}
	addr, err := netip.ParseAddr(s)
	return plainAddress(addr), err
}
