package scale

import (
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
)

// burst is a number of concurrent calls, each to a random node.
type burst struct {
	nodes  []*apptest.Node
	call   string               // "METHOD target"
	key    func(try int) string // secret
	tries  int
	before func(try int) // is called before each try
}

// try is the result of a call.
type try struct {
	key      string
	node     int
	status   int
	header   http.Header
	from, to time.Time
}

// run makes all calls and returns their results. A call without a response fails t.
func (b burst) run(t *testing.T) []try {
	t.Helper()
	const clients = 20
	web := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer web.CloseIdleConnections()
	var next atomic.Int64
	var all sync.WaitGroup
	done := make([]try, b.tries)
	for range clients {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < b.tries; i = int(next.Add(1)) - 1 {
				b.before(i)
				var err error
				if done[i], err = b.one(web, i); err != nil {
					t.Errorf("try %d: %v", i, err)
				}
			}
		})
	}
	all.Wait()
	return done
}

func (b burst) one(web *http.Client, i int) (try, error) {
	got := try{key: b.key(i), node: rand.IntN(len(b.nodes)), from: time.Now()}
	method, target, _ := strings.Cut(b.call, " ")
	r, err := http.NewRequest(method, b.nodes[got.node].URL+target, nil)
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
	got.status, got.header, got.to = res.StatusCode, res.Header, time.Now()
	return got, err
}
