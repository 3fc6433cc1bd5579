package verify

import (
	"crypto/sha256"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/index"
	"github.com/toksta/toksta/internal/meter"
	"github.com/toksta/toksta/internal/ratelimit"
	"github.com/toksta/toksta/sdk/toksta"
)

var now = time.Date(2026, 5, 20, 10, 0, 30, 0, time.UTC)

// fakeLease is a lease with a fixed state.
type fakeLease bool

func (l fakeLease) Valid(time.Time) bool { return bool(l) }

// memMeter is a meter in memory.
type memMeter struct {
	increments []meter.Increment
	err        error
}

func (m *memMeter) Count(e meter.Increment) error {
	if m.err == nil {
		m.increments = append(m.increments, e)
	}
	return m.err
}

var (
	search    = &toksta.Route{Operation: "searchCreators", Family: "data", CostKey: "creator_search", Credits: 2}
	free      = &toksta.Route{Operation: "getCreator", Family: "data"}
	workspace = &toksta.Route{Operation: "listCampaigns", Family: "workspace", NotEntitled: "workspace_not_entitled"}
)

// node is an engine with one account and its keys.
type node struct {
	*Engine
	meter *memMeter
}

func digest(name string) toksta.Digest { return sha256.Sum256([]byte(name)) }

func call(key string, r *toksta.Route) toksta.Call {
	return toksta.Call{Digest: digest(key), Route: r, Now: now, Addr: netip.MustParseAddr("192.0.2.1"), Agent: "test"}
}

// newDeps returns dependencies with an account of 4 credits and 5 calls per minute. Its keys are
// "live", "narrow" (family job only), "slow" (1 call per minute) and "dead" (revoked). The account
// of the key "orphan" is unknown.
func newDeps(l Lease, m Meter) Deps {
	x := index.New(&toksta.Catalog{
		Plans:    []toksta.Plan{{ID: "BUILD", API: toksta.APIAlways, Families: []toksta.Family{"data", "job"}, IncludedCredits: 4}},
		Statuses: map[toksta.Status]toksta.Reason{"active": "", "past_due": toksta.ReasonBillingPastDue},
	})
	x.PutAccount(toksta.Account{ID: "acct_1", Plan: "BUILD", Status: "active", Entitlements: toksta.Entitlements{PerMinute: 5}})
	x.PutAccount(toksta.Account{ID: "acct_due", Plan: "BUILD", Status: "past_due"})
	x.PutGrant(digest("live"), "acct_1", toksta.Grant{KeyID: "key_live"})
	x.PutGrant(digest("narrow"), "acct_1", toksta.Grant{KeyID: "key_narrow", Limits: &toksta.Limits{Scopes: []toksta.Family{"job"}}})
	x.PutGrant(digest("slow"), "acct_1", toksta.Grant{KeyID: "key_slow", Limits: &toksta.Limits{PerMinute: 1}})
	x.PutGrant(digest("dead"), "acct_1", toksta.Grant{KeyID: "key_dead", Revoked: true})
	x.PutGrant(digest("orphan"), "acct_none", toksta.Grant{KeyID: "key_orphan"})
	x.PutGrant(digest("due"), "acct_due", toksta.Grant{KeyID: "key_due"})
	return Deps{Lease: l, Index: x, Limiter: ratelimit.New(), Credits: credits.NewBalances(), Meter: m}
}

func newNode() node {
	m := &memMeter{}
	return node{New(newDeps(fakeLease(true), m)), m}
}

// Guarantee: each call gets the code and reason of the contract, in the order of the contract. As
// soon as its key is known, the decision has the principal, and the call is counted once under the
// reason. Calls of unknown keys are not counted.
func TestVerify(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, key string
		route     *toksta.Route
		want      toksta.Rejection
		principal toksta.Principal
		hold      int64
	}{
		{"admitted", "live", search, toksta.Rejection{}, toksta.Principal{AccountID: "acct_1", KeyID: "key_live", Plan: "BUILD", Scopes: []toksta.Family{"data", "job"}}, 2},
		{"unknown key", "typo", search, toksta.Rejection{Code: toksta.CodeUnauthorized, Reason: toksta.ReasonKeyUnknown}, toksta.Principal{}, 0},
		{"unknown account", "orphan", search, toksta.Rejection{Code: toksta.CodeUnauthorized, Reason: toksta.ReasonKeyUnknown}, toksta.Principal{}, 0},
		{"revoked", "dead", workspace, toksta.Rejection{Code: toksta.CodeUnauthorized, Reason: toksta.ReasonKeyRevoked}, toksta.Principal{AccountID: "acct_1", KeyID: "key_dead", Plan: "BUILD", Scopes: []toksta.Family{"data", "job"}}, 0},
		{"billing", "due", search, toksta.Rejection{Code: toksta.CodeForbidden, Reason: toksta.ReasonBillingPastDue}, toksta.Principal{AccountID: "acct_due", KeyID: "key_due", Plan: "BUILD", Scopes: []toksta.Family{"data", "job"}}, 0},
		{"scope", "narrow", search, toksta.Rejection{Code: toksta.CodeForbidden, Reason: toksta.ReasonScopeInsufficient}, toksta.Principal{AccountID: "acct_1", KeyID: "key_narrow", Plan: "BUILD", Scopes: []toksta.Family{"job"}}, 0},
		{"entitlement before scope", "narrow", workspace, toksta.Rejection{Code: toksta.CodeForbidden, Reason: "workspace_not_entitled"}, toksta.Principal{AccountID: "acct_1", KeyID: "key_narrow", Plan: "BUILD", Scopes: []toksta.Family{"job"}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := newNode()
			d := n.Verify(t.Context(), call(c.key, c.route))
			if diff := cmp.Diff(c.want, d.Rejection); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.principal, d.Principal); diff != "" {
				t.Errorf("principal (-want +got):\n%s", diff)
			}
			if d.Hold != c.hold || d.Route != c.route || (d.Standing == nil) != (c.principal.AccountID == "") {
				t.Errorf("decision %+v", d)
			}
			var want []meter.Increment
			if c.principal.AccountID != "" {
				want = []meter.Increment{{
					AccountID: c.principal.AccountID, KeyID: c.principal.KeyID, Family: c.route.Family,
					CostKey: map[*toksta.Route]string{search: "creator_search", workspace: "listCampaigns"}[c.route], Operation: c.route.Operation,
					Reason: c.want.Reason, Calls: 1, Now: now, Addr: netip.MustParseAddr("192.0.2.1"), Agent: "test",
				}}
			}
			if diff := cmp.Diff(want, n.meter.increments, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("increments (-want +got):\n%s", diff)
			}
		})
	}
}

// Guarantee: without a lease the response is 503, never 401, and no call is counted.
func TestWithoutLease(t *testing.T) {
	t.Parallel()
	m := &memMeter{}
	e := New(newDeps(fakeLease(false), m))
	for _, key := range []string{"live", "typo", "dead"} {
		d := e.Verify(t.Context(), call(key, search))
		if want := (toksta.Rejection{Code: toksta.CodeUnavailable, Reason: toksta.ReasonLeaseExpired}); d.Rejection != want || d.Principal.KeyID != "" || len(m.increments) > 0 {
			t.Errorf("%s: %+v, %d increments", key, d, len(m.increments))
		}
	}
}

// Guarantee: a 401 or 403 uses no call of a window, the limit of the account applies to all its
// keys, and a 429 uses no credits.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	n := newNode()
	for _, key := range []string{"typo", "dead", "narrow"} {
		for range 9 {
			if d := n.Verify(t.Context(), call(key, search)); d.Rate != (toksta.RateState{}) {
				t.Fatalf("%s took from the window: %+v", key, d.Rate)
			}
		}
	}
	end := now.Truncate(time.Minute).Unix() + 60
	for i, step := range []struct {
		key  string
		want toksta.RateState
		code toksta.Code
	}{
		{"live", toksta.RateState{Limit: 5, Remaining: 4, Reset: end}, ""},
		{"slow", toksta.RateState{Limit: 1, Remaining: 0, Reset: end, Key: true}, ""},
		{"slow", toksta.RateState{Limit: 1, Remaining: 0, Reset: end, Key: true}, toksta.CodeRateLimited},
		{"live", toksta.RateState{Limit: 5, Remaining: 2, Reset: end}, ""},
		{"live", toksta.RateState{Limit: 5, Remaining: 1, Reset: end}, ""},
		{"live", toksta.RateState{Limit: 5, Remaining: 0, Reset: end}, ""},
		{"live", toksta.RateState{Limit: 5, Remaining: 0, Reset: end}, toksta.CodeRateLimited},
	} {
		d := n.Verify(t.Context(), call(step.key, free))
		if d.Rate != step.want || d.Code != step.code {
			t.Errorf("call %d: %+v %s, want %+v %s", i, d.Rate, d.Code, step.want, step.code)
		}
	}
	if d := n.Verify(t.Context(), call("live", search)); d.Hold != 0 || d.Reason != toksta.ReasonRateLimited {
		t.Errorf("a rejected call: %+v", d)
	}
	if last := n.meter.increments[len(n.meter.increments)-1]; last.Reason != toksta.ReasonRateLimited || last.Calls != 1 {
		t.Errorf("a 429 is counted as %+v", last)
	}
}

// Guarantee: credits are held for one call at a time, charged once and only for a successful call,
// and a charge does not count as a second call.
func TestCredits(t *testing.T) {
	t.Parallel()
	n := newNode()
	c := call("live", search)
	first, second := n.Verify(t.Context(), c), n.Verify(t.Context(), c)
	third := n.Verify(t.Context(), c)
	if first.Rejected() || second.Rejected() || third.Code != toksta.CodeInsufficientCredits || third.Reason != toksta.ReasonInsufficientCredits {
		t.Fatalf("%v, %v, %v", first.Rejection, second.Rejection, third.Rejection)
	}
	if got, _ := n.Charge(&first, c, 2); got != (toksta.Charge{Credits: 2}) {
		t.Errorf("charged %+v", got)
	}
	n.Charge(&second, c, 0) // its upstream failed
	if got, _ := n.Charge(&third, c, 2); got != (toksta.Charge{}) {
		t.Errorf("a rejected call is charged %+v", got)
	}
	if d := n.Verify(t.Context(), c); d.Rejected() {
		t.Errorf("a call is rejected although credits were released: %v", d.Rejection)
	}
	var calls, charged int64
	for _, e := range n.meter.increments {
		calls += e.Calls
		charged += e.Charge.Credits
		if e.Charge.Credits > 0 && (e.Reason != "" || e.CostKey != "creator_search" || !e.Now.Equal(now)) {
			t.Errorf("charged to another slot than the call: %+v", e)
		}
	}
	if calls != 4 || charged != 2 {
		t.Errorf("%d calls and %d credits are counted, want 4 and 2", calls, charged)
	}
}

// Guarantee: a call that cannot be counted is rejected and its credits are released. Another
// rejection keeps its code.
func TestMeterFailure(t *testing.T) {
	t.Parallel()
	m := &memMeter{err: errors.New("disk full")}
	e := New(newDeps(fakeLease(true), m))
	for range 3 {
		if d := e.Verify(t.Context(), call("live", search)); d.Code != toksta.CodeUnavailable || d.Reason != toksta.ReasonNotCounted || d.Hold != 0 {
			t.Fatalf("%+v", d)
		}
	}
	if d := e.Verify(t.Context(), call("dead", search)); d.Code != toksta.CodeUnauthorized {
		t.Errorf("a revoked key: %+v", d.Rejection)
	}
}
