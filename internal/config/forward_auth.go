package config

import (
	"fmt"
	"net/netip"
)

// ForwardAuth configures the decisions for reverse proxies that ask before they forward a
// request.
type ForwardAuth struct {
	// Proxies lists the peers that may ask. They state the method, the target and the
	// address of the client, so each of them decides which calls are charged.
	Proxies []netip.Prefix `yaml:"proxies"`
}

// checkForwardAuth requires the proxies of the listener. None is trusted by default, and
// a network of all addresses would let every machine state any request.
func (c *checker) checkForwardAuth() {
	listen, proxies := c.cfg.Listen.ForwardAuth, c.cfg.ForwardAuth.Proxies
	if listen != "" {
		c.require(isListenAddress(listen), "listen.forward_auth", "This is not an address to listen on.", "write host:port, such as 127.0.0.1:8081")
		c.require(len(proxies) > 0, "listen.forward_auth", "No proxy may ask for decisions.", "list the addresses of your proxies in forward_auth.proxies, such as [127.0.0.1/32]")
	}
	for _, p := range proxies {
		c.require(p.Bits() > 0, "forward_auth.proxies", "The network "+p.String()+" lets every machine state any request.", "list only the addresses of your own proxies")
	}
}

// forwardAuthWarnings returns the risks of the proxies that may ask for decisions.
func (c Config) forwardAuthWarnings() (out []string) {
	for _, p := range c.ForwardAuth.Proxies {
		switch {
		case p.Addr().Is4() && p.Bits() < 8, p.Addr().Is6() && p.Bits() < 16:
			out = append(out, fmt.Sprintf("forward_auth.proxies contains %s: every machine of this wide network can state any request. List single addresses.", p))
		case isPublic(p):
			out = append(out, fmt.Sprintf("forward_auth.proxies contains public addresses, %s: make sure that only your own proxies have them.", p))
		}
	}
	if c.Listen.ForwardAuth != "" && !isLoopback(c.Listen.ForwardAuth) && c.Listen.TLS.Cert == "" {
		out = append(out, "listen.forward_auth has no TLS: keys travel unencrypted between your proxies and this node. Use a private network, or set listen.tls.")
	}
	return out
}
