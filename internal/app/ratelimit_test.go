package app_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/toksta/toksta/client"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/sharedrate/redistest"
)

// Guarantee: a vendor whose Redis dies serves on. No caller meets an error, no
// window begins anew, the balancer keeps the node, and the operator is told.
func TestRedisLost(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	n := start(t, func(c *config.Config) { c.RateLimit.Redis = redis.URL() })
	api := operatorOf(n)
	owner := account(t, api, "Shared")
	entitle(t, api, owner, "rate_limit_per_minute=3")
	key := newKey(t, api, owner, "Shared").Secret
	exhaust(t, n, "GET /v1/account/usage", key)
	if got := send(t, n.url, "GET /ready", ""); got.status != 200 || !strings.Contains(string(got.body), `"redis":"ok"`) {
		t.Errorf("with Redis: %d %s", got.status, got.body)
	}
	redis.Kill()
	for range 20 {
		if got := send(t, n.url, "GET /v1/account/usage", key); got.status != 200 && got.status != 429 {
			t.Fatalf("without Redis: %d %s", got.status, got.body)
		}
	}
	exhaust(t, n, "GET /v1/account/usage", key)
	if got := send(t, n.url, "GET /ready", ""); got.status != 200 || !strings.Contains(string(got.body), `"redis":"away`) {
		t.Errorf("without Redis: %d %s", got.status, got.body)
	}
	health, err := api.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	told := slices.ContainsFunc(health.Checks, func(c client.Check) bool {
		return c.Name == "rate limits" && c.Level == client.LevelFail && c.Fix != ""
	})
	if !told {
		t.Errorf("the doctor says %+v", health.Checks)
	}
}
