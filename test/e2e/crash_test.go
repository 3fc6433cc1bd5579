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

// The length of TestSoakCrash without TOKSTA_SOAK.
const (
	crashKills   = 25
	crashCalls   = 200
	crashWorkers = 4
	longestLife  = 120 * time.Millisecond // of a process under load
)

// Guarantee: whenever the process is killed, each key has its state before or after the call
// in flight. Each acknowledged call is in effect, no rotation leaves two live secrets or
// none, the audit trail has no gap, and usage contains every call with a response and no
// call that was not sent.
//
// TOKSTA_SOAK sets its duration.
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
		c.runUntilKilled()
		c.Start()
		c.checkKeys(t)
		if t.Failed() {
			t.Fatalf("after %d kills", kills+1)
		}
	}
	c.checkSecrets(t, true)
	checkNoGaps(t, c.API)
	c.checkUsage(t)
	t.Logf("%d kills during %d changes, %d of them with unknown outcome; %d of %d calls got a response",
		kills, c.calls.Load(), c.uncertain.Load(), c.responses.Load(), c.tried.Load())
}

// crash is a program that is killed repeatedly, with the expected state of its keys.
type crash struct {
	*apptest.Program
	t       *testing.T
	owner   toksta.AccountID
	traffic client.SecretResponse
	workers []*worker

	calls, uncertain atomic.Int64
	tried, responses atomic.Int64
}

// worker changes its own keys, one call after another.
type worker struct {
	crash *crash
	keys  []*knownKey
	made  int
}

// knownKey is the state of a key that its owner expects.
type knownKey struct {
	name        string
	id          toksta.KeyID
	live        string // the secret that must work; "" if its response was lost
	dead        []string
	generations int
	revoked     bool
	unknown     string // the call whose outcome is unknown
	touched     bool   // since the last check
}

// runUntilKilled puts the process under load until it is killed.
func (c *crash) runUntilKilled() {
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
			c.responses.Add(1)
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
		k.unknown, k.touched = call, true
		w.crash.calls.Add(1)
		if err := w.call(k); err != nil {
			w.crash.uncertain.Add(1)
			if e, ok := errors.AsType[*toksta.Error](err); ok && e.Code != toksta.CodeUnavailable {
				w.crash.t.Errorf("%s of %s: %v", call, k.name, err)
			}
			return
		}
		k.unknown = ""
	}
}

// pick chooses a call and its key. It keeps below the cap on live keys.
func (w *worker) pick() (*knownKey, string) {
	var live []*knownKey
	for _, k := range w.keys {
		if !k.revoked {
			live = append(live, k)
		}
	}
	if len(live) < 3 || len(live) < 15 && rand.IntN(3) == 0 {
		w.made++
		k := &knownKey{name: fmt.Sprintf("%p %d", w, w.made)}
		w.keys = append(w.keys, k)
		return k, "create"
	}
	k := live[rand.IntN(len(live))]
	return k, []string{"rotate", "rotate", "revoke"}[rand.IntN(3)]
}

// call makes a call and records its acknowledged result.
func (w *worker) call(k *knownKey) error {
	ctx, ref := w.crash.t.Context(), client.KeyRef{Key: k.id}
	switch k.unknown {
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

func (k *knownKey) rotated(secret string) {
	if k.live != "" {
		k.dead = append(k.dead, k.live)
	}
	k.live = secret
	k.generations++
}

// checkKeys resolves calls with unknown outcome by the keys that the program lists, and
// fails t unless all other keys are as acknowledged.
func (c *crash) checkKeys(t *testing.T) {
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
			if !exists && k.unknown == "create" {
				continue
			}
			kept = append(kept, k)
			if err := k.check(now); err != nil {
				t.Errorf("key %s: %v", k.name, err)
			}
		}
		w.keys = kept
	}
	if len(found) > 0 {
		t.Errorf("keys that were never created: %v", found)
	}
	c.checkSecrets(t, false)
}

// check accepts the state before or after a call with unknown outcome.
func (k *knownKey) check(now client.Key) error {
	switch {
	case k.unknown == "create":
		k.id, k.generations = now.ID, 1
	case k.unknown == "rotate" && len(now.Generations) == k.generations+1:
		k.rotated("")
	case k.unknown == "revoke" && now.State == toksta.KeyRevoked:
		k.revoked = true
	}
	k.unknown = ""
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

// checkSecrets sends every known secret of the changed keys, or of all keys.
func (c *crash) checkSecrets(t *testing.T, all bool) {
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
				t.Errorf("key %s, revoked %v: its secret gets %d", k.name, k.revoked, got)
			}
			for _, secret := range k.dead {
				if got := apptest.Status(c.URL, secret); got != http.StatusUnauthorized {
					t.Errorf("key %s: a secret from before the last rotation gets %d", k.name, got)
				}
			}
		}
	}
}

// checkUsage fails t unless the count lies between the calls with a response and all calls.
func (c *crash) checkUsage(t *testing.T) {
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
	if responses, tried := c.responses.Load(), c.tried.Load(); counted < responses || counted > tried {
		t.Errorf("%d responses, counted %d, tried %d", responses, counted, tried)
	}
}
