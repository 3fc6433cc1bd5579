package scale

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/sharedrate/redistest"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
)

// perMinute is the rate limit of every account of these tests.
const perMinute = 60

// Guarantee: over three nodes, an account gets exactly its limit in each minute with Redis,
// and at most its limit on each node without. If Redis is killed meanwhile, no call fails
// and the second limit holds. Calls of another account are not affected.
func TestLimitOverNodes(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	for name, c := range map[string]struct {
		redis bool
		kill  int // Redis before this try
		want  func(w window) (least, most int)
	}{
		"with Redis": {redis: true, want: func(w window) (int, int) { return w.shared(), w.shared() }},
		"without":    {want: func(w window) (int, int) { return w.separate(), w.separate() }},
		"killed":     {redis: true, kill: 2 * perMinute / 3, want: func(w window) (int, int) { return w.shared(), w.separate() }},
	} {
		t.Run(name, func(t *testing.T) {
			l := limited{t: t}
			if c.redis {
				l.redis = redistest.Start(t)
			}
			l.nodes = apptest.StartCluster(t, server.NewDatabase(t), l.configure)
			for end, w := range l.burst(c.kill) {
				least, most := c.want(w)
				t.Logf("the minute to %s gave %d of %v tries", end, w.admitted, w.tried)
				if w.admitted < least || w.admitted > most {
					t.Errorf("%d calls were admitted, want %d to %d", w.admitted, least, most)
				}
			}
		})
	}
}

// window is the calls of an account in one minute. Responses state the minute in which
// the node counted the call, so the test may span two of them.
type window struct {
	tried    [3]int // on each node
	admitted int
}

// shared returns the number of admitted calls if the nodes share the limit.
func (w window) shared() int { return min(perMinute, w.tried[0]+w.tried[1]+w.tried[2]) }

// separate returns the number of admitted calls if each node has the limit.
func (w window) separate() (sum int) {
	for _, n := range w.tried {
		sum += min(perMinute, n)
	}
	return sum
}

// limited is three nodes that share a Redis if redis is not nil.
type limited struct {
	t     *testing.T
	nodes []*apptest.Node
	redis *redistest.Server
}

func (l *limited) configure(c *config.Config) {
	if l.redis != nil {
		// Long enough that a busy machine does not look like a lost Redis.
		c.RateLimit.Redis, c.RateLimit.RedisTimeout = l.redis.URL(), 20*time.Second
	}
}

// keys creates an account with n keys.
func (l *limited) keys(name string, n int) (secrets []string) {
	api := l.nodes[0].Operator()
	owner := apptest.NewAccount(l.t, api, name)
	apptest.Entitle(l.t, api, owner, "rate_limit_per_minute=60")
	for range n {
		secrets = append(secrets, apptest.NewKey(l.t, api, owner, name).Secret)
	}
	return secrets
}

// burst makes 3,000 calls of one account, and as many calls of another account as its
// limit allows. It returns the minutes of the first account.
func (l *limited) burst(kill int) map[string]window {
	const tries = 3000 + perMinute
	busy, other := l.keys("Busy", 5), l.keys("Other", 1)[0]
	b := burst{nodes: l.nodes, call: "GET /v1/creators/7", tries: tries}
	b.key = func(i int) string {
		if i%(tries/perMinute) == 0 {
			return other
		}
		return busy[i%len(busy)]
	}
	b.before = func(i int) {
		if kill > 0 && i == kill {
			l.redis.Kill()
		}
	}
	minutes, others := map[string]window{}, 0
	for _, got := range b.run(l.t) {
		admitted, minute := got.status == http.StatusOK, got.header.Get("X-RateLimit-Reset")
		if !admitted && got.status != http.StatusTooManyRequests || minute == "" {
			l.t.Errorf("a call got %d", got.status)
		}
		if !slices.Contains(busy, got.key) {
			if others++; !admitted {
				l.t.Errorf("a call of the other account got %d", got.status)
			}
			continue
		}
		w := minutes[minute]
		if w.tried[got.node]++; admitted {
			w.admitted++
		}
		minutes[minute] = w
	}
	if others != perMinute {
		l.t.Errorf("the other account made %d calls, want %d", others, perMinute)
	}
	return minutes
}
