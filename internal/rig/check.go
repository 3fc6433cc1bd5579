package rig

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// fresh is the age of a narrowing up to which a use of the secret counts as a test
// of the guarantee.
const fresh = 100 * time.Millisecond

// The kinds of violations, by the text that the report shows.
const (
	LateAdmission        = "admitted after the right was withdrawn"
	FalseRejection       = "rejected while the right was in force"
	AdmittedWithoutLease = "admitted for longer than a lease without the database"
	AppliedDecreased     = "the applied sequence number of a node decreased"
	SlowNarrowing        = "a narrowing call took longer than its bound"
	UnexpectedResponse   = "an unexpected response"
	SequenceMissing      = "a gap in the audit trail"
	Miscounted           = "counted usage does not match the requests sent"
	NodeMissing          = "a node did not become ready again"
)

// Violation is one observed breach of a guarantee.
type Violation struct {
	Promise string
	At      time.Duration // since the start of the run
	Detail  string
}

// check compares every recorded use with the guarantees. Each response is judged by
// itself: for some order of the calls' effects, it must have been possible at some
// moment between the request and the response. Where the outcome of a call is
// unknown, the check assumes the outcome that favours the product, so every reported
// violation is real.
func (h *history) check(c Config) []Violation {
	var out []Violation
	cuts := h.cuts()
	// A renewal sent before the cut yields a lease that started before the cut, so
	// the node may admit nothing once one lease has passed since the cut.
	for _, u := range h.uses {
		if v := u.judge(); v.Promise != "" {
			out = append(out, v)
		}
		if u.admitted() && slices.ContainsFunc(cuts[u.node], func(s span) bool {
			return u.call > s.call+c.Lease && u.done < s.done
		}) {
			out = append(out, Violation{AdmittedWithoutLease, u.call, fmt.Sprintf("node %d", u.node)})
		}
	}
	return append(append(out, h.slow(c)...), h.decreased()...)
}

// admitted reports whether the product forwarded the request. A response that the
// upstream failed is an admission too.
func (u use) admitted() bool {
	return u.status >= 200 && u.status < 300 || u.status == http.StatusBadGateway || u.status == http.StatusGatewayTimeout
}

// judge returns the violation that a response shows, if any. No response and 503 are
// always permitted, because a node without a lease rejects every request. An
// admission requires every gate to be possibly open, a rejection requires one gate
// that was possibly closed.
func (u use) judge() Violation {
	closed := false
	for _, g := range u.secret.gates {
		mayOpen, mayClosed := g.could(u.span)
		if u.admitted() && !mayOpen {
			return Violation{LateAdmission, u.call, fmt.Sprintf("node %d, %s closed, %v", u.node, g.name, u.sinceClosing(g))}
		}
		closed = closed || mayClosed
	}
	switch {
	case u.status >= 200 && u.status < 300, u.status == 0, u.status == http.StatusServiceUnavailable:
	case u.status != http.StatusUnauthorized && u.status != http.StatusForbidden && u.status != http.StatusPaymentRequired:
		return Violation{UnexpectedResponse, u.call, fmt.Sprintf("node %d, status %d", u.node, u.status)}
	case !closed:
		return Violation{FalseRejection, u.call, fmt.Sprintf("node %d, status %d", u.node, u.status)}
	}
	return Violation{}
}

// sinceClosing returns the time between the return of the gate's last closing call
// and the request, or -1 if there was no such call.
func (u use) sinceClosing(g *gate) time.Duration {
	for _, w := range slices.Backward(g.writes) {
		if !w.open && w.done <= u.call {
			return u.call - w.done
		}
	}
	return -1
}

// isTest reports whether the use tested the guarantee.
func (u use) isTest() bool {
	return slices.ContainsFunc(u.secret.gates, func(g *gate) bool {
		d := u.sinceClosing(g)
		return 0 <= d && d < fresh
	})
}

// cuts returns the intervals in which each node was cut off from the database.
func (h *history) cuts() map[int][]span {
	out := map[int][]span{}
	for _, f := range h.faults {
		if f.cut {
			out[f.node] = append(out[f.node], f.span)
		}
	}
	return out
}

// recovery is the time after the end of a fault in which its effects are expected.
const recovery = 3 * time.Second

// isUndisturbed reports whether no fault affected the call's own node or the
// database during the call.
func (h *history) isUndisturbed(c call) bool {
	return !slices.ContainsFunc(h.faults, func(f fault) bool {
		return (f.node == c.node || f.node == allNodes) && f.call < c.done && c.call < f.done+recovery
	})
}

// longestPause is the longest interval between two polls of a node that waits for
// other nodes.
const longestPause = 50 * time.Millisecond

// slow returns the narrowing calls that took longer than their bound: the longest
// wait for a lease, Config.Slack, and the 99th percentile before the first fault,
// which covers commits and polls. Faults of other nodes do not extend the bound.
func (h *history) slow(c Config) (out []Violation) {
	bound := c.Lease*101/99 + longestPause + c.Slack + h.calmLatency().P99
	for _, call := range h.calls {
		if took := call.done - call.call; call.narrow && call.err == nil && took > bound && h.isUndisturbed(call) {
			out = append(out, Violation{SlowNarrowing, call.call, fmt.Sprintf("%s on node %d: %v", call.kind, call.node, took)})
		}
	}
	return out
}

// calmLatency returns the latency of narrowing calls without any fault. It is empty
// for an external cluster, whose faults are not known.
func (h *history) calmLatency() Latency {
	var took []time.Duration
	for _, call := range h.calls {
		if len(h.faults) > 0 && call.narrow && call.err == nil && h.isCalm(call.span) {
			took = append(took, call.done-call.call)
		}
	}
	return latency(took)
}

// The faults after which the database can lack its last commits.
const (
	databaseCrash = "database crash"
	failOver      = "fail-over"
)

// decreased returns the processes whose applied sequence number decreased. After a
// crash or a fail-over the database can have lost an acknowledgement, because the
// database does not flush acknowledgements to disk before it responds.
func (h *history) decreased() (out []Violation) {
	last := map[string]nodeState{}
	for _, g := range h.states {
		before := last[g.epoch]
		if g.applied < before.applied && !h.lostWrites(before.at, g.at) {
			out = append(out, Violation{AppliedDecreased, g.at, fmt.Sprintf("epoch %s: %d after %d", g.epoch, g.applied, before.applied)})
		}
		last[g.epoch] = g
	}
	return out
}

// lostWrites reports whether a fault between two moments could make the database lose
// writes.
func (h *history) lostWrites(from, to time.Duration) bool {
	return slices.ContainsFunc(h.faults, func(f fault) bool {
		return (f.kind == databaseCrash || f.kind == failOver) && f.call < to && from < f.done+recovery
	})
}
