package rig

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
	"time"
)

// Behaviour of the customers.
const (
	usersPerNode   = 16
	requestTimeout = 300 * time.Millisecond // of one request
	oldSecrets     = 4000                   // revoked secrets that are still used
)

// targets holds the secrets that customers use: recently changed, live, and revoked
// ones.
type targets struct {
	mu    sync.Mutex
	tests int // uses of recently closed secrets
	hot   []hot
	live  []*secret
	place map[*secret]int // in live
	dead  []*secret
}

// newTargets returns targets without secrets.
func newTargets() *targets { return &targets{place: map[*secret]int{}} }

// hot is a recently changed secret. Half of all uses take a hot secret, because a node
// that enforces a change late admits it only shortly after the change.
type hot struct {
	secret *secret
	since  time.Time
	closed bool
}

// add adds a live secret.
func (t *targets) add(s *secret) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.place[s] = len(t.live)
	t.live = append(t.live, s)
}

// markHot records that secrets were changed now. The owner of the secrets calls it.
func (t *targets) markHot(secrets ...*secret) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for len(t.hot) > 0 && now.Sub(t.hot[0].since) > fresh {
		t.hot = t.hot[1:]
	}
	for _, s := range secrets {
		closed := slices.ContainsFunc(s.gates, func(g *gate) bool { return !g.isOpen() })
		t.hot = append(t.hot, hot{s, now, closed})
	}
}

// setRevoked moves a secret from the live secrets to the revoked ones. These are used for
// the rest of the run, because a revocation must remain in force after later faults.
func (t *targets) setRevoked(s *secret, r *rand.Rand) {
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

// tested returns the number of uses so far that tested the guarantee.
func (t *targets) tested() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tests
}

// pick chooses a secret. It returns nil if there is none.
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

// pace issues permits for uses at a steady rate until ctx ends.
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
			default: // all customers are busy: the use is skipped
			}
		}
	}
}

// customer sends calls with API keys to one node, in one way, over one connection, until ctx
// ends.
type customer struct {
	history *history
	targets *targets
	permits <-chan struct{}
	node    int
	random  *rand.Rand
	way     way
	access  access
	path    string // of the route
	// operatorKey is sent to the verify API. The socket of an external cluster ignores it.
	operatorKey string
	http        *http.Client
}

// run sends uses and collects their records until it ends, so that customers do not
// contend for the history.
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
		one := use{secret: s, node: u.node, way: u.way}
		if s.kind == operatorSecret {
			one.way = byOperator
		}
		one.call = u.history.now()
		one.status, one.tries = u.send(s)
		one.done = u.history.now()
		sent = append(sent, one)
		if one.status == 0 { // a node that is down must not use up the permits
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}

// send makes one request. It returns the status of the response, 0 without one, and
// the largest number of requests that were sent, because net/http retries a request if
// a reused connection ends.
func (u *customer) send(s *secret) (status, tries int) {
	trace := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { tries++ }})
	r, err := u.request(trace, s)
	if err != nil {
		return 0, 0
	}
	response, err := u.http.Do(r)
	if err != nil {
		return 0, tries
	}
	defer response.Body.Close()
	return u.status(response, s), tries
}
