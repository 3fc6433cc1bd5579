package e2e

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/sharedrate/redistest"
	"github.com/toksta/toksta/sdk/client"
)

// Guarantee: the structured fields contain the same values as the fields of the contract, in
// the syntax of the draft, for admitted and rejected calls. They are off by default.
func TestStructuredRateFields(t *testing.T) {
	t.Parallel()
	on := apptest.Start(t, func(c *config.Config) { c.RateLimit.StructuredFields = true })
	off := apptest.Start(t)
	for name, c := range map[string]struct {
		node  *apptest.Node
		limit int // of the key
		want  string
	}{
		"account": {on, 0, `"account"`},
		"key":     {on, 2, `"key"`},
		"off":     {off, 0, ""},
	} {
		api := c.node.Operator()
		owner := apptest.NewAccount(t, api, name)
		apptest.Entitle(t, api, owner, "rate_limit_per_minute=3")
		key, err := api.CreateKey(t.Context(), client.CreateKeyRequest{Account: owner, Name: name, PerMinute: c.limit})
		if err != nil {
			t.Fatal(err)
		}
		first := apptest.Send(t, c.node.URL, "GET /v1/account/usage", key.Secret)
		for _, got := range []apptest.Response{first, exceedRate(t, c.node, "GET /v1/account/usage", key.Secret)} {
			checkRateFields(t, got, c.want)
		}
	}
}

// checkRateFields compares the structured fields with the fields of the contract. policy is
// the name of the tightest window, "" if there must be no structured fields.
func checkRateFields(t *testing.T, r apptest.Response, policy string) {
	t.Helper()
	h := r.Header
	exposed := strings.Contains(h.Get("Access-Control-Expose-Headers"), ", RateLimit, RateLimit-Policy")
	if policy == "" {
		if h.Values("RateLimit") != nil || h.Values("RateLimit-Policy") != nil || exposed {
			t.Errorf("%d %v", r.Status, h)
		}
		return
	}
	quota := policy + ";q=" + h.Get("X-RateLimit-Limit") + ";w=60"
	state, left, _ := strings.Cut(item(h.Get("RateLimit"), policy), ";t=")
	seconds, err := strconv.Atoi(left)
	if item(h.Get("RateLimit-Policy"), policy) != quota || state != policy+";r="+h.Get("X-RateLimit-Remaining") ||
		err != nil || seconds < 1 || seconds > 60 || !exposed || r.Status == 429 && h.Get("Retry-After") != left {
		t.Errorf("%d %v", r.Status, h)
	}
}

// item returns the item of a window in a structured field, "" if the field has none.
func item(field, window string) string {
	for i := range strings.SplitSeq(field, ", ") {
		if name, _, _ := strings.Cut(i, ";"); name == window {
			return i
		}
	}
	return ""
}

// Guarantee: without Redis the API continues. No call fails, no window starts again, /ready
// stays 200, and the doctor reports the loss.
func TestRedisLost(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	n := apptest.Start(t, func(c *config.Config) {
		// Long enough that a busy machine does not look like a lost Redis.
		c.RateLimit.Redis, c.RateLimit.RedisTimeout = redis.URL(), 20*time.Second
	})
	api := n.Operator()
	owner := apptest.NewAccount(t, api, "Shared")
	apptest.Entitle(t, api, owner, "rate_limit_per_minute=3")
	key := apptest.NewKey(t, api, owner, "Shared").Secret
	exceedRate(t, n, "GET /v1/account/usage", key)
	if got := apptest.Send(t, n.URL, "GET /ready", ""); got.Status != 200 || !strings.Contains(string(got.Body), `"redis":"ok"`) {
		t.Errorf("with Redis: %d %s", got.Status, got.Body)
	}
	redis.Kill()
	for range 20 {
		if got := apptest.Send(t, n.URL, "GET /v1/account/usage", key); got.Status != 200 && got.Status != 429 {
			t.Fatalf("without Redis: %d %s", got.Status, got.Body)
		}
	}
	exceedRate(t, n, "GET /v1/account/usage", key)
	if got := apptest.Send(t, n.URL, "GET /ready", ""); got.Status != 200 || !strings.Contains(string(got.Body), `"redis":"away`) {
		t.Errorf("without Redis: %d %s", got.Status, got.Body)
	}
	health, err := api.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	reported := slices.ContainsFunc(health.Checks, func(c client.Check) bool {
		return c.Name == "rate limits" && c.Level == client.LevelFail && c.Fix != ""
	})
	if !reported {
		t.Errorf("the doctor says %+v", health.Checks)
	}
}
