package config

import (
	"strings"
	"testing"
)

// Guarantee: no proxy may ask for decisions unless it is listed, no network of all addresses
// can be listed, and config check warns about networks that contain other people's machines
// and about keys that travel unencrypted.
func TestForwardAuth(t *testing.T) {
	t.Parallel()
	const on = "listen: {forward_auth: '127.0.0.1:8081'}\n"
	for name, c := range map[string]struct{ text, problem, warning string }{
		"off":                      {"", "", ""},
		"one proxy":                {on + "forward_auth: {proxies: [10.0.0.5/32]}", "", ""},
		"private networks":         {on + "forward_auth: {proxies: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 127.0.0.0/8, 100.64.0.0/10, 'fd00::/64', '::1/128']}", "", ""},
		"no proxy":                 {on, "listen.forward_auth: No proxy", ""},
		"no address":               {"listen: {forward_auth: here}\nforward_auth: {proxies: [10.0.0.5/32]}", "listen.forward_auth: This is not an address", ""},
		"every IPv4 address":       {on + "forward_auth: {proxies: [0.0.0.0/0]}", "forward_auth.proxies: The network 0.0.0.0/0", ""},
		"every IPv6 address":       {on + "forward_auth: {proxies: ['::/0']}", "forward_auth.proxies: The network ::/0", ""},
		"no network":               {on + "forward_auth: {proxies: [proxy.internal]}", "forward_auth", ""},
		"wide":                     {on + "forward_auth: {proxies: [10.0.0.0/7]}", "", "10.0.0.0/7: every machine"},
		"wide, IPv6":               {on + "forward_auth: {proxies: ['fc00::/7']}", "", "fc00::/7: every machine"},
		"public":                   {on + "forward_auth: {proxies: [203.0.113.5/32]}", "", "203.0.113.5/32: make sure"},
		"public, IPv6":             {on + "forward_auth: {proxies: ['2001:db8::5/128']}", "", "2001:db8::5/128: make sure"},
		"partly public":            {on + "forward_auth: {proxies: [192.168.0.0/15]}", "", "192.168.0.0/15: make sure"},
		"for other machines":       {"listen: {forward_auth: '10.0.0.1:8081'}\nforward_auth: {proxies: [10.0.0.5/32]}", "", "listen.forward_auth has no TLS"},
		"for all interfaces":       {"listen: {forward_auth: ':8081'}\nforward_auth: {proxies: [10.0.0.5/32]}", "", "listen.forward_auth has no TLS"},
		"proxies without listener": {"forward_auth: {proxies: [10.0.0.5/32]}", "", ""},
	} {
		cfg, err := loadText(t, c.text+"\n")
		if (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%s: %v, want %q", name, err, c.problem)
		}
		warnings := strings.Join(cfg.forwardAuthWarnings(), "\n")
		if (warnings == "") != (c.warning == "") || !strings.Contains(warnings, c.warning) {
			t.Errorf("%s: warnings %q, want %q", name, warnings, c.warning)
		}
	}
}
