package keys_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// If a selection contains an unknown id, digest or account, or matches no key, the
// error names it and no key is revoked. After a leak, an empty result would be
// taken for success.
func TestRevokeManyRejectsUnknownKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	leaked := w.create(t, "leaked")
	other := w.account
	other.ID = "acct_2"
	w.put(t, other)
	many := []toksta.KeyID{leaked.Key.ID}
	for i := range 8 {
		many = append(many, toksta.KeyID(fmt.Sprint("key_", i)))
	}
	for name, c := range map[string]struct {
		selection keys.Selection
		code      toksta.Code
		text      string
	}{
		"an unknown id":              {keys.Selection{IDs: many[:2]}, toksta.CodeValidation, `No such key: "key_0". Nothing was revoked`},
		"many unknown ids":           {keys.Selection{IDs: many}, toksta.CodeValidation, "and 3 more of the list"},
		"a line of CSV":              {keys.Selection{IDs: []toksta.KeyID{"id,account,name", leaked.Key.ID}}, toksta.CodeValidation, `"id,account,name"`},
		"a byte-order mark":          {keys.Selection{IDs: []toksta.KeyID{"\ufeff" + leaked.Key.ID}}, toksta.CodeValidation, "\\ufeff"},
		"an unknown digest":          {keys.Selection{Digests: []toksta.Digest{leaked.Key.Current().Digest, sum("x\n")}}, toksta.CodeValidation, "No such key: SHA-256 "},
		"an unknown account":         {keys.Selection{Account: "acct_9"}, toksta.CodeNotFound, "account"},
		"an id of another account":   {keys.Selection{Account: "acct_2", IDs: many[:1]}, toksta.CodeValidation, string(leaked.Key.ID)},
		"a name of a member":         {keys.Selection{CreatedBy: "Ada"}, toksta.CodeValidation, "Give a member's id"},
		"an account without keys":    {keys.Selection{Account: "acct_2"}, toksta.CodeNotFound, "No key meets"},
		"no key that old":            {keys.Selection{Account: "acct_1", CreatedBefore: new(w.now.Add(-time.Hour))}, toksta.CodeNotFound, "No key meets"},
		"an id that is not that old": {keys.Selection{IDs: many[:1], CreatedBefore: new(w.now.Add(-time.Hour))}, toksta.CodeNotFound, "No key meets"},
		"nothing that exists":        {keys.Selection{IDs: many[1:], SkipUnknown: true}, toksta.CodeNotFound, "No key meets"},
	} {
		for _, dry := range []bool{true, false} {
			_, err := w.RevokeMany(t.Context(), operator, keys.RevokeManyRequest{Selection: c.selection, DryRun: dry})
			t.Run(fmt.Sprint(name, ", dry ", dry), func(t *testing.T) { wantError(t, err, c.code, c.text) })
		}
	}
	if k, err := w.Get(t.Context(), "acct_1", leaked.Key.ID); err != nil || !k.RevokedAt.IsZero() {
		t.Errorf("the key that exists was revoked: %+v, %v", k, err)
	}
	out, err := w.RevokeMany(t.Context(), operator, keys.RevokeManyRequest{Selection: keys.Selection{IDs: many, SkipUnknown: true}})
	if err != nil || len(out.Keys) != 1 || out.Unknown != 8 {
		t.Errorf("with SkipUnknown, %d keys were revoked and %d were unknown, %v", len(out.Keys), out.Unknown, err)
	}
}

// CreatedBy is the id of one member, or the operator. A member of the same name,
// and a member with the name "operator", lose no key.
func TestCreatedByIsAnID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.account
	other.ID = "acct_2"
	w.put(t, other)
	people := []toksta.Member{
		{ID: "mem_1", Name: "Ada", Email: "1@example.com"},
		{ID: "mem_2", Name: "Ada", Email: "2@example.com"},
		{ID: "mem_3", Name: "operator", Email: "3@example.com"},
	}
	_, err := w.store.Commit(t.Context(), operator, func(context.Context, store.Reader) (store.Mutation, error) {
		return store.Mutation{Kind: toksta.ChangeMemberCreated, Members: people}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]toksta.KeyID{}
	create := func(by toksta.Actor, account toksta.AccountID) {
		t.Helper()
		c, err := w.Create(t.Context(), by, keys.CreateRequest{Account: account, Name: "k"})
		if err != nil || string(c.Key.CreatedByID) != by.ID {
			t.Fatalf("created by %q, %v", c.Key.CreatedByID, err)
		}
		made[selectorOf(by)] = c.Key.ID
	}
	for i, m := range people {
		create(toksta.Actor{Kind: toksta.ActorMember, ID: string(m.ID), Name: m.Name}, []toksta.AccountID{"acct_1", "acct_2", "acct_2"}[i])
	}
	create(operator, "acct_1")
	for _, by := range []string{"mem_1", "operator", "mem_3"} {
		out, err := w.RevokeMany(t.Context(), operator, keys.RevokeManyRequest{Selection: keys.Selection{CreatedBy: by}})
		if err != nil || len(out.Keys) != 1 || out.Keys[0].ID != made[by] {
			t.Errorf("created by %s: %+v, %v", by, out.Keys, err)
		}
	}
	if k, err := w.Get(t.Context(), "", made["mem_2"]); err != nil || !k.RevokedAt.IsZero() {
		t.Errorf("the namesake's key: %+v, %v", k, err)
	}
}

// selectorOf returns an actor in the form of Selection.CreatedBy.
func selectorOf(by toksta.Actor) string {
	if by.Kind == toksta.ActorMember {
		return by.ID
	}
	return string(by.Kind)
}
