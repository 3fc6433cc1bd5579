package rig

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
	"time"
)

// How the customers behave.
const (
	usersPerNode = 16
	patience     = 300 * time.Millisecond // of a user with a node that does not answer
	oldSecrets   = 4000                   // dead secrets that are still tried
)

// targets is what the users choose secrets from: those that a change has just
// returned for, those in force, and those that died long ago.
type targets struct {
	mu    sync.Mutex
	tests int // uses of a secret just closed, as far as known while it goes on
	hot   []hot
	live  []*secret
	place map[*secret]int // in live
	dead  []*secret
}

// hot is a secret that a change has just returned for. It is tried half of the
// time, everywhere, while it is fresh: that is when a node would be late.
type hot struct {
	secret *secret
	since  time.Time
	closed bool
}

// add puts a new secret to use.
func (t *targets) add(s *secret) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.place[s] = len(t.live)
	t.live = append(t.live, s)
}

// touched makes secrets the ones to try now. Their owner calls it.
func (t *targets) touched(secrets ...*secret) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for len(t.hot) > 0 && now.Sub(t.hot[0].since) > fresh {
		t.hot = t.hot[1:]
	}
	for _, s := range secrets {
		closed := slices.ContainsFunc(s.gates, func(g *gate) bool { return !g.stands() })
		t.hot = append(t.hot, hot{s, now, closed})
	}
}

// kill moves a secret to the dead ones, which are tried for the rest of the
// run: a revocation must survive what happens later.
func (t *targets) kill(s *secret, r *rand.Rand) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, alive := t.place[s]
	if !alive {
		return
	}
	last := t.live[len(t.live)-1]
	t.live[at], t.place[last] = last, at
	t.live = t.live[:len(t.live)-1]
	delete(t.place, s)
	if len(t.dead) < oldSecrets {
		t.dead = append(t.dead, s)
	} else {
		t.dead[r.IntN(oldSecrets)] = s
	}
}

// tested returns how many uses have put the promise to the test so far.
func (t *targets) tested() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tests
}

// pick chooses a secret, nil when there is none yet.
func (t *targets) pick(r *rand.Rand) *secret {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.hot) > 0 && r.IntN(2) == 0 {
		if h := t.hot[r.IntN(len(t.hot))]; time.Since(h.since) < fresh {
			if h.closed {
				t.tests++
			}
			return h.secret
		}
	}
	from := t.live
	if len(t.dead) > 0 && (len(from) == 0 || r.IntN(5) == 0) {
		from = t.dead
	}
	if len(from) == 0 {
		return nil
	}
	return from[r.IntN(len(from))]
}

// pace hands out permits for uses at a steady rate until ctx ends.
func pace(ctx context.Context, perSecond int, permits chan<- struct{}) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	began, given := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		due := int(time.Since(began).Seconds() * float64(perSecond))
		for ; given < due; given++ {
			select {
			case permits <- struct{}{}:
			default: // nobody is free: the rate is missed, not made up for
			}
		}
	}
}

// customer sends uses to one node until ctx ends, over one connection.
type customer struct {
	history *history
	targets *targets
	permits <-chan struct{}
	node    int
	url     string
	random  *rand.Rand
	http    *http.Client
}

// run sends uses and keeps their record to itself until the end, so that
// customers do not wait for each other.
func (u *customer) run(ctx context.Context) {
	var sent []use
	defer func() {
		u.http.CloseIdleConnections()
		u.history.addUses(sent)
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-u.permits:
		}
		s := u.targets.pick(u.random)
		if s == nil {
			continue
		}
		one := use{secret: s, node: u.node}
		one.call = u.history.now()
		one.status, one.tries = u.send(s.text)
		one.done = u.history.now()
		sent = append(sent, one)
		if one.status == 0 { // a node that is down must not eat the permits
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}

// send makes one request and returns the answer's status, 0 without one, and
// how often it may have gone out: net/http repeats it when a connection ends
// that was used before.
func (u *customer) send(text string) (status, tries int) {
	trace := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { tries++ }})
	r, err := http.NewRequestWithContext(trace, http.MethodGet, u.url, nil)
	if err != nil {
		return 0, 0
	}
	r.Header.Set("Authorization", "Bearer "+text)
	answer, err := u.http.Do(r)
	if err != nil {
		return 0, tries
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, tries
}

// newHTTP is a client with one connection that it keeps.
func newHTTP() *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
}
