package config

import (
	"strings"
	"testing"
)

// Guarantee: config check warns about proxies of the operator API that could be other
// people's machines, and about operator keys that travel unencrypted behind a proxy.
func TestOperatorWarnings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ operator, warning string }{
		"off":                        {"{address: ''}", ""},
		"this machine":               {"{address: '127.0.0.1:8090'}", ""},
		"TLS":                        {"{address: ':8443', tls: {cert: a.pem, key: a.key}}", ""},
		"a proxy on this machine":    {"{address: '127.0.0.1:8090', proxies: [127.0.0.1/32]}", ""},
		"a public proxy":             {"{address: '127.0.0.1:8090', proxies: [203.0.113.5/32]}", "203.0.113.5/32: each of them"},
		"a partly public network":    {"{address: ':8443', tls: {cert: a.pem, key: a.key}, proxies: [192.168.0.0/15]}", "192.168.0.0/15: each of them"},
		"plain HTTP behind a proxy":  {"{address: '10.0.0.5:8090', proxies: [10.0.0.6/32]}", "listen.operator has no TLS"},
		"plain HTTP on all networks": {"{address: ':8090', proxies: [10.0.0.6/32]}", "listen.operator has no TLS"},
	} {
		cfg, err := loadText(t, "listen: {operator: "+c.operator+"}\n")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		warnings := strings.Join(cfg.operatorWarnings(), "\n")
		if (warnings == "") != (c.warning == "") || !strings.Contains(warnings, c.warning) {
			t.Errorf("%s: warnings %q, want %q", name, warnings, c.warning)
		}
	}
}
