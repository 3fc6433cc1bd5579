package exchange

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/toksta/toksta/sdk/toksta"
)

// charger records the charged credits and the number of ended calls.
type charger struct {
	charged []int64
	ended   int
}

func (l *charger) End(*toksta.Decision) { l.ended++ }

func (l *charger) Charge(_ *toksta.Decision, _ toksta.Call, credits int64) (toksta.Charge, int64) {
	l.charged = append(l.charged, credits)
	return toksta.Charge{Credits: credits}, 0
}

// Guarantee: the credits of each admitted call are charged or released once. A success is
// charged at the cost that the upstream stated; a failure releases the credits.
func TestChargeOrRelease(t *testing.T) {
	t.Parallel()
	stated, free := int64(5), int64(0)
	for name, c := range map[string]struct {
		status int
		cost   *int64
		hold   int64
		want   int64
	}{
		"held":               {200, nil, 2, 2},
		"redirect":           {302, nil, 2, 2},
		"stated":             {201, &stated, 2, 5},
		"stated for free":    {200, &free, 2, 0},
		"client's mistake":   {404, &stated, 2, 0},
		"failure":            {500, nil, 2, 0},
		"switch of protocol": {101, nil, 2, 2},
	} {
		l := &charger{}
		x := &Exchange{Decision: toksta.Decision{Hold: c.hold}, UpstreamCost: c.cost}
		x.CloseHold(200)
		if len(l.charged) != 0 || x.Billable {
			t.Errorf("%s: charged before it was admitted", name)
		}
		x.Admit(l)
		x.CloseHold(c.status)
		x.CloseHold(500)
		x.Abandon()
		if diff := cmp.Diff([]int64{c.want}, l.charged); diff != "" || x.Cost != c.want || !x.Billable {
			t.Errorf("%s: cost %d, billable %v, charged (-want +got)\n%s", name, x.Cost, x.Billable, diff)
		}
	}
}

// poor charges an account that has some credits left.
type poor struct{ left int64 }

func (p poor) End(*toksta.Decision) {}

func (p poor) Charge(_ *toksta.Decision, _ toksta.Call, credits int64) (toksta.Charge, int64) {
	return toksta.Charge{Credits: credits}, max(credits-p.left, 0)
}

// Guarantee: each admitted call ends once.
func TestEndOnce(t *testing.T) {
	t.Parallel()
	l, x := &charger{}, &Exchange{}
	x.End()
	if l.ended != 0 {
		t.Error("ended before it was admitted")
	}
	x.Admit(l)
	x.End()
	x.End()
	if l.ended != 1 {
		t.Errorf("ended %d times, want 1", l.ended)
	}
}

// Guarantee: the log tells operators that an account owes credits of a call.
func TestChargeReportsDebt(t *testing.T) {
	t.Parallel()
	for stated, want := range map[int64]string{10: "", 500: "the call cost 500 credits, 490 more than the account had left; they are charged as purchased credits, see toksta credits verify"} {
		x := &Exchange{Decision: toksta.Decision{Hold: 1}, UpstreamCost: &stated}
		x.Admit(poor{10})
		x.CloseHold(200)
		if x.Cost != stated || (x.Err == nil) != (want == "") || want != "" && x.Err.Error() != want {
			t.Errorf("stated %d: cost %d, error %v", stated, x.Cost, x.Err)
		}
	}
}

// Guarantee: the call of a client that disconnects is charged, because the upstream may
// have done the work.
func TestAbandonCharges(t *testing.T) {
	t.Parallel()
	l := &charger{}
	x := &Exchange{Decision: toksta.Decision{Hold: 2}}
	x.Admit(l)
	x.Abandon()
	if diff := cmp.Diff([]int64{2}, l.charged); diff != "" {
		t.Error(diff)
	}
}

// Guarantee: an id of a client cannot forge another header field or log line, and a trace
// of the client is continued.
func TestIDs(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	parent := "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for name, c := range map[string]struct {
		ids     IDs
		request string // "" makes one
		trace   string // "" makes one
	}{
		"none":               {IDs{}, "", ""},
		"both":               {IDs{Request: []string{"a.b_c-1"}, Trace: []string{"t-1"}}, "a.b_c-1", "t-1"},
		"sent twice":         {IDs{Request: []string{"a", "a"}, Trace: []string{"t", "t"}}, "", ""},
		"unsafe":             {IDs{Request: []string{"a\nb"}, Trace: []string{`t"`}}, "", ""},
		"too long":           {IDs{Request: []string{strings.Repeat("a", 65)}}, "", ""},
		"longest":            {IDs{Request: []string{strings.Repeat("a", 64)}}, strings.Repeat("a", 64), ""},
		"trace context":      {IDs{Traceparent: []string{parent}, Trace: []string{"t"}}, "", parent[3:35]},
		"zero trace context": {IDs{Traceparent: []string{"00-" + strings.Repeat("0", 32) + parent[35:]}, Trace: []string{"t"}}, "", "t"},
		"other version":      {IDs{Traceparent: []string{"01" + parent[2:]}}, "", ""},
		"upper case":         {IDs{Traceparent: []string{strings.ToUpper(parent)}}, "", ""},
	} {
		x := New(c.ids, "api", 0.5, now)
		if c.request != "" && x.RequestID != c.request || c.request == "" && !strings.HasPrefix(x.RequestID, "req_") {
			t.Errorf("%s: request id %q, want %q", name, x.RequestID, c.request)
		}
		if c.trace != "" && x.TraceID != c.trace || len(x.TraceID) == 0 {
			t.Errorf("%s: trace id %q, want %q", name, x.TraceID, c.trace)
		}
		if x.Traceparent != "" && (!isTraceparent(x.Traceparent) || x.Traceparent[3:35] != x.TraceID) {
			t.Errorf("%s: traceparent %q for %q", name, x.Traceparent, x.TraceID)
		}
	}
}

// Guarantee: the back end samples the configured fraction of the traces that start
// here, and a caller's own decision stays.
func TestSampling(t *testing.T) {
	t.Parallel()
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
	sampled := func(ids IDs, sampling float64) (n int) {
		for range 1000 {
			if strings.HasSuffix(New(ids, "api", sampling, time.Time{}).Traceparent, "-01") {
				n++
			}
		}
		return n
	}
	// Half of 1000 is missed by 150 once in 10^21 runs.
	if none, half, all := sampled(IDs{}, 0), sampled(IDs{}, 0.5), sampled(IDs{}, 1); none != 0 || half < 350 || half > 650 || all != 1000 {
		t.Errorf("of 1000 traces %d, %d and %d are sampled", none, half, all)
	}
	if n := sampled(IDs{Traceparent: []string{parent}}, 1); n != 0 {
		t.Errorf("%d traces of a caller became sampled", n)
	}
}

// Guarantee: the record contains the text of an internal error, and no message that may
// contain client input.
func TestFail(t *testing.T) {
	t.Parallel()
	x := FromContext(t.Context())
	x.Fail(&toksta.Error{Code: toksta.CodeForbidden, Reason: toksta.ReasonPlanFree, Message: "sent"})
	want := &Exchange{Code: "FORBIDDEN", Reason: "plan_free"}
	if diff := cmp.Diff(want, x, cmpopts.IgnoreUnexported(Exchange{}), cmpopts.EquateComparable(x.Address)); diff != "" {
		t.Error(diff)
	}
	if x.Fail(io.ErrUnexpectedEOF); x.Err != io.ErrUnexpectedEOF || x.Code != toksta.CodeInternal || x.Reason != "" {
		t.Errorf("%+v", x)
	}
}

// Guarantee: a handler gets the exchange of its request.
func TestContext(t *testing.T) {
	t.Parallel()
	x := &Exchange{}
	if FromContext(NewContext(t.Context(), x)) != x || FromContext(t.Context()) == nil {
		t.Error("the context has another exchange, or none")
	}
}
