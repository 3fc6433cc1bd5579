package rig

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// fresh is how soon after a narrowing call returned a use counts as one that
// put the promise to the test.
const fresh = 100 * time.Millisecond

// The promises, by what breaks them.
const (
	LateAdmission   = "admitted on a right that had been taken away"
	FalseRefusal    = "refused while the right stood"
	LeaseOutlived   = "admitted without the database for longer than a lease"
	WentBack        = "a node's applied sequence went back"
	SlowNarrowing   = "a narrowing call outlasted a lease"
	StrangeAnswer   = "an answer that nothing explains"
	SequenceMissing = "a gap in the audit trail"
	Miscounted      = "usage says something else than the customers"
	StayedAway      = "a node did not come back"
)

// Violation is one promise broken once.
type Violation struct {
	Promise string
	At      time.Duration // since the start of the run
	Detail  string
}

// check holds the history against the promises, answer by answer. Each is
// judged by itself: whatever the order in which calls took effect, an answer
// must have been possible at some moment between the request and it. What
// nobody can know counts for the product, so that a violation is one.
func (h *history) check(c Config) []Violation {
	var out []Violation
	cuts := h.cuts()
	// A renewal that was sent before the cut gives a lease that began earlier
	// still, so one lease after the cut nothing may be admitted.
	for _, u := range h.uses {
		if v := u.judge(); v.Promise != "" {
			out = append(out, v)
		}
		if u.admitted() && slices.ContainsFunc(cuts[u.node], func(s span) bool {
			return u.call > s.call+c.Lease && u.done < s.done
		}) {
			out = append(out, Violation{LeaseOutlived, u.call, fmt.Sprintf("node %d", u.node)})
		}
	}
	return append(append(out, h.slow(c)...), h.backward()...)
}

// admitted reports whether the product let the use through. It did, too, when
// it answers that the back end failed.
func (u use) admitted() bool {
	return u.status >= 200 && u.status < 300 || u.status == http.StatusBadGateway || u.status == http.StatusGatewayTimeout
}

// judge says what is wrong with one answer. No answer and 503 never are: a
// node in doubt may always say so. An admission needs every gate open, a
// refusal one that was closed.
func (u use) judge() Violation {
	closed := false
	for _, g := range u.secret.gates {
		mayOpen, mayClosed := g.could(u.span)
		if u.admitted() && !mayOpen {
			return Violation{LateAdmission, u.call, fmt.Sprintf("node %d, %s closed, %v", u.node, g.name, u.behind(g))}
		}
		closed = closed || mayClosed
	}
	switch {
	case u.status >= 200 && u.status < 300, u.status == 0, u.status == http.StatusServiceUnavailable:
	case u.status != http.StatusUnauthorized && u.status != http.StatusForbidden && u.status != http.StatusPaymentRequired:
		return Violation{StrangeAnswer, u.call, fmt.Sprintf("node %d, status %d", u.node, u.status)}
	case !closed:
		return Violation{FalseRefusal, u.call, fmt.Sprintf("node %d, status %d", u.node, u.status)}
	}
	return Violation{}
}

// behind returns how long after the gate's last closing had returned the use
// was sent; negative when there is none.
func (u use) behind(g *gate) time.Duration {
	for _, w := range slices.Backward(g.writes) {
		if !w.open && w.done <= u.call {
			return u.call - w.done
		}
	}
	return -1
}

// testing reports whether the use put the promise to the test.
func (u use) testing() bool {
	return slices.ContainsFunc(u.secret.gates, func(g *gate) bool {
		d := u.behind(g)
		return 0 <= d && d < fresh
	})
}

// cuts returns when each node was cut off from the database.
func (h *history) cuts() map[int][]span {
	out := map[int][]span{}
	for _, f := range h.faults {
		if f.cut {
			out[f.node] = append(out[f.node], f.span)
		}
	}
	return out
}

// recovery is how long a fault may go on to be felt after it was lifted.
const recovery = 3 * time.Second

// quiet reports whether nothing was wrong with the call's own node and the
// database meanwhile.
func (h *history) quiet(c call) bool {
	return !slices.ContainsFunc(h.faults, func(f fault) bool {
		return (f.node == c.node || f.node == allNodes) && f.call < c.done && c.call < f.done+recovery
	})
}

// longestPause is that of a node which waits for others, before it looks again.
const longestPause = 50 * time.Millisecond

// slow finds narrowing calls that took more than the longest wait and, for
// their commits and looks, what a slow one took before anything was broken. What
// is wrong with other nodes is no excuse.
func (h *history) slow(c Config) (out []Violation) {
	bound := c.Lease*101/99 + longestPause + c.Slack + h.whole().P99
	for _, call := range h.calls {
		if took := call.done - call.call; call.narrow && call.err == nil && took > bound && h.quiet(call) {
			out = append(out, Violation{SlowNarrowing, call.call, fmt.Sprintf("%s on node %d: %v", call.kind, call.node, took)})
		}
	}
	return out
}

// whole is what narrowing calls took while nothing was broken. Where somebody
// else breaks things, that is not known.
func (h *history) whole() Latency {
	var took []time.Duration
	for _, call := range h.calls {
		if len(h.faults) > 0 && call.narrow && call.err == nil && h.calm(call.span) {
			took = append(took, call.done-call.call)
		}
	}
	return latency(took)
}

// The faults after which the database may lack its last moments.
const (
	databaseCrash = "database crash"
	failOver      = "fail-over"
)

// backward finds processes whose applied sequence went back. A database that
// came back without its last moments may have lost an ack, which waits for no
// disk.
func (h *history) backward() (out []Violation) {
	last := map[string]glimpse{}
	for _, g := range h.seen {
		before := last[g.epoch]
		if g.applied < before.applied && !h.forgot(before.at, g.at) {
			out = append(out, Violation{WentBack, g.at, fmt.Sprintf("epoch %s: %d after %d", g.epoch, g.applied, before.applied)})
		}
		last[g.epoch] = g
	}
	return out
}

// forgot reports whether the database lost its memory between two moments.
func (h *history) forgot(from, to time.Duration) bool {
	return slices.ContainsFunc(h.faults, func(f fault) bool {
		return (f.kind == databaseCrash || f.kind == failOver) && f.call < to && from < f.done+recovery
	})
}
