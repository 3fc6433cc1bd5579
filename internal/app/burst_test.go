package app_test

import (
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/config"
)

// startCluster runs nodes on one database.
func startCluster(t *testing.T, database string, alter ...func(*config.Config)) (nodes []*node) {
	t.Helper()
	for i := range 3 {
		own := func(c *config.Config) { c.Store.URL, c.Node.Name = database, "node "+strconv.Itoa(i) }
		nodes = append(nodes, start(t, append(alter, own)...))
	}
	return nodes
}

// burst is calls of some clients at once, each to a node taken at random.
type burst struct {
	nodes   []*node
	call    string               // "METHOD target"
	key     func(try int) string // secret
	tries   int                  // at most
	pace    time.Duration        // between two tries; 0: none
	before  func(try int)        // nil, or called before a try by its client
	refused int                  // tries in a row that nobody admitted end the burst; 0: none do
}

// try is how one call went.
type try struct {
	key      string
	node     int
	status   int
	window   string // of the rate limit: when it ends
	from, to time.Time
}

// run returns all tries once they are answered. A call without an answer fails
// the test.
func (b burst) run(t *testing.T) (done []try) {
	t.Helper()
	const clients = 20
	var (
		all     sync.WaitGroup
		mu      sync.Mutex
		refused int
		due     = make(chan int)
		web     = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	)
	defer web.CloseIdleConnections()
	for range clients {
		all.Go(func() {
			for i := range due {
				if b.before != nil {
					b.before(i)
				}
				one, err := b.one(web, i)
				if err != nil {
					t.Errorf("try %d: %v", i, err)
				}
				mu.Lock()
				done = append(done, one)
				if refused++; one.status < 400 {
					refused = 0
				}
				mu.Unlock()
			}
		})
	}
	pace := time.NewTicker(max(b.pace, 1))
	defer pace.Stop()
	for i := range b.tries {
		mu.Lock()
		over := b.refused > 0 && refused >= b.refused
		mu.Unlock()
		if over {
			break
		}
		if b.pace > 0 {
			<-pace.C
		}
		due <- i
	}
	close(due)
	all.Wait()
	return done
}

func (b burst) one(web *http.Client, i int) (try, error) {
	got := try{key: b.key(i), node: rand.IntN(len(b.nodes)), from: time.Now()}
	method, target, _ := strings.Cut(b.call, " ")
	r, err := http.NewRequest(method, b.nodes[got.node].url+target, nil)
	if err != nil {
		return got, err
	}
	r.Header.Set("Authorization", "Bearer "+got.key)
	res, err := web.Do(r)
	if err != nil {
		return got, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	got.status, got.window, got.to = res.StatusCode, res.Header.Get("X-RateLimit-Reset"), time.Now()
	return got, err
}
