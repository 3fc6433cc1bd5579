package doors

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: without a decision, no proxy forwards a request: if Toksta cannot be reached, if it does
// not know the proxy, or if the script of HAProxy fails. HAProxy and Caddy do not take another program
// for Toksta. The proxies that can do so respond 503 with
// Retry-After and the envelope.
func TestAway(t *testing.T) {
	t.Parallel()
	node := apptest.Start(t, func(c *config.Config) {
		c.Listen.ForwardAuth, c.ForwardAuth.Proxies = "127.0.0.1:0", []netip.Prefix{netip.MustParsePrefix("10.0.0.5/32")}
	})
	key := apptest.NewKey(t, node.Operator(), apptest.NewAccount(t, node.Operator(), "Acme"), "key").Secret
	back := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request reached the back end") }))
	t.Cleanup(back.Close)
	unreachable := &World{Node: node, BackEnd: back, Asked: apptest.FreeAddress(t)}
	t.Run("proxies", func(t *testing.T) {
		each(t, proxies, func(t *testing.T, d Door) {
			expectUnavailable(t, d.Name, d.Start(t, unreachable), key)
			unknown := d.Start(t, &World{Node: node, BackEnd: back})
			got := send(t, unknown, "GET /v1/creators/7", "Authorization: Bearer "+key)
			if got.Status != http.StatusForbidden || d.Name != "nginx" && got.Error(t).Error.Code != toksta.CodeForbidden {
				t.Errorf("a proxy that is not configured: %d %s", got.Status, got.Body)
			}
		})
		t.Run("another program", func(t *testing.T) {
			t.Parallel()
			other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})) // 200 without fields
			t.Cleanup(other.Close)
			w := &World{Node: node, BackEnd: back, Asked: other.Listener.Addr().String()}
			expectUnavailable(t, "haproxy", startHAProxy(t, w), key)
			_ = send(t, startCaddy(t, w), "GET /v1/creators/7", "Authorization: Bearer "+key) // passes the response on
		})
		t.Run("failing script", func(t *testing.T) {
			t.Parallel()
			door := startHAProxyWith(t, &World{Node: node, BackEnd: back}, "core.httpclient()", "core.missing()")
			expectUnavailable(t, "haproxy", door, key)
		})
	})
	apptest.Eventually(t, "a proxy that is not configured has no record", func() bool {
		return bytes.Contains(node.Log.Bytes(), []byte(`"code":"FORBIDDEN"`))
	})
	if log := node.Log.Bytes(); bytes.Contains(log, []byte(key)) {
		t.Errorf("the log is\n%s", log)
	}
}

// expectUnavailable fails t unless the door has no decision and responds so.
func expectUnavailable(t *testing.T, name, address, key string) {
	t.Helper()
	got := send(t, address, "GET /v1/creators/7", "Authorization: Bearer "+key)
	switch name {
	case "traefik":
		if got.Status != http.StatusInternalServerError {
			t.Errorf("%d %s", got.Status, got.Body)
		}
		return
	case "envoy":
		if got.Status != http.StatusServiceUnavailable {
			t.Errorf("%d %s", got.Status, got.Body)
		}
		return
	}
	if got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") != "1" || got.Header.Get("Cache-Control") != "no-store" ||
		got.Header.Get("Content-Type") != "application/json" || got.Error(t).Error.Code != toksta.CodeUnavailable ||
		name == "nginx" && got.Header.Get("X-Request-Id") != got.Error(t).Meta.RequestID {
		t.Errorf("%d %v %s", got.Status, got.Header, got.Body)
	}
}
