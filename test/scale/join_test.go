package scale

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// longestJoin is the bar of a node that joins a cluster with a million keys. How
// much slower the others get meanwhile is reported and no bar: here they share
// their processors with the joining node, its database and the test.
const longestJoin = 20 * time.Second

// Guarantee: a node that joins a cluster under load answers no call before it
// holds every key and knows every revocation: a live key is never 401, and one
// that is revoked meanwhile is never admitted once the revoke has returned.
//
// TOKSTA_MILLION=1 does it with a million keys and holds the bar on time.
func TestJoinUnderLoad(t *testing.T) {
	keys, full := 20_000, os.Getenv("TOKSTA_MILLION") == "1"
	if full {
		keys = 1_000_000
	}
	database := pgtest.Start(t).NewDatabase(t)
	fill(t, database, keys)
	var cluster []*apptest.Program
	for i := range 3 {
		p := apptest.Build(t)
		p.Env = append(p.Env, "TOKSTA_STORE_URL="+database, "TOKSTA_NODE_NAME=n"+strconv.Itoa(i))
		cluster = append(cluster, p)
	}
	first, second, joining := cluster[0], cluster[1], cluster[2]
	first.Start()
	second.Start()
	address := apptest.FreeAddress(t)
	joining.Env = append(joining.Env, "TOKSTA_LISTEN_PUBLIC="+address)

	load := &steady{urls: []string{first.URL, second.URL}, secret: oldSecret(keys / 2)}
	calm := time.Second
	if full {
		calm = 10 * time.Second
	}
	// The same is asked of the others before and while the third node joins.
	probe := &prober{url: "http://" + address, keys: keys}
	quiet := load.during(t, func() {
		stop := probe.run(t, first)
		<-time.After(calm)
		stop()
	})
	var took time.Duration
	busy := load.during(t, func() {
		stop := probe.run(t, first)
		took = joining.Start()
		stop()
	})
	probe.judge(t)
	ratio := float64(busy) / float64(quiet)
	t.Logf("%d keys: ready after %v; %d probes, %d keys revoked meanwhile; p99 of the others %v before, %v during (%.2f)",
		keys, took.Round(time.Millisecond), probe.asked.Load(), probe.revoked, quiet, busy, ratio)
	if full && took > longestJoin {
		t.Errorf("ready after %v, more than %v", took, longestJoin)
	}
}

// fill writes accounts with a hundred keys each, straight into the store.
func fill(t *testing.T, url string, keys int) {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := time.Now()
	for from := 0; from < keys; from += 10_000 {
		m := store.Mutation{Kind: toksta.ChangeKeysImported}
		for i := from; i < min(from+10_000, keys); i++ {
			if i%100 == 0 {
				m.Accounts = append(m.Accounts, toksta.Account{
					ID: toksta.AccountID(toksta.NewID(toksta.PrefixAccount, now)), Name: "Customer", Plan: "API_ENTERPRISE",
					Status: toksta.StatusActive, CreatedAt: now, Entitlements: toksta.Entitlements{PerMinute: 1_000_000},
				})
			}
			m.Keys = append(m.Keys, toksta.Key{
				ID: keyID(i), AccountID: m.Accounts[len(m.Accounts)-1].ID, Name: "imported", CreatedAt: now,
				Generations: []toksta.Generation{{Number: 1, Digest: sha256.Sum256([]byte(oldSecret(i))), CreatedAt: now}},
			})
		}
		_, err := db.Commit(t.Context(), toksta.Actor{Kind: toksta.ActorSystem}, func(context.Context, store.Reader) (store.Mutation, error) {
			return m, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func keyID(i int) toksta.KeyID { return toksta.KeyID(fmt.Sprintf("key_%026d", i)) }

// steady is calls to the nodes that are there, at a fixed rate.
type steady struct {
	urls   []string
	secret string
}

// during returns the p99 of the calls that were sent while do ran, each timed
// from when it was due.
func (l *steady) during(t *testing.T, do func()) time.Duration {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var (
		calls sync.WaitGroup
		mu    sync.Mutex
		took  []time.Duration
	)
	calls.Go(func() {
		due := time.NewTicker(5 * time.Millisecond)
		defer due.Stop()
		for i := 0; ctx.Err() == nil; i++ {
			began := <-due.C
			calls.Go(func() {
				got := apptest.Send(t, l.urls[i%len(l.urls)], "GET /v1/campaigns", l.secret).Status
				mu.Lock()
				defer mu.Unlock()
				if took = append(took, time.Since(began)); got != http.StatusForbidden {
					t.Errorf("a call to a running node answers %d", got)
				}
			})
		}
	})
	do()
	stop()
	calls.Wait()
	slices.Sort(took)
	return took[len(took)*99/100]
}

// prober asks a node that is not there yet, while keys are revoked elsewhere.
type prober struct {
	url     string
	keys    int
	revoked int // keys 0 to here, once their revoke has returned

	asked, unknown, late atomic.Int64
}

// run goes on until the returned function is called.
func (p *prober) run(t *testing.T, by *apptest.Program) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		for range paced(ctx) {
			_, err := by.API.RevokeKey(t.Context(), client.KeyRef{Key: keyID(p.revoked)})
			if err != nil {
				t.Error(err)
				return
			}
			if got := p.ask(oldSecret(p.revoked)); got/100 == 2 {
				p.late.Add(1)
			}
			p.revoked++
		}
	})
	running.Go(func() {
		for i := range paced(ctx) {
			p.asked.Add(1)
			if p.ask(oldSecret(p.keys-1-i%(p.keys/2))) == http.StatusUnauthorized {
				p.unknown.Add(1)
			}
		}
	})
	return func() { cancel(); running.Wait() }
}

// paced counts on ten times a second until ctx ends: whoever asks a closed door
// without a pause takes the processor from those that are measured.
func paced(ctx context.Context) iter.Seq[int] {
	return func(yield func(int) bool) {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ctx.Err() == nil && yield(i); i++ {
			<-tick.C
		}
	}
}

// ask sends one call and returns how it was answered, 0 when nobody did in
// time: the address is taken before the node answers.
func (p *prober) ask(secret string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/v1/creators/7", nil)
	if err != nil {
		return 0
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	return res.StatusCode
}

func (p *prober) judge(t *testing.T) {
	t.Helper()
	if n := p.unknown.Load(); n > 0 {
		t.Errorf("%d live keys were refused as unknown", n)
	}
	if n := p.late.Load(); n > 0 {
		t.Errorf("%d keys were admitted after their revoke had returned", n)
	}
	if p.revoked == 0 || p.asked.Load() == 0 {
		t.Errorf("nothing was tried: %d revokes, %d probes", p.revoked, p.asked.Load())
	}
}
