package config

import (
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/toksta/toksta/internal/text"
)

// isListenAddress reports whether s is an address to listen on: host:port, where
// the host may be empty.
func isListenAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || port == "" {
		return false
	}
	_, err = net.LookupPort("tcp", port) // a number in range, or a name such as https
	return err == nil && (host == "" || isHost(host))
}

// isHostPort reports whether s is host:port with a host and a numeric port.
func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	return err == nil && isHost(host) && isPort(port)
}

// isURL reports whether s is an absolute URL with one of the schemes and a
// well-formed host. A mailto URL needs an address instead of a host.
func isURL(s string, schemes ...string) bool {
	u, err := url.Parse(s)
	if err != nil || !slices.Contains(schemes, u.Scheme) {
		return false
	}
	if u.Scheme == "mailto" {
		return u.Opaque != ""
	}
	return isAuthority(u.Host)
}

// isAuthority reports whether s is a host, optionally with a port, in the syntax
// of a URL.
func isAuthority(s string) bool {
	u := url.URL{Host: s}
	return isHost(u.Hostname()) && !strings.HasSuffix(s, ":") && (u.Port() == "" || isPort(u.Port()))
}

// isPort reports whether s is a number from 1 to 65535.
func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// isHost reports whether s is an IP address or a well-formed host name. A name whose
// last label is a number is neither, such as 10.0.0.256.
func isHost(s string) bool {
	_, notAddress := netip.ParseAddr(s)
	_, notName := text.Host(s)
	return notAddress == nil || notName == nil && hostPattern.MatchString(s) && !notHostPattern.MatchString(s)
}

// isBaseURL reports whether a URL has no user, query or fragment, so that a path
// can be appended.
func isBaseURL(address string) bool {
	u, err := url.Parse(address)
	return err != nil || u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// isSocketURL reports whether address is the URL of a Unix socket with an absolute
// path.
func isSocketURL(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "unix" && u.Host == "" && strings.HasPrefix(u.Path, "/")
}

// isDatabaseURL reports whether s names a SQLite file, or one or more PostgreSQL
// servers separated by commas.
func isDatabaseURL(s string) bool {
	scheme, rest, _ := strings.Cut(s, ":")
	if scheme == "sqlite" {
		return rest != ""
	}
	u, err := url.Parse(s)
	if err != nil || rest == "" || scheme != "postgres" && scheme != "postgresql" {
		return false
	}
	// An empty host means this machine, or a parameter names the host.
	return u.Host == "" || !slices.ContainsFunc(strings.Split(u.Host, ","), func(host string) bool { return !isAuthority(host) })
}

// isLoopback reports whether only this machine can connect to an address. An
// empty host means every interface and is not loopback.
func isLoopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// isDebugAddress reports whether s is empty, a loopback address to listen on, or unix:
// and the path of a socket.
func isDebugAddress(s string) bool {
	if path, isSocket := strings.CutPrefix(s, "unix:"); isSocket {
		return path != "" && len(path) <= maxSocket && !isNotSocket(path)
	}
	return s == "" || isListenAddress(s) && isLoopback(s)
}

// isLocalURL reports whether the host of a URL is a loopback address.
func isLocalURL(address string) bool {
	u, err := url.Parse(address)
	return err == nil && isLoopback(net.JoinHostPort(u.Hostname(), "0"))
}

// isNotSocket reports whether path exists and is not a socket.
func isNotSocket(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().Type() != os.ModeSocket
}

// isPublic reports whether a network contains addresses of the Internet: its first or its
// last address is neither private, loopback nor link-local.
func isPublic(p netip.Prefix) bool {
	first := p.Masked().Addr()
	last := first.AsSlice()
	for bit := p.Bits(); bit < first.BitLen(); bit++ {
		last[bit/8] |= 0x80 >> (bit % 8)
	}
	end, _ := netip.AddrFromSlice(last)
	shared := netip.MustParsePrefix("100.64.0.0/10") // RFC 6598, inside of carriers and clouds
	isInternal := func(a netip.Addr) bool {
		return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || shared.Contains(a)
	}
	return !isInternal(first) || !isInternal(end)
}
