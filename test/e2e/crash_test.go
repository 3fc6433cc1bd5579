package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// The short round of TestSoakCrash.
const (
	crashKills   = 25
	crashCalls   = 200
	crashWorkers = 4
	longestLife  = 120 * time.Millisecond // of a process under load
)

// Guarantee: whenever the process dies, each key is as it was before or after
// the call in flight, each acknowledged call is in effect, no rotation leaves
// two live secrets or none, the audit trail has no gap, and usage holds every
// answered call and none that nobody sent.
//
// TOKSTA_SOAK, a duration, makes it go on for as long.
func TestSoakCrash(t *testing.T) {
	until := time.Now()
	if long := os.Getenv("TOKSTA_SOAK"); long != "" {
		d, err := time.ParseDuration(long)
		if err != nil {
			t.Fatal(err)
		}
		until = until.Add(d)
	}
	c := &crash{Program: apptest.Build(t), t: t}
	c.Start()
	c.owner = apptest.NewAccount(t, c.API, "Crash")
	c.traffic = apptest.NewKey(t, c.API, c.owner, "traffic")
	for range crashWorkers {
		c.workers = append(c.workers, &worker{crash: c})
	}
	kills := 0
	for ; kills < crashKills || c.calls.Load() < crashCalls || time.Now().Before(until); kills++ {
		c.life()
		c.Start()
		c.settle(t)
		if t.Failed() {
			t.Fatalf("after %d kills", kills+1)
		}
	}
	c.requests(t, true)
	gapless(t, c.API)
	c.usage(t)
	t.Logf("%d kills during %d calls, %d of them in doubt; answered %d of %d requests",
		kills, c.calls.Load(), c.doubts.Load(), c.answered.Load(), c.tried.Load())
}

// crash is a program that dies again and again, and what is known of its keys
// from outside.
type crash struct {
	*apptest.Program
	t       *testing.T
	owner   toksta.AccountID
	traffic client.SecretResponse
	workers []*worker

	calls, doubts   atomic.Int64
	tried, answered atomic.Int64
}

// worker changes keys of its own, one call after another.
type worker struct {
	crash *crash
	keys  []*held
	made  int
}

// held is a key as its holder knows it.
type held struct {
	name        string
	id          toksta.KeyID
	live        string // the secret that must work; "" when its answer was lost
	dead        []string
	generations int
	revoked     bool
	doubt       string // the call that was not acknowledged
	touched     bool   // since the last check
}

// life is one process under load from its first call to its death.
func (c *crash) life() {
	process := c.Process.Process
	time.AfterFunc(rand.N(longestLife), func() { _ = process.Kill() })
	var load sync.WaitGroup
	for _, w := range c.workers {
		load.Go(w.work)
	}
	load.Go(func() {
		for {
			c.tried.Add(1)
			if apptest.Status(c.URL, c.traffic.Secret) != http.StatusOK {
				return
			}
			c.answered.Add(1)
		}
	})
	load.Wait()
	c.Kill()
	http.DefaultClient.CloseIdleConnections()
}

// work changes keys until a call fails.
func (w *worker) work() {
	for {
		k, call := w.pick()
		k.doubt, k.touched = call, true
		w.crash.calls.Add(1)
		if err := w.call(k); err != nil {
			w.crash.doubts.Add(1)
			if e, ok := errors.AsType[*toksta.Error](err); ok && e.Code != toksta.CodeUnavailable {
				w.crash.t.Errorf("%s of %s: %v", call, k.name, err)
			}
			return
		}
		k.doubt = ""
	}
}

// pick chooses a call and its key. An account's cap on live keys is not met.
func (w *worker) pick() (*held, string) {
	var live []*held
	for _, k := range w.keys {
		if !k.revoked {
			live = append(live, k)
		}
	}
	if len(live) < 3 || len(live) < 15 && rand.IntN(3) == 0 {
		w.made++
		k := &held{name: fmt.Sprintf("%p %d", w, w.made)}
		w.keys = append(w.keys, k)
		return k, "create"
	}
	k := live[rand.IntN(len(live))]
	return k, []string{"rotate", "rotate", "revoke"}[rand.IntN(3)]
}

// call carries out the call in doubt and notes what it acknowledged.
func (w *worker) call(k *held) error {
	ctx, ref := w.crash.t.Context(), client.KeyRef{Key: k.id}
	switch k.doubt {
	case "create":
		made, err := w.crash.API.CreateKey(ctx, client.CreateKeyRequest{Account: w.crash.owner, Name: k.name})
		if err == nil {
			k.id, k.live, k.generations = made.Key.ID, made.Secret, 1
		}
		return err
	case "rotate":
		made, err := w.crash.API.RotateKey(ctx, client.RotateKeyRequest{KeyRef: ref})
		if err == nil {
			k.rotated(made.Secret)
		}
		return err
	default:
		_, err := w.crash.API.RevokeKey(ctx, ref)
		k.revoked = err == nil
		return err
	}
}

func (k *held) rotated(secret string) {
	if k.live != "" {
		k.dead = append(k.dead, k.live)
	}
	k.live = secret
	k.generations++
}

// settle resolves every doubt by what the program says now, and wants all else
// to be as it was acknowledged.
func (c *crash) settle(t *testing.T) {
	t.Helper()
	found := map[string]client.Key{}
	for page := (client.KeyPage{Next: "-"}); page.Next != ""; {
		after := page.Next
		if after == "-" {
			after = ""
		}
		var err error
		if page, err = c.API.ListKeys(t.Context(), client.ListKeysRequest{Account: c.owner, Revoked: true, After: after, Limit: 1000}); err != nil {
			t.Fatal(err)
		}
		for _, k := range page.Keys {
			if _, twice := found[k.Name]; twice {
				t.Errorf("two keys %q", k.Name)
			}
			found[k.Name] = k
		}
	}
	delete(found, "traffic")
	for _, w := range c.workers {
		kept := w.keys[:0]
		for _, k := range w.keys {
			now, exists := found[k.name]
			delete(found, k.name)
			if !exists && k.doubt == "create" {
				continue
			}
			kept = append(kept, k)
			if err := k.settle(now); err != nil {
				t.Errorf("key %s: %v", k.name, err)
			}
		}
		w.keys = kept
	}
	if len(found) > 0 {
		t.Errorf("keys that nobody asked for: %v", found)
	}
	c.requests(t, false)
}

// settle takes the key as it was before or after the call in doubt.
func (k *held) settle(now client.Key) error {
	switch {
	case k.doubt == "create":
		k.id, k.generations = now.ID, 1
	case k.doubt == "rotate" && len(now.Generations) == k.generations+1:
		k.rotated("")
	case k.doubt == "revoke" && now.State == toksta.KeyRevoked:
		k.revoked = true
	}
	k.doubt = ""
	if now.ID != k.id || len(now.Generations) != k.generations || (now.State == toksta.KeyRevoked) != k.revoked {
		return fmt.Errorf("is %+v, want %+v", now, *k)
	}
	for i, g := range now.Generations {
		if last := i == len(now.Generations)-1; g.Number != i+1 || g.RevokedAt.IsZero() != last {
			return fmt.Errorf("generations %+v", now.Generations)
		}
	}
	return nil
}

// requests sends every known secret of the keys that were touched, or of all.
func (c *crash) requests(t *testing.T, all bool) {
	t.Helper()
	for _, w := range c.workers {
		for _, k := range w.keys {
			if !all && !k.touched {
				continue
			}
			k.touched = false
			want := http.StatusOK
			if k.revoked {
				want = http.StatusUnauthorized
			}
			if got := apptest.Status(c.URL, k.live); k.live != "" && got != want {
				t.Errorf("key %s, revoked %v: its secret answers %d", k.name, k.revoked, got)
			}
			for _, secret := range k.dead {
				if got := apptest.Status(c.URL, secret); got != http.StatusUnauthorized {
					t.Errorf("key %s: a secret before the last rotation answers %d", k.name, got)
				}
			}
		}
	}
}

// usage wants the traffic's count between what was answered and what was sent.
func (c *crash) usage(t *testing.T) {
	t.Helper()
	var report struct {
		Keys []struct {
			ID    toksta.KeyID
			Calls int64
		}
	}
	apptest.Usage(t, c.API, c.owner, &report)
	var counted int64
	for _, k := range report.Keys {
		if k.ID == c.traffic.Key.ID {
			counted = k.Calls
		}
	}
	if answered, tried := c.answered.Load(), c.tried.Load(); counted < answered || counted > tried {
		t.Errorf("answered %d, counted %d, tried %d", answered, counted, tried)
	}
}
