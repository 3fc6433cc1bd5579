package storetest

import (
	"context"
	"errors"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// externalIDs: two accounts, or two keys, with one external id would let an operator
// change the wrong customer. The ids and metadata must survive other changes of the row.
func externalIDs(t *suite) {
	a, b := t.account("acct_a"), account("acct_b")
	a.ExternalID, a.Metadata = "crm|42", map[string]string{"region": "Ελλάδα", "crm/owner": "o'hara \"x\""}
	a.Seq = t.commit(store.Mutation{Kind: toksta.ChangeAccountExternalID, Accounts: []toksta.Account{a}}).Seq
	got, err := t.s.Account(t.Context(), a.ID)
	t.ok(err)
	is(t, got, a)
	taken := func(m store.Mutation) {
		t.Helper()
		_, err := t.s.Commit(t.Context(), operator, decided(m))
		is(t, errors.Is(err, store.ErrTaken), true)
	}
	b.ExternalID = a.ExternalID
	taken(store.Mutation{Kind: toksta.ChangeAccountCreated, Accounts: []toksta.Account{b}})

	// Accounts and keys have separate external ids. Those of accounts without one do not clash.
	b = t.account("acct_b")
	k, other := key(a.ID, "key_a"), key(b.ID, "key_b")
	k.ExternalID, k.Metadata = a.ExternalID, map[string]string{"env": "prod"}
	k.RevokedAt = now
	k = t.put(k)
	stored, err := t.s.Key(t.Context(), "", k.ID)
	t.ok(err)
	is(t, stored, k)
	other.ExternalID = k.ExternalID
	taken(store.Mutation{Kind: toksta.ChangeKeyCreated, Keys: []toksta.Key{other}})
	other.ExternalID = "CRM|42"
	t.put(other)

	accounts, err := t.s.ResolveAccounts(t.Context(), []toksta.AccountID{"crm|42", "CRM|42", "acct_b", "acct_x", ""})
	t.ok(err)
	is(t, accounts, map[toksta.AccountID]toksta.AccountID{"crm|42": a.ID, "acct_b": b.ID})
	keys, err := t.s.ResolveKeys(t.Context(), []toksta.KeyID{"crm|42", "CRM|42", "key_a", "acct_b"})
	t.ok(err)
	is(t, keys, map[toksta.KeyID]toksta.KeyID{"crm|42": k.ID, "CRM|42": other.ID, "key_a": k.ID})

	// An id that was removed can be given to another row.
	a.ExternalID, a.Metadata = "", nil
	a.Seq = t.commit(store.Mutation{Kind: toksta.ChangeAccountExternalID, Accounts: []toksta.Account{a}}).Seq
	b.ExternalID = "crm|42"
	t.commit(store.Mutation{Kind: toksta.ChangeAccountExternalID, Accounts: []toksta.Account{b}})
	got, err = t.s.Account(t.Context(), a.ID)
	t.ok(err)
	is(t, got, a)
	if _, err := t.s.Commit(t.Context(), operator, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		accounts, err = r.ResolveAccounts(ctx, []toksta.AccountID{"crm|42"})
		return store.Mutation{}, err
	}); err != nil || accounts["crm|42"] != b.ID {
		t.Fatalf("within a change: %v, %v", accounts, err)
	}
}
