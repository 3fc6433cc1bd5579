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

// longestJoin limits the time in which a node joins a cluster with a million keys. The
// latency of the other nodes is logged only, because they share their processors with
// the joining node, the database and the test.
const longestJoin = 20 * time.Second

// Guarantee: a node that joins a cluster under load serves no call before it has every key
// and every revocation. A live key never gets 401, and a key that is revoked meanwhile is
// never admitted once the revoke has returned.
//
// TOKSTA_MILLION=1 uses a million keys and checks the limit on time.
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

	calls := &load{urls: []string{first.URL, second.URL}, secret: oldSecret(keys / 2)}
	calm := time.Second
	if full {
		calm = 10 * time.Second
	}
	// The other nodes get the same load before and while the third node joins.
	probe := &prober{url: "http://" + address, keys: keys}
	quiet := calls.during(t, func() {
		stop := probe.run(t, first)
		<-time.After(calm)
		stop()
	})
	var took time.Duration
	busy := calls.during(t, func() {
		stop := probe.run(t, first)
		took = joining.Start()
		stop()
	})
	probe.check(t)
	ratio := float64(busy) / float64(quiet)
	t.Logf("%d keys: ready after %v; %d probes, %d keys revoked meanwhile; p99 of the others %v before, %v during (%.2f)",
		keys, took.Round(time.Millisecond), probe.probes.Load(), probe.revoked, quiet, busy, ratio)
	if full && took > longestJoin {
		t.Errorf("ready after %v, more than %v", took, longestJoin)
	}
}

// fill writes accounts with a hundred keys each into the database.
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

// load is calls to the running nodes, at a fixed rate.
type load struct {
	urls   []string
	secret string
}

// during runs do and returns the p99 latency of the calls sent meanwhile, measured from the
// time at which each was due.
func (l *load) during(t *testing.T, do func()) time.Duration {
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
					t.Errorf("a call to a running node gets %d", got)
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

// prober sends calls to a node that is joining, while keys are revoked on another one.
type prober struct {
	url     string
	keys    int
	revoked int // keys 0 to here, once their revoke has returned

	probes, unauthorized, late atomic.Int64
}

// run runs in the background until stop is called.
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
			if got := p.send(oldSecret(p.revoked)); got/100 == 2 {
				p.late.Add(1)
			}
			p.revoked++
		}
	})
	running.Go(func() {
		for i := range paced(ctx) {
			p.probes.Add(1)
			if p.send(oldSecret(p.keys-1-i%(p.keys/2))) == http.StatusUnauthorized {
				p.unauthorized.Add(1)
			}
		}
	})
	return func() { cancel(); running.Wait() }
}

// paced yields numbers, ten a second, until ctx ends. Probes without a pause would take
// the processor from the measured nodes.
func paced(ctx context.Context) iter.Seq[int] {
	return func(yield func(int) bool) {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ctx.Err() == nil && yield(i); i++ {
			<-tick.C
		}
	}
}

// send sends one call and returns the status of its response, or 0 without a response in
// time: the node listens before it serves.
func (p *prober) send(secret string) int {
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

// check fails t if a probe got a wrong response.
func (p *prober) check(t *testing.T) {
	t.Helper()
	if n := p.unauthorized.Load(); n > 0 {
		t.Errorf("%d live keys got 401", n)
	}
	if n := p.late.Load(); n > 0 {
		t.Errorf("%d keys were admitted after their revoke had returned", n)
	}
	if p.revoked == 0 || p.probes.Load() == 0 {
		t.Errorf("nothing was tried: %d revokes, %d probes", p.revoked, p.probes.Load())
	}
}
