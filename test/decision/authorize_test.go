package decision_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/toksta/toksta/sdk/toksta"
)

var now = time.Date(2026, 5, 20, 10, 0, 0, 0, time.UTC)

// offer has one plan of each kind, and each status of the contract.
func offer() *toksta.Catalog {
	return &toksta.Catalog{
		Families: []toksta.FamilyInfo{{Name: "data"}, {Name: "job"}, {Name: "account"}, {Name: "workspace"}, {Name: "beta"}},
		Plans: []toksta.Plan{
			{ID: "FREE", API: toksta.APINever, Families: []toksta.Family{"data", "job", "account"}},
			{ID: "API", API: toksta.APIAlways, Families: []toksta.Family{"data", "job", "account"}, PerMinute: 30},
			{ID: "SLOW", API: toksta.APIAlways, Families: []toksta.Family{"data", "job", "account"}, PerHour: 100, PerDay: 200, Concurrent: 3},
			{ID: "SAAS", API: toksta.APIEntitled, Families: append(make([]toksta.Family, 0, 8), "data", "job", "account"), Entitled: []toksta.Family{"workspace"}},
		},
		Statuses: map[toksta.Status]toksta.Reason{
			"active": "", "trialing": "", "canceling": "",
			"past_due": toksta.ReasonBillingPastDue, "canceled": toksta.ReasonSubscriptionInactive,
		},
		PerMinute: 60,
	}
}

func flag(b bool) *bool { return &b }

// Guarantee: each rejection of the contract has its code and its reason. If
// several apply, the first in the order of the contract is the result: a caller
// with a revoked key learns nothing about plans or routes.
func TestAuthorize(t *testing.T) {
	t.Parallel()
	api := toksta.Account{Plan: "API", Status: "active"}
	saas := toksta.Account{Plan: "SAAS", Status: "active", Entitlements: toksta.Entitlements{APIAccess: flag(true)}}
	entitled := saas
	entitled.Entitlements.Families = map[toksta.Family]bool{"workspace": true}
	off := api
	off.Entitlements.APIAccess = flag(false)
	due, canceled, odd, free, unknownPlan, notYet := api, api, api, api, api, saas
	due.Status, canceled.Status, odd.Status = "past_due", "canceled", "paused"
	free.Plan, unknownPlan.Plan, notYet.Entitlements = "FREE", "GONE", toksta.Entitlements{}
	freeAndDue := due
	freeAndDue.Plan = "FREE"
	scoped := &toksta.Limits{Scopes: []toksta.Family{"job"}}
	office := &toksta.Limits{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}}
	past, future := now.UnixMilli(), now.UnixMilli()+1

	for _, c := range []struct {
		name    string
		account toksta.Account
		grant   *toksta.Grant
		family  toksta.Family
		addr    string
		want    toksta.Rejection
	}{
		{"admitted", api, &toksta.Grant{}, "data", "", toksta.Rejection{}},
		{"trialing", with(api, "trialing"), &toksta.Grant{}, "data", "", toksta.Rejection{}},
		{"canceling", with(api, "canceling"), &toksta.Grant{}, "data", "", toksta.Rejection{}},
		{"no such key", api, nil, "data", "", toksta.Rejection{Code: "UNAUTHORIZED", Reason: "key_unknown"}},
		{"revoked", api, &toksta.Grant{Revoked: true}, "data", "", toksta.Rejection{Code: "UNAUTHORIZED", Reason: "key_revoked"}},
		{"expired this millisecond", api, &toksta.Grant{ExpiresAt: past}, "data", "", toksta.Rejection{Code: "UNAUTHORIZED", Reason: "key_expired"}},
		{"expires next millisecond", api, &toksta.Grant{ExpiresAt: future}, "data", "", toksta.Rejection{}},
		{"revoked and expired, on a free plan", free, &toksta.Grant{Revoked: true, ExpiresAt: past}, "data", "", toksta.Rejection{Code: "UNAUTHORIZED", Reason: "key_revoked"}},
		{"expired, past due, foreign family", due, &toksta.Grant{ExpiresAt: past}, "workspace", "", toksta.Rejection{Code: "UNAUTHORIZED", Reason: "key_expired"}},
		{"free plan", free, &toksta.Grant{}, "data", "", toksta.Rejection{Code: "FORBIDDEN", Reason: "plan_free"}},
		{"plan that is gone", unknownPlan, &toksta.Grant{}, "data", "", toksta.Rejection{Code: "FORBIDDEN", Reason: "plan_free"}},
		{"free before past due", freeAndDue, &toksta.Grant{}, "data", "", toksta.Rejection{Code: "FORBIDDEN", Reason: "plan_free"}},
		{"past due", due, &toksta.Grant{Limits: scoped}, "data", "", toksta.Rejection{Code: "FORBIDDEN", Reason: "billing_past_due"}},
		{"canceled", canceled, &toksta.Grant{}, "data", "", toksta.Rejection{Code: "FORBIDDEN", Reason: "subscription_inactive"}},
		{"a status that is not configured", odd, &toksta.Grant{}, "data", "", toksta.Rejection{Code: "FORBIDDEN", Reason: "subscription_inactive"}},
		{"switched off", off, &toksta.Grant{}, "data", "", toksta.Rejection{Code: "FORBIDDEN", Reason: "api_access_disabled"}},
		{"not entitled yet", notYet, &toksta.Grant{}, "data", "", toksta.Rejection{Code: "FORBIDDEN", Reason: "api_access_disabled"}},
		{"entitled", saas, &toksta.Grant{}, "data", "", toksta.Rejection{}},
		{"workspace", saas, &toksta.Grant{}, "workspace", "", toksta.Rejection{Code: "FORBIDDEN", Reason: "workspace_not_entitled"}},
		{"workspace entitled", entitled, &toksta.Grant{}, "workspace", "", toksta.Rejection{}},
		{"another family", api, &toksta.Grant{}, "beta", "", toksta.Rejection{Code: "FORBIDDEN", Reason: "beta_not_entitled"}},
		{"entitlement before scope", api, &toksta.Grant{Limits: scoped}, "workspace", "", toksta.Rejection{Code: "FORBIDDEN", Reason: "workspace_not_entitled"}},
		{"scope", api, &toksta.Grant{Limits: scoped}, "data", "", toksta.Rejection{Code: "FORBIDDEN", Reason: "scope_insufficient"}},
		{"in scope", api, &toksta.Grant{Limits: scoped}, "job", "", toksta.Rejection{}},
		{"limits that narrow nothing", api, &toksta.Grant{Limits: &toksta.Limits{PerMinute: 1}}, "job", "", toksta.Rejection{}},
		{"address", api, &toksta.Grant{Limits: office}, "job", "192.0.2.1", toksta.Rejection{Code: "FORBIDDEN", Reason: "address_not_allowed"}},
		{"address unknown", api, &toksta.Grant{Limits: office}, "job", "", toksta.Rejection{Code: "FORBIDDEN", Reason: "address_not_allowed"}},
		{"office", api, &toksta.Grant{Limits: office}, "job", "10.255.0.1", toksta.Rejection{}},
		{"office by IPv6", api, &toksta.Grant{Limits: office}, "job", "2001:db8::1", toksta.Rejection{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			call := &toksta.Call{Route: &toksta.Route{Family: c.family}, Now: now}
			if c.addr != "" {
				call.Addr = netip.MustParseAddr(c.addr)
			}
			got := toksta.Authorize(c.grant, offer().Standing(c.account), call)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.Rejected() != (c.want.Code != "") {
				t.Errorf("Rejected is %v", got.Rejected())
			}
		})
	}
	if got := toksta.Authorize(&toksta.Grant{}, nil, &toksta.Call{Route: &toksta.Route{}}); got.Reason != toksta.ReasonKeyUnknown {
		t.Errorf("a key without an account: %+v", got)
	}
}

func with(a toksta.Account, s toksta.Status) toksta.Account {
	a.Status = s
	return a
}

// situation is a call in the terms of the contract.
type situation struct {
	account toksta.Account
	grant   toksta.Grant
	family  toksta.Family
	addr    netip.Addr
}

// contract is the independent oracle: each sentence of the contract as a rule,
// in order. The first rule that applies is the result.
var contract = []struct {
	code   toksta.Code
	reason func(situation) toksta.Reason
	holds  func(situation) bool
}{
	{"UNAUTHORIZED", always("key_revoked"), func(s situation) bool { return s.grant.Revoked }},
	{"UNAUTHORIZED", always("key_expired"), func(s situation) bool {
		return s.grant.ExpiresAt > 0 && !time.UnixMilli(s.grant.ExpiresAt).After(now)
	}},
	{"FORBIDDEN", always("plan_free"), func(s situation) bool { return s.account.Plan != "API" && s.account.Plan != "SAAS" }},
	{"FORBIDDEN", always("billing_past_due"), func(s situation) bool { return s.account.Status == "past_due" }},
	{"FORBIDDEN", always("subscription_inactive"), func(s situation) bool {
		return !slices.Contains([]toksta.Status{"active", "trialing", "canceling"}, s.account.Status)
	}},
	{"FORBIDDEN", always("api_access_disabled"), func(s situation) bool {
		access := s.account.Entitlements.APIAccess
		return access != nil && !*access || access == nil && s.account.Plan == "SAAS"
	}},
	{"FORBIDDEN", func(s situation) toksta.Reason { return toksta.Reason(string(s.family) + "_not_entitled") }, func(s situation) bool {
		switch s.family {
		case "data", "job", "account":
			return false
		case "workspace":
			return s.account.Plan != "SAAS" || !s.account.Entitlements.Families["workspace"]
		}
		return true
	}},
	{"FORBIDDEN", always("scope_insufficient"), func(s situation) bool {
		if s.grant.Limits == nil || len(s.grant.Limits.Scopes) == 0 {
			return false
		}
		for _, scope := range s.grant.Limits.Scopes {
			if scope == s.family {
				return false
			}
		}
		return true
	}},
	{"FORBIDDEN", always("address_not_allowed"), func(s situation) bool {
		if s.grant.Limits == nil || len(s.grant.Limits.Networks) == 0 {
			return false
		}
		for _, n := range s.grant.Limits.Networks {
			if s.addr.IsValid() && n.Addr().BitLen() == s.addr.BitLen() && netip.PrefixFrom(s.addr, n.Bits()).Masked() == n.Masked() {
				return false
			}
		}
		return true
	}},
}

func always(r toksta.Reason) func(situation) toksta.Reason {
	return func(situation) toksta.Reason { return r }
}

func situations() *rapid.Generator[situation] {
	families := rapid.SampledFrom([]toksta.Family{"data", "job", "account", "workspace", "beta"})
	return rapid.Custom(func(t *rapid.T) situation {
		s := situation{
			account: toksta.Account{
				Plan:   rapid.SampledFrom([]toksta.PlanID{"API", "API", "SAAS", "SAAS", "FREE", "GONE"}).Draw(t, "plan"),
				Status: rapid.SampledFrom([]toksta.Status{"active", "active", "trialing", "canceling", "past_due", "canceled", "paused", ""}).Draw(t, "status"),
				Entitlements: toksta.Entitlements{
					APIAccess: rapid.Ptr(rapid.SampledFrom([]bool{true, true, false}), true).Draw(t, "access"),
					Families:  rapid.MapOfN(families, rapid.Bool(), 0, 3).Draw(t, "entitled"),
				},
			},
			grant: toksta.Grant{
				Revoked:   rapid.IntRange(0, 5).Draw(t, "revoked") == 0,
				ExpiresAt: rapid.SampledFrom([]int64{0, 0, 0, now.UnixMilli() - 1, now.UnixMilli(), now.UnixMilli() + 1}).Draw(t, "expires"),
			},
			family: families.Draw(t, "family"),
			addr:   rapid.SampledFrom([]netip.Addr{{}, netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("11.0.0.1"), netip.MustParseAddr("2001:db8::1")}).Draw(t, "addr"),
		}
		if rapid.Bool().Draw(t, "limited") {
			networks := rapid.SampledFrom([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("11.0.0.1/32"), netip.MustParsePrefix("::/0")})
			s.grant.Limits = &toksta.Limits{
				Scopes:   rapid.SliceOfN(families, 0, 3).Draw(t, "scopes"),
				Networks: rapid.SliceOfN(networks, 0, 2).Draw(t, "networks"),
			}
		}
		return s
	})
}

// Guarantee: in every situation the decision is the contract's.
func TestAuthorizeIsTheContract(t *testing.T) {
	t.Parallel()
	c := offer()
	rapid.Check(t, func(t *rapid.T) {
		s := situations().Draw(t, "situation")
		var want toksta.Rejection
		for _, rule := range contract {
			if rule.holds(s) {
				want = toksta.Rejection{Code: rule.code, Reason: rule.reason(s)}
				break
			}
		}
		call := &toksta.Call{Route: &toksta.Route{Family: s.family}, Addr: s.addr, Now: now}
		if got := toksta.Authorize(&s.grant, c.Standing(s.account), call); got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}
