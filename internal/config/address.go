package config

import (
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/toksta/toksta/internal/text"
)

// isListenAddress reports whether s is an address to listen on: a port, of any
// host or of none.
func isListenAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || port == "" {
		return false
	}
	_, err = net.LookupPort("tcp", port) // a number in range, or a name such as https
	return err == nil && (host == "" || isHost(host))
}

// isPeer reports whether s is the host and the port of a server.
func isPeer(s string) bool {
	host, port, err := net.SplitHostPort(s)
	return err == nil && isHost(host) && isPort(port)
}

// isURL reports whether s is absolute, of one of the schemes, and leads to a
// host that can exist. A link of the scheme mailto leads to a mailbox instead.
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

// isAuthority reports whether s is a host as a URL has it, perhaps with a port.
func isAuthority(s string) bool {
	u := url.URL{Host: s}
	return isHost(u.Hostname()) && !strings.HasSuffix(s, ":") && (u.Port() == "" || isPort(u.Port()))
}

// isPort reports whether s is a port that can be connected to.
func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// isHost reports whether s is an IP address or can be the name of a host.
func isHost(s string) bool {
	_, notAddress := netip.ParseAddr(s)
	_, notName := text.Host(s)
	return notAddress == nil || notName == nil && regexp.MustCompile(`^[\pL\pN_]([\pL\pM\pN_.-]*[\pL\pM\pN_])?\.?$`).MatchString(s)
}

// isBase reports whether a URL is nothing but a place that paths are put behind.
func isBase(address string) bool {
	u, err := url.Parse(address)
	return err != nil || u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// isSocket reports whether address is the URL of a Unix socket with an absolute
// path.
func isSocket(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "unix" && u.Host == "" && strings.HasPrefix(u.Path, "/")
}

// isDatabase reports whether s names a SQLite file or a PostgreSQL server, or
// several servers, separated by commas.
func isDatabase(s string) bool {
	scheme, rest, _ := strings.Cut(s, ":")
	if scheme == "sqlite" {
		return rest != ""
	}
	u, err := url.Parse(s)
	if err != nil || rest == "" || scheme != "postgres" && scheme != "postgresql" {
		return false
	}
	// Without a host the server is on this machine, or a parameter names it.
	return u.Host == "" || !slices.ContainsFunc(strings.Split(u.Host, ","), func(host string) bool { return !isAuthority(host) })
}

// isLoopback reports whether an address is reached from this machine alone. No
// host means every interface, so it is not.
func isLoopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// isLocal reports whether a URL leads to this machine for whoever opens it.
func isLocal(address string) bool {
	u, err := url.Parse(address)
	return err == nil && isLoopback(net.JoinHostPort(u.Hostname(), "0"))
}

// isOtherFile reports whether there is something at path that is not a socket.
func isOtherFile(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().Type() != os.ModeSocket
}
