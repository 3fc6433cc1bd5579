package accounts_test

import (
	"context"
	"testing"

	"github.com/toksta/toksta/internal/accounts"
	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: a person owns the accounts that the person creates, can create ten of them, and on a plan
// with included credits one, also after leaving it: otherwise credits would be free.
func TestCreateOwned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Log = members.Log{Log: w.Log}
	w.Catalog.Plans = append(w.Catalog.Plans, toksta.Plan{ID: "GIFT", API: toksta.APIAlways, IncludedCredits: 100})
	_, err := w.store.Commit(t.Context(), operator, func(context.Context, store.Reader) (store.Mutation, error) {
		return store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{{ID: "mem_a", Email: "a@example.com"}, {ID: "mem_b", Email: "b@example.com"}}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	create := func(owner toksta.MemberID, plan toksta.PlanID) error {
		by := toksta.Actor{Kind: toksta.ActorMember, ID: string(owner)}
		out, err := w.Create(t.Context(), by, accounts.CreateRequest{Name: "Acme", Plan: plan, Owner: owner})
		if err != nil {
			return err
		}
		if role, err := w.store.Role(t.Context(), out.Account.ID, owner); err != nil || role != toksta.MemberOwner {
			t.Errorf("role %q, %v", role, err)
		}
		return nil
	}
	for range 10 {
		if err := create("mem_a", "BUILD"); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, create("mem_a", "BUILD"), toksta.CodeConflict, "further account")
	if err := create("mem_b", "GIFT"); err != nil {
		t.Fatal(err)
	}
	wantError(t, create("mem_b", "GIFT"), toksta.CodeConflict, "further account")
	_, err = w.Create(t.Context(), toksta.Actor{Kind: toksta.ActorMember, ID: "mem_a"}, accounts.CreateRequest{Name: "Acme", Owner: "mem_b"})
	wantError(t, err, toksta.CodeForbidden, "")
	_, err = w.Create(t.Context(), toksta.Actor{Kind: toksta.ActorMember, ID: "mem_b"}, accounts.CreateRequest{Name: "Acme"})
	wantError(t, err, toksta.CodeForbidden, "")
}
