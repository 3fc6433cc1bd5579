package rig

import (
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"pgregory.net/rapid"
)

// Guarantee: for every order of calls, responses and lost responses, gate.could
// agrees with a linearizability checker, so that the rig neither misses nor invents
// a violation.
func TestCouldIsLinearizable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var g gate
		at := time.Duration(0)
		later := func(name string) time.Duration {
			at += time.Duration(rapid.IntRange(1, 5).Draw(t, name))
			return at
		}
		for range rapid.IntRange(0, 6).Draw(t, "writes") {
			w := write{open: rapid.Bool().Draw(t, "open")}
			w.call, w.done = later("call"), later("done")
			if rapid.IntRange(0, 3).Draw(t, "lost") == 0 {
				w.done = unknownOutcome
			}
			g.writes = append(g.writes, w)
		}
		s := span{call: time.Duration(rapid.IntRange(0, 60).Draw(t, "sent"))}
		s.done = s.call + time.Duration(rapid.IntRange(1, 20).Draw(t, "took"))
		open, closed := g.could(s)
		if want := linearizable(g, s, true); open != want {
			t.Errorf("open %v, want %v: %+v %+v", open, want, g.writes, s)
		}
		if want := linearizable(g, s, false); closed != want {
			t.Errorf("closed %v, want %v: %+v %+v", closed, want, g.writes, s)
		}
	})
}

// linearizable reports whether a read during s may have seen the gate in the state
// open. Times are doubled so that no two are equal: a write that ends when a read
// starts overlaps the read.
func linearizable(g gate, s span, open bool) bool {
	type access struct{ write, open bool }
	model := porcupine.Model{
		Init: func() any { return false },
		Step: func(state, input, output any) (bool, any) {
			if in := input.(access); in.write {
				return true, in.open
			}
			return output == state, state
		},
	}
	ops := []porcupine.Operation{{ClientId: 0, Input: access{}, Call: 2 * int64(s.call), Return: 2*int64(s.done) + 1, Output: open}}
	for i, w := range g.writes {
		end := int64(unknownOutcome)
		if w.done != unknownOutcome {
			end = 2*int64(w.done) + 1
		}
		ops = append(ops, porcupine.Operation{ClientId: i + 1, Input: access{true, w.open}, Call: 2 * int64(w.call), Return: end})
	}
	return porcupine.CheckOperations(model, ops)
}

// Guarantee: the rig reports every response that breaks a guarantee, and no other.
func TestJudge(t *testing.T) {
	t.Parallel()
	g := &gate{name: "secret", writes: []write{{span{10, 20}, true}, {span{30, 40}, false}, {span{50, 60}, true}, {span{70, unknownOutcome}, false}}}
	for _, c := range []struct {
		span
		status int
		want   string
	}{
		{span{1, 5}, 401, ""},               // before the secret existed
		{span{1, 5}, 204, LateAdmission},    // before the secret existed
		{span{21, 29}, 204, ""},             // in force
		{span{21, 29}, 401, FalseRejection}, // in force
		{span{21, 35}, 401, ""},             // while it was closed
		{span{35, 45}, 204, ""},             // sent before closing returned
		{span{41, 49}, 204, LateAdmission},
		{span{41, 49}, 503, ""},
		{span{41, 49}, 0, ""},
		{span{61, 69}, 403, FalseRejection}, // a call with an unknown outcome takes effect late, never early
		{span{80, 90}, 401, ""},             // it may have taken effect
		{span{80, 90}, 204, ""},             // or not
		{span{41, 49}, 502, LateAdmission},  // the request was forwarded
		{span{21, 29}, 500, UnexpectedResponse},
		{span{21, 29}, 502, UnexpectedResponse}, // although the upstream is healthy
		{span{21, 29}, 429, UnexpectedResponse},
	} {
		u := use{span: c.span, secret: &secret{gates: []*gate{g}}, status: c.status}
		if got := u.judge().Promise; got != c.want {
			t.Errorf("%d in %v: %q, want %q", c.status, c.span, got, c.want)
		}
	}
}

// Guarantee: the rig detects a process whose applied number decreases, but not one
// whose acknowledgement the database lost in a crash.
func TestDecreased(t *testing.T) {
	t.Parallel()
	crash := fault{span: span{10 * time.Second, 11 * time.Second}, kind: databaseCrash, node: allNodes}
	for _, c := range []struct {
		from, to time.Duration
		faults   []fault
		bad      int
	}{
		{9 * time.Second, 12 * time.Second, nil, 1},
		{9 * time.Second, 12 * time.Second, []fault{crash}, 0},
		{8 * time.Second, 9 * time.Second, []fault{crash}, 1},
		{15 * time.Second, 16 * time.Second, []fault{crash}, 1},
		{9 * time.Second, 12 * time.Second, []fault{{span: crash.span, kind: "kill"}}, 1},
	} {
		h := &history{faults: c.faults, states: []nodeState{{c.from, "n 1", 5}, {c.to, "n 2", 1}, {c.to, "n 1", 4}}}
		if got := h.decreased(); len(got) != c.bad {
			t.Errorf("from %v to %v beside %v: %v", c.from, c.to, c.faults, got)
		}
	}
}

// Guarantee: the rig detects a call that waits longer than necessary, relative to
// the speed of this machine, and ignores calls through a faulty node.
func TestSlow(t *testing.T) {
	t.Parallel()
	c := Config{Lease: 990 * time.Millisecond, Slack: 2 * time.Second}
	const calm, most = 300 * time.Millisecond, 1010*time.Millisecond + longestPause + 2*time.Second
	pause := fault{span: span{10 * time.Second, 12 * time.Second}, kind: "pause L", node: 2}
	for _, tt := range []struct {
		node   int
		took   time.Duration
		faults []fault
		bad    int
	}{
		{0, most + calm, []fault{pause}, 0},
		{0, most + calm + 1, []fault{pause}, 1},
		{2, time.Minute, []fault{pause}, 0},
		{0, most, nil, 0},
		{0, most + 1, nil, 1}, // the latency without faults is not known
	} {
		h := &history{faults: tt.faults, calls: []call{
			{span: span{time.Second, time.Second + calm}, narrow: true},
			{span: span{11 * time.Second, 11*time.Second + tt.took}, node: tt.node, narrow: true},
			{span: span{time.Second, time.Minute}}, // widens
		}}
		if got := h.slow(c); len(got) != tt.bad {
			t.Errorf("%v on node %d beside %v: %v", tt.took, tt.node, tt.faults, got)
		}
	}
}

// Guarantee: for each key and hour, the rig detects a response that was not counted
// and a count without a request. It ignores counts that the customers cannot know.
func TestCompareCounts(t *testing.T) {
	t.Parallel()
	hour := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	h := &history{began: hour.Add(-time.Second)}
	k := &secret{key: &key{id: "key_a"}}
	ten := slot{"key_a", hour.Unix() / 3600}
	nine := slot{"key_a", ten.hour - 1}
	at := func(from, to time.Duration, status, node int) use {
		return use{span{from, to}, k, node, status, 1, byGateway}
	}
	h.uses = []use{
		at(100*time.Millisecond, 200*time.Millisecond, 204, 0),
		at(900*time.Millisecond, 1100*time.Millisecond, 204, 0), // in either hour
		at(1200*time.Millisecond, 1300*time.Millisecond, 204, 0),
		at(1200*time.Millisecond, 1300*time.Millisecond, 204, 3), // a twin's
		at(1200*time.Millisecond, 1300*time.Millisecond, 401, 0),
		at(1300*time.Millisecond, 1600*time.Millisecond, 0, 0),
	}
	want := h.bounds(3, 2*time.Second)
	for _, c := range []struct {
		nine, ten int64
		bad       int
	}{
		{1, 1, 0}, {2, 1, 0}, {2, 5, 0}, {0, 1, 1}, {3, 1, 1}, {1, 0, 1}, {1, 6, 1}, {0, 0, 2},
	} {
		if got := compare(want, map[slot]int64{nine: c.nine, ten: c.ten}); len(got) != c.bad {
			t.Errorf("%d and %d counted: %v, want %d", c.nine, c.ten, got, c.bad)
		}
	}
	if got := compare(want, map[slot]int64{nine: 1, ten: 1, {"key_b", ten.hour}: 1}); len(got) != 1 {
		t.Errorf("a key without uses: %v", got)
	}
}
