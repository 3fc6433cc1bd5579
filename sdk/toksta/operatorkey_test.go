package toksta

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// Guarantee: an operator key has only roles that exist, at least one, and a role other than
// manage allows only the operations for which it is required.
func TestRoles(t *testing.T) {
	t.Parallel()
	for _, bad := range [][]Role{nil, {""}, {"admin"}, {RoleRead, "Manage"}} {
		if got, err := ValidateRoles("roles", bad); err == nil {
			t.Errorf("%v: no error, but %v", bad, got)
		}
	}
	got, err := ValidateRoles("roles", []Role{RoleManage, RoleRead, RoleManage})
	if err != nil || !slices.Equal(got, []Role{RoleRead, RoleManage}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, has := range Roles() {
		g := OperatorGrant{Roles: []Role{has}}
		for _, required := range Roles() {
			if allows := g.Allows(required); allows != (has == required || has == RoleManage) {
				t.Errorf("the role %s allows an operation of %s: %v", has, required, allows)
			}
		}
		if g.Allows() != (has == RoleManage) {
			t.Errorf("the role %s allows an operation without roles: %v", has, g.Allows())
		}
	}
	if (OperatorGrant{}).Allows(Roles()...) {
		t.Error("a key without roles is allowed an operation")
	}
}

// Guarantee: a grant of an operator key ends in the millisecond of its expiry and is bound to
// its networks, also for an address in another form.
func TestOperatorGrant(t *testing.T) {
	t.Parallel()
	end := time.UnixMilli(1_800_000_000_000)
	k := OperatorKey{
		ID: "op_1", Name: "ci", Roles: []Role{RoleRead}, Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("fe80::/10")},
		ExpiresAt: end, Generations: []Generation{{Number: 1, RevokedAt: end}, {Number: 2}},
	}
	grants := k.Grants()
	if len(grants) != 2 || !grants[0].Revoked || grants[1].Revoked || grants[1].Generation != 2 {
		t.Fatalf("%+v", grants)
	}
	if g := grants[1]; g.Expired(end.Add(-time.Millisecond)) || !g.Expired(end) || (OperatorGrant{}).Expired(end) {
		t.Error("the expiry does not count from its millisecond on")
	}
	for address, want := range map[string]bool{"192.0.2.9": true, "::ffff:192.0.2.9": true, "fe80::1%eth0": true, "192.0.3.1": false, "2001:db8::1": false} {
		if got := grants[1].AdmitsAddress(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is admitted: %v", address, got)
		}
	}
	if grants[1].AdmitsAddress(netip.Addr{}) || !(OperatorGrant{}).AdmitsAddress(netip.Addr{}) {
		t.Error("an unknown address is admitted by a key with networks, or not by one without")
	}
	k.RevokedAt = end
	if g := k.Grants()[1]; !g.Revoked || k.State(end.Add(-time.Hour)) != KeyRevoked {
		t.Errorf("after the revocation: %+v", g)
	}
}
