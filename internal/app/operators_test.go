package app

import (
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: only a configured proxy states another address than its own, by which the
// networks of operator keys are checked. Without TLS, no other peer than a proxy and this
// machine is heard.
func TestOperatorClient(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	plain := config.Operator{Proxies: proxies}
	secure := config.Operator{Proxies: proxies, TLS: config.TLS{Cert: "cert.pem"}}
	for name, test := range map[string]struct {
		config    config.Operator
		peer      string
		forwarded []string
		want      string // "": rejected with code
		code      toksta.Code
	}{
		"a proxy":                         {plain, "10.0.0.1:5", []string{"203.0.113.7"}, "203.0.113.7", ""},
		"a proxy that states nothing":     {plain, "10.0.0.1:5", nil, "10.0.0.1", ""},
		"a forged element":                {plain, "10.0.0.1:5", []string{"198.51.100.1, 203.0.113.7"}, "203.0.113.7", ""},
		"a malformed element":             {plain, "10.0.0.1:5", []string{"nobody"}, "", toksta.CodeBadRequest},
		"this machine":                    {plain, "127.0.0.1:5", []string{"203.0.113.7"}, "127.0.0.1", ""},
		"this machine over IPv6":          {plain, "[::1]:5", nil, "::1", ""},
		"another machine without TLS":     {plain, "192.0.2.7:5", []string{"10.0.0.1"}, "", toksta.CodeForbidden},
		"another machine with TLS":        {secure, "192.0.2.7:5", []string{"10.0.0.1"}, "192.0.2.7", ""},
		"a proxy with TLS":                {secure, "10.0.0.1:5", []string{"203.0.113.7"}, "203.0.113.7", ""},
		"another machine, mapped address": {plain, "[::ffff:192.0.2.7]:5", nil, "", toksta.CodeForbidden},
	} {
		r := httptest.NewRequest("POST", "/operator/v1/health", nil)
		r.RemoteAddr = test.peer
		if test.forwarded != nil {
			r.Header["X-Forwarded-For"] = test.forwarded
		}
		got, err := operatorClient(test.config)(r)
		if test.want == "" {
			if toksta.ErrorCode(err) != test.code || !got.IsValid() {
				t.Errorf("%s: got %v, %v", name, got, err)
			}
			continue
		}
		if err != nil || got.String() != test.want {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

// Guarantee: the operator listener and the one for proxies have connections of their own, which
// neither clients nor upstreams can use up. Without the listener, none are set aside.
func TestOperatorSlots(t *testing.T) {
	t.Parallel()
	a := &App{log: slog.New(slog.DiscardHandler)}
	without := a.countSlots()
	a.config.Listen.Operator.Address = "127.0.0.1:0"
	with := a.countSlots()
	if cap(without.operators) != 0 || cap(with.operators) < 16 || cap(with.operators) > maxRemote {
		t.Errorf("operators have %d connections, %d without the listener", cap(with.operators), cap(without.operators))
	}
	if cap(with.clients) != cap(without.clients) || cap(with.upstreams)+cap(with.operators) != cap(without.upstreams) {
		t.Errorf("got %d clients and %d upstreams, without the listener %d and %d",
			cap(with.clients), cap(with.upstreams), cap(without.clients), cap(without.upstreams))
	}
	a.config.Listen.ForwardAuth = "127.0.0.1:0"
	if both := a.countSlots(); cap(both.proxies) != cap(with.operators) || cap(both.upstreams)+cap(both.proxies) != cap(with.upstreams) {
		t.Errorf("proxies have %d connections, upstreams %d", cap(both.proxies), cap(both.upstreams))
	}
}
