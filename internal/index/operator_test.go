package index

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a revoked secret of an operator key stays revoked, a change of the key reaches the
// next look-up, and no secret is known both as a customer's and as an operator's.
func TestOperatorGrants(t *testing.T) {
	t.Parallel()
	x := New(&toksta.Catalog{})
	if _, ok := x.Operator(digest(1)); ok {
		t.Error("an unknown secret is found")
	}
	g := toksta.OperatorGrant{ID: "op_1", Name: "ci", Roles: []toksta.Role{toksta.RoleRead}, Generation: 1}
	x.PutOperatorGrant(digest(1), g)
	x.PutGrant(digest(2), "acct_1", toksta.Grant{KeyID: "key_1"})
	if _, ok := x.Operator(digest(2)); ok {
		t.Error("the secret of a customer is found as an operator's")
	}
	if _, _, ok := x.Lookup(digest(1)); ok {
		t.Error("the secret of an operator is found as a customer's")
	}
	for _, revoked := range []bool{false, true, true} {
		g.Revoked = revoked
		x.PutOperatorGrant(digest(1), g)
		if got, ok := x.Operator(digest(1)); !ok || cmp.Diff(g, got) != "" {
			t.Fatalf("got %+v, %v, want %+v", got, ok, g)
		}
	}
	g.Revoked = false
	x.PutOperatorGrant(digest(1), g)
	if got, _ := x.Operator(digest(1)); !got.Revoked {
		t.Error("a revoked secret is live again")
	}
	if keys, _ := x.Len(); keys != 1 {
		t.Errorf("%d keys of customers, want 1", keys)
	}
}
