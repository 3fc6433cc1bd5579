package admit

import (
	"net/netip"
	"strings"

	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// Client holds the peer of the connection and the fields in which a proxy states its
// client.
type Client struct {
	Peer           netip.Addr // unmapped; invalid if the peer has no address
	ForwardedFor   []string   // X-Forwarded-For
	ForwardedProto []string   // X-Forwarded-Proto
}

// Peer parses an address in the form of http.Request.RemoteAddr. For a Unix socket it
// returns an invalid address.
func Peer(remote string) netip.Addr {
	a, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	return Plain(a.Addr())
}

// Plain returns an address unmapped and without an IPv6 zone. A zone names an
// interface of one machine: no network contains an address with a zone, and a proxy
// could pass on a zone of any bytes.
func Plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// Proxies are the networks of the peers that may state the client's address.
// None is trusted by default.
type Proxies []netip.Prefix

// Trust reports whether a belongs to a trusted proxy.
func (p Proxies) Trust(a netip.Addr) bool {
	for _, network := range p {
		if network.Contains(a) {
			return true
		}
	}
	return false
}

// Address returns the client's address, unmapped; see httpauth.ForwardedAddress. It
// ignores the field Forwarded: a proxy that sets one of the two fields often passes on
// the other as the caller sent it.
func (p Proxies) Address(c Client) (netip.Addr, error) {
	return httpauth.ForwardedAddress(c.Peer, c.ForwardedFor, p)
}

// Proto returns the scheme that a trusted proxy's client used, "https" or "http":
// the first element of X-Forwarded-Proto. It returns "" if the peer is not a
// trusted proxy or does not state one.
func (p Proxies) Proto(c Client) string {
	if !p.Trust(c.Peer) {
		return ""
	}
	// Several lines are one list, and empty elements do not count (RFC 9110, sections 5.3
	// and 5.6.1.2).
	stated := strings.TrimLeft(strings.Join(c.ForwardedProto, ","), ", \t")
	stated, _, _ = strings.Cut(stated, ",")
	switch strings.ToLower(strings.TrimRight(stated, " \t")) {
	case "https", "wss":
		return "https"
	case "http", "ws":
		return "http"
	}
	return ""
}

// badRequest returns the error for a malformed request.
func badRequest(message string) *toksta.Error {
	return &toksta.Error{Code: toksta.CodeBadRequest, Message: message}
}
