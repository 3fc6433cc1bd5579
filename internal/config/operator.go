package config

import (
	"fmt"
	"net/netip"
)

// Operator configures the operator API for other machines. Its clients need an operator
// key.
type Operator struct {
	Address string `yaml:"address"` // host:port; "": the operator API is only on the socket
	TLS     TLS    `yaml:"tls"`     // without it, only this machine and the proxies may connect
	// Proxies lists the peers whose X-Forwarded-For is trusted.
	Proxies []netip.Prefix `yaml:"proxies"`
}

// checkOperator checks the listener of the operator API for other machines. Over plain
// HTTP, everyone on the path could read an operator key.
func (c *checker) checkOperator() {
	o := c.cfg.Listen.Operator
	c.require((o.TLS.Cert == "") == (o.TLS.Key == ""), "listen.operator.tls", "A certificate and its key need each other; one is missing.", "set both listen.operator.tls.cert and listen.operator.tls.key, or neither")
	if o.Address == "" {
		return
	}
	if !isListenAddress(o.Address) {
		c.report("listen.operator.address", "This is not an address to listen on.", "write host:port, such as 0.0.0.0:8443")
		return
	}
	c.require(isLoopback(o.Address) || o.TLS.Cert != "" || len(o.Proxies) > 0, "listen.operator.address",
		"Other machines can reach the operator API, and would send operator keys over plain HTTP.",
		"set listen.operator.tls.cert and .key, or list the proxies that accept https for it in listen.operator.proxies, or listen on 127.0.0.1")
}

// operatorWarnings returns the risks of the proxies in front of the listener.
func (c Config) operatorWarnings() (out []string) {
	o := c.Listen.Operator
	for _, p := range o.Proxies {
		if isPublic(p) {
			out = append(out, fmt.Sprintf("listen.operator.proxies contains public addresses, %s: each of them can state any client address. Make sure that only your own proxies have them.", p))
		}
	}
	if o.Address != "" && o.TLS.Cert == "" && !isLoopback(o.Address) {
		out = append(out, "listen.operator has no TLS: operator keys travel unencrypted between your proxies and this node. Use a private network, or set listen.operator.tls.")
	}
	return out
}
