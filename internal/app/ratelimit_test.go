package app_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/sharedrate/redistest"
	"github.com/toksta/toksta/sdk/client"
)

// Guarantee: a client that reads the structured fields learns the same as one
// that reads the contract's own headers, admitted or refused, in the syntax of
// the draft; and nobody meets them unless the vendor wants it.
func TestStructuredRateFields(t *testing.T) {
	t.Parallel()
	on := start(t, func(c *config.Config) { c.RateLimit.StructuredFields = true })
	off := start(t)
	for name, c := range map[string]struct {
		node  *node
		limit int // of the key
		want  string
	}{
		"account": {on, 0, `"account"`},
		"key":     {on, 2, `"key"`},
		"off":     {off, 0, ""},
	} {
		api := operatorOf(c.node)
		owner := account(t, api, name)
		entitle(t, api, owner, "rate_limit_per_minute=3")
		key, err := api.CreateKey(t.Context(), client.CreateKeyRequest{Account: owner, Name: name, PerMinute: c.limit})
		if err != nil {
			t.Fatal(err)
		}
		first := send(t, c.node.url, "GET /v1/account/usage", key.Secret)
		for _, got := range []answer{first, exhaust(t, c.node, "GET /v1/account/usage", key.Secret)} {
			got.checkRateFields(t, c.want)
		}
	}
}

// checkRateFields compares the structured fields with the others; policy is
// the name of the window, "" for no such fields.
func (a answer) checkRateFields(t *testing.T, policy string) {
	t.Helper()
	h := a.header
	exposed := strings.Contains(h.Get("Access-Control-Expose-Headers"), ", RateLimit, RateLimit-Policy")
	if policy == "" {
		if h.Values("RateLimit") != nil || h.Values("RateLimit-Policy") != nil || exposed {
			t.Errorf("%d %v", a.status, h)
		}
		return
	}
	quota := policy + ";q=" + h.Get("X-RateLimit-Limit") + ";w=60"
	state, left, _ := strings.Cut(h.Get("RateLimit"), ";t=")
	seconds, err := strconv.Atoi(left)
	if h.Get("RateLimit-Policy") != quota || state != policy+";r="+h.Get("X-RateLimit-Remaining") ||
		err != nil || seconds < 1 || seconds > 60 || !exposed || a.status == 429 && h.Get("Retry-After") != left {
		t.Errorf("%d %v", a.status, h)
	}
}

// Guarantee: a vendor whose Redis dies serves on. No caller meets an error, no
// window begins anew, the balancer keeps the node, and the operator is told.
func TestRedisLost(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	n := start(t, func(c *config.Config) {
		// So long that a busy machine does not look like a Redis that is away.
		c.RateLimit.Redis, c.RateLimit.RedisTimeout = redis.URL(), 20*time.Second
	})
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
