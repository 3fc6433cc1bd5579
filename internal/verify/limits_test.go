package verify

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/meter"
	"github.com/toksta/toksta/sdk/toksta"
)

// limited is an engine whose account has the given limits, and 4 credits.
func limited(m Meter, e toksta.Entitlements) *Engine {
	deps := newDeps(fakeLease(true), m)
	deps.Index.PutAccount(toksta.Account{ID: "acct_1", Plan: "BUILD", Status: "active", Entitlements: e})
	return New(deps)
}

// callsInFlight returns the number of calls of the account in flight.
func (e *Engine) callsInFlight() int { return e.inFlight.Calls("acct_1") }

// Guarantee: a call is rejected by the window that has no room for it, with the reason and the end
// of that window, and uses no call of the others. A call counts as many times as its route's
// weight.
func TestWindowsOfHourAndDay(t *testing.T) {
	t.Parallel()
	m := &memMeter{}
	e := limited(m, toksta.Entitlements{PerMinute: 5, PerHour: 7, PerDay: 9})
	heavy := &toksta.Route{Operation: "getAll", Family: "data", Weight: 3}
	hour, day := now.Truncate(time.Hour).Unix()+3600, now.Truncate(24*time.Hour).Unix()+86400
	minute := func(after time.Duration) int64 { return now.Add(after).Truncate(time.Minute).Unix() + 60 }
	for i, step := range []struct {
		after  time.Duration
		route  *toksta.Route
		reason toksta.Reason
		rate   toksta.RateState
		left   [4]int
	}{
		{0, heavy, "", toksta.RateState{Limit: 5, Remaining: 2, Reset: minute(0)}, [4]int{2, 0, 4, 6}},
		{0, heavy, "rate_limited", toksta.RateState{Limit: 5, Remaining: 2, Reset: minute(0)}, [4]int{2, 0, 4, 6}},
		{0, free, "", toksta.RateState{Limit: 5, Remaining: 1, Reset: minute(0)}, [4]int{1, 0, 3, 5}},
		{time.Minute, heavy, "", toksta.RateState{Limit: 7, Reset: hour, Window: toksta.WindowHour}, [4]int{2, 0, 0, 2}},
		{time.Minute, free, "rate_limited_hourly", toksta.RateState{Limit: 7, Reset: hour, Window: toksta.WindowHour}, [4]int{2, 0, 0, 2}},
		{time.Hour, heavy, "rate_limited_daily", toksta.RateState{Limit: 9, Remaining: 2, Reset: day, Window: toksta.WindowDay}, [4]int{5, 0, 7, 2}},
	} {
		c := call("live", step.route)
		c.Now = now.Add(step.after)
		d := e.Verify(t.Context(), c)
		left := [4]int{}
		for j, s := range d.Rates {
			left[j] = s.Remaining
		}
		if diff := cmp.Diff(step.rate, d.Rate); diff != "" || d.Reason != step.reason || d.Rejected() != (step.reason != "") || left != step.left {
			t.Errorf("call %d: %q, left %v; want %q, %v (-want +got):\n%s", i, d.Reason, left, step.reason, step.left, diff)
		}
		if d.Rejected() && d.Code != toksta.CodeRateLimited {
			t.Errorf("call %d: code %s", i, d.Code)
		}
		if got := m.increments[len(m.increments)-1].Reason; got != step.reason {
			t.Errorf("call %d is counted under %q", i, got)
		}
	}
}

// Guarantee: no more calls than the account's limit are in flight. A call that this limit rejects
// uses no call of a window, and an ended call makes room for another, once.
func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	e := limited(&memMeter{}, toksta.Entitlements{PerMinute: 3, Concurrent: 2})
	verify := func(key string) toksta.Decision { return e.Verify(t.Context(), call(key, free)) }
	first, second := verify("live"), verify("slow")
	if !first.InFlight || !second.InFlight || first.Rejected() || second.Rejected() {
		t.Fatalf("%+v, %+v", first.Rejection, second.Rejection)
	}
	for range 5 {
		d := verify("live")
		if d.Reason != toksta.ReasonConcurrencyLimited || d.Code != toksta.CodeRateLimited || d.InFlight || d.Rate != (toksta.RateState{}) {
			t.Fatalf("a third call: %+v", d)
		}
	}
	e.End(&first)
	e.End(&first)
	third := verify("live")
	if third.Rejected() || third.Rate.Remaining != 0 {
		t.Errorf("after a call has ended: %+v", third)
	}
	if d := verify("live"); d.Reason != toksta.ReasonConcurrencyLimited {
		t.Errorf("an end of one call made room for two: %+v", d.Rejection)
	}
	e.End(&second)
	e.End(&third)
	if n := e.callsInFlight(); n != 0 {
		t.Errorf("%d calls in flight after all have ended", n)
	}
}

// Guarantee: a rejected call, whatever the reason, is not in flight, and neither is a call of an
// account without this limit.
func TestRejectedCallsAreNotInFlight(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		meter  Meter
		limits toksta.Entitlements
		calls  []toksta.Call
		want   toksta.Reason // of the last call
	}{
		"scope":     {&memMeter{}, toksta.Entitlements{Concurrent: 1}, []toksta.Call{call("narrow", free)}, toksta.ReasonScopeInsufficient},
		"revoked":   {&memMeter{}, toksta.Entitlements{Concurrent: 1}, []toksta.Call{call("dead", free)}, toksta.ReasonKeyRevoked},
		"rate":      {&memMeter{}, toksta.Entitlements{PerMinute: 1, Concurrent: 1}, []toksta.Call{call("live", free), call("live", free)}, toksta.ReasonRateLimited},
		"credits":   {&memMeter{}, toksta.Entitlements{PerMinute: 9, Concurrent: 1}, []toksta.Call{call("live", search), call("live", search), call("live", search)}, toksta.ReasonInsufficientCredits},
		"not count": {&memMeter{err: errors.New("disk full")}, toksta.Entitlements{PerMinute: 9, Concurrent: 1}, []toksta.Call{call("live", free)}, toksta.ReasonNotCounted},
		"unlimited": {&memMeter{}, toksta.Entitlements{PerMinute: 9}, []toksta.Call{call("live", free)}, ""},
	} {
		e := limited(c.meter, c.limits)
		var last toksta.Decision
		for _, call := range c.calls {
			e.End(&last)
			last = e.Verify(t.Context(), call)
		}
		if last.Reason != c.want || last.InFlight || e.callsInFlight() != 0 {
			t.Errorf("%s: %q, in flight %v, %d calls", name, last.Reason, last.InFlight, e.callsInFlight())
		}
	}
}

// Guarantee: a decision with every limit allocates no memory.
func TestLimitsAllocateNothing(t *testing.T) {
	m, err := meter.Open(meter.Config{Dir: t.TempDir(), Sink: discardSink{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	e := limited(m, toksta.Entitlements{PerMinute: 1 << 40, PerHour: 1 << 40, PerDay: 1 << 40, Concurrent: 1})
	ctx, c := t.Context(), call("live", free)
	for _, want := range []toksta.Reason{"", toksta.ReasonConcurrencyLimited} {
		var last toksta.Reason
		if n := testing.AllocsPerRun(100, func() {
			d := e.Verify(ctx, c)
			last = d.Reason
			e.End(&d)
		}); n != 0 || last != want {
			t.Errorf("%q, want %q: %v allocations", last, want, n)
		}
		e.Verify(ctx, c) // stays in flight
	}
}
