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

// perMinute is the limit of every account of these tests.
const perMinute = 60

// Guarantee: whichever of three nodes its calls reach, an account gets exactly
// its limit in each minute with Redis, and the limit of each node without; when
// Redis dies in the middle nobody meets an error, and no more is given. Meanwhile
// another account gets all that is its own.
func TestLimitOverNodes(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	for name, c := range map[string]struct {
		redis bool
		dies  int // before this try
		want  func(w window) (least, most int)
	}{
		"with Redis":    {redis: true, want: func(w window) (int, int) { return w.once(), w.once() }},
		"without":       {want: func(w window) (int, int) { return w.onEach(), w.onEach() }},
		"dies half way": {redis: true, dies: 2 * perMinute / 3, want: func(w window) (int, int) { return w.once(), w.onEach() }},
	} {
		t.Run(name, func(t *testing.T) {
			l := limited{t: t}
			if c.redis {
				l.redis = redistest.Start(t)
			}
			l.nodes = apptest.StartCluster(t, server.NewDatabase(t), l.configure)
			for end, w := range l.burst(c.dies) {
				least, most := c.want(w)
				t.Logf("the minute to %s gave %d of %v tries", end, w.admitted, w.tried)
				if w.admitted < least || w.admitted > most {
					t.Errorf("%d calls were admitted, want %d to %d", w.admitted, least, most)
				}
			}
		})
	}
}

// window is what an account's minute came to. The nodes say in which minute they
// counted a call, so the test may run into another.
type window struct {
	tried    [3]int // on each node
	admitted int
}

// once is what the limit gives of the tries.
func (w window) once() int { return min(perMinute, w.tried[0]+w.tried[1]+w.tried[2]) }

// onEach is what it gives where each node counts for itself.
func (w window) onEach() (sum int) {
	for _, n := range w.tried {
		sum += min(perMinute, n)
	}
	return sum
}

// limited is three nodes that share a Redis, or none.
type limited struct {
	t     *testing.T
	nodes []*apptest.Node
	redis *redistest.Server
}

func (l *limited) configure(c *config.Config) {
	if l.redis != nil {
		// So long that a busy machine does not look like a Redis that is away.
		c.RateLimit.Redis, c.RateLimit.RedisTimeout = l.redis.URL(), 20*time.Second
	}
}

// keys makes an account with some keys.
func (l *limited) keys(name string, n int) (secrets []string) {
	api := l.nodes[0].Operator()
	owner := apptest.NewAccount(l.t, api, name)
	apptest.Entitle(l.t, api, owner, "rate_limit_per_minute=60")
	for range n {
		secrets = append(secrets, apptest.NewKey(l.t, api, owner, name).Secret)
	}
	return secrets
}

// burst tries the keys of one account 3,000 times, and that of another as often
// as it may, and returns the first one's minutes.
func (l *limited) burst(dies int) map[string]window {
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
		if dies > 0 && i == dies {
			l.redis.Kill()
		}
	}
	minutes, others := map[string]window{}, 0
	for _, got := range b.run(l.t) {
		admitted, minute := got.status == http.StatusOK, got.header.Get("X-RateLimit-Reset")
		if !admitted && got.status != http.StatusTooManyRequests || minute == "" {
			l.t.Errorf("a call was answered with %d", got.status)
		}
		if !slices.Contains(busy, got.key) {
			if others++; !admitted {
				l.t.Errorf("a call of the other account was refused: %d", got.status)
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
