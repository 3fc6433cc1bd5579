package doors

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
)

// ownedFields are the header fields that state a decision to the client. Their values never come from
// the back end.
var ownedFields = []string{"X-Request-Id", "X-Trace-Id", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "X-Toksta-Credit-Cost", "X-Toksta-Source"}

// Guarantee: a back end that sets the fields of a decision, for example because it repeats the request id,
// changes none of them for the client, and adds no second value. Traefik and Envoy cannot do so: their
// pages say it.
func TestFieldsOfTheBackEnd(t *testing.T) {
	t.Parallel()
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range ownedFields {
			w.Header().Set(name, "back-end")
		}
		w.Header().Set(fieldBackEnd, "echo")
	}))
	t.Cleanup(back.Close)
	node := apptest.Start(t, func(c *config.Config) {
		c.Listen.ForwardAuth, c.ForwardAuth.Proxies = "127.0.0.1:0", []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		c.Upstreams["backend"] = config.Upstream{URL: back.URL}
	})
	key := apptest.NewKey(t, node.Operator(), apptest.NewAccount(t, node.Operator(), "Acme"), "key").Secret
	t.Run("doors", func(t *testing.T) {
		for _, d := range doors {
			if !slices.Contains([]string{"gateway", "nginx", "haproxy", "caddy"}, d.Name) {
				continue
			}
			t.Run(d.Name, func(t *testing.T) {
				t.Parallel()
				got := send(t, d.Start(t, &World{Node: node, BackEnd: back}), "GET /v1/creators/7", "Authorization: Bearer "+key)
				if got.Status != http.StatusOK || got.Header.Get(fieldBackEnd) != "echo" {
					t.Fatalf("%d %v", got.Status, got.Header)
				}
				for _, name := range ownedFields {
					if values := got.Header[name]; len(values) > 1 || slices.Contains(values, "back-end") {
						t.Errorf("%s: %s", name, strings.Join(values, " and "))
					}
				}
			})
		}
	})
}
