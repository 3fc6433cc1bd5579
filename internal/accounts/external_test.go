package accounts_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/accounts"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: no two accounts have one external id, and the error names the account that has
// it. A rejected request changes nothing.
func TestExternalID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create := func(r accounts.CreateRequest) (accounts.Changed, error) {
		r.Name = "Acme"
		return w.Create(t.Context(), operator, r)
	}
	first, err := create(accounts.CreateRequest{ExternalID: "cus_1", Metadata: map[string]string{"region": "eu"}})
	if err != nil {
		t.Fatal(err)
	}
	if a, err := w.Get(t.Context(), first.Account.ID); err != nil || a.ExternalID != "cus_1" || a.Metadata["region"] != "eu" {
		t.Fatalf("got %+v, %v", a, err)
	}
	second := w.create(t)
	before := len(w.changes(t))
	_, err = create(accounts.CreateRequest{ExternalID: "cus_1"})
	wantError(t, err, toksta.CodeConflict, `"cus_1" belongs to the account `+string(first.Account.ID))
	_, err = create(accounts.CreateRequest{ExternalID: "acct_1"})
	wantError(t, err, toksta.CodeValidation, "cannot start with")
	_, err = create(accounts.CreateRequest{Metadata: map[string]string{"a": strings.Repeat("x", 501)}})
	wantError(t, err, toksta.CodeValidation, "501 characters")
	set := func(a toksta.Account, external string) error {
		_, err := w.SetExternalID(t.Context(), operator, accounts.ExternalIDRequest{Account: a.ID, ExternalID: external})
		return err
	}
	wantError(t, set(second, "cus_1"), toksta.CodeConflict, string(first.Account.ID))
	wantError(t, set(second, "-x"), toksta.CodeValidation, "starts with a letter")
	wantError(t, set(toksta.Account{ID: "acct_x"}, "cus_2"), toksta.CodeNotFound, "account")
	if len(w.changes(t)) != before {
		t.Error("a rejected request made a change")
	}
	if err := errors.Join(set(first.Account, ""), set(second, "cus_1"), set(second, "cus_1")); err != nil {
		t.Fatal(err)
	}
	changes := w.changes(t)
	if len(changes) != before+2 || changes[0].Kind != toksta.ChangeAccountExternalID || changes[0].AccountID != second.ID || changes[0].Detail["external_id"] != "→ cus_1" {
		t.Errorf("got %+v", changes[0])
	}
	ids, err := w.Resolve(t.Context(), []toksta.AccountID{"cus_1"})
	if err != nil || ids["cus_1"] != second.ID {
		t.Errorf("got %v, %v", ids, err)
	}
}

// Guarantee: another change of an account keeps its external id and metadata.
func TestMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, err := w.Create(t.Context(), operator, accounts.CreateRequest{Name: "Acme", ExternalID: "cus_1"})
	if err != nil {
		t.Fatal(err)
	}
	set := func(c store.MetadataChange) error {
		_, err := w.SetMetadata(t.Context(), operator, accounts.MetadataRequest{Account: a.Account.ID, MetadataChange: c})
		return err
	}
	if err := errors.Join(set(store.MetadataChange{Set: map[string]string{"a": "1", "b": "2"}}), set(store.MetadataChange{Unset: []string{"a"}})); err != nil {
		t.Fatal(err)
	}
	wantError(t, set(store.MetadataChange{Set: map[string]string{"=": "1"}, Replace: true}), toksta.CodeValidation, "symbols")
	if _, err := w.SetPlan(t.Context(), operator, accounts.PlanRequest{Account: a.Account.ID, Plan: "BUILD"}); err != nil {
		t.Fatal(err)
	}
	got, err := w.Get(t.Context(), a.Account.ID)
	if err != nil || got.ExternalID != "cus_1" || !cmp.Equal(got.Metadata, map[string]string{"b": "2"}) || got.Plan != "BUILD" {
		t.Errorf("got %+v, %v", got, err)
	}
}
