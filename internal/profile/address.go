package profile

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// CheckURL returns the address of an operator listener in its stored form, without a slash
// at its end. It rejects an address with a user, a query or a fragment and, unless insecure
// is true, plain HTTP to another machine: everyone on the path could read the operator key.
func CheckURL(address string, insecure bool) (string, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return "", errors.New("this is not an address of a server: write it as https://keys.example.com:8443")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", errors.New("the address has a user, a query or a fragment: write it as https://keys.example.com:8443")
	case u.Scheme == "http" && !isThisMachine(u.Hostname()) && !insecure:
		return "", fmt.Errorf("%s would send the operator key over the network without encryption: use https, or allow it with --insecure-http", u.Redacted())
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// isThisMachine reports whether host is a loopback address or localhost.
func isThisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}

// NameOf returns the name of a profile for an address: its host and, if stated, its port.
func NameOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	name := strings.Trim(strings.NewReplacer(":", "-", "[", "", "]", "", "%", "-").Replace(u.Host), "-")
	return name[:min(len(name), 64)]
}
