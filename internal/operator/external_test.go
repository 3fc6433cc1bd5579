package operator

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/toksta/toksta/internal/accounts"
	"github.com/toksta/toksta/internal/keys"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/storetest/sqlitetest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: in every field of a request, the external id of an account or a key stands for
// its id, and the e-mail address of a member for the member's. Other names stay as they
// are, so that the error about them repeats them.
func TestResolve(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t)
	_, err := db.Commit(t.Context(), toksta.Actor{Kind: toksta.ActorOperator}, func(context.Context, store.Reader) (store.Mutation, error) {
		return store.Mutation{
			Kind:     toksta.ChangeAccountCreated,
			Accounts: []toksta.Account{{ID: "acct_1", ExternalID: "crm-1"}},
			Members:  []toksta.Member{{ID: "mem_1", Email: "Ann@acme.example"}},
			Keys: []toksta.Key{{
				ID: "key_1", AccountID: "acct_1", ExternalID: "crm-1", Generations: []toksta.Generation{{Number: 1, Digest: toksta.Digest{1}}},
			}},
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s := server{Config: Config{Accounts: &accounts.Service{Store: db}, Keys: &keys.Service{Store: db}}}
	for _, test := range []struct{ request, want any }{
		{&client.AccountRef{Account: "crm-1"}, &client.AccountRef{Account: "acct_1"}},
		{&client.RenameAccountRequest{AccountRef: client.AccountRef{Account: "crm-1"}, Name: "crm-1"}, &client.RenameAccountRequest{AccountRef: client.AccountRef{Account: "acct_1"}, Name: "crm-1"}},
		{&client.KeyRef{Key: "crm-1"}, &client.KeyRef{Key: "key_1"}},
		{&client.AuditRequest{Account: "crm-1", Key: "crm-1"}, &client.AuditRequest{Account: "acct_1", Key: "key_1"}},
		{&client.RevokeManyRequest{Keys: []toksta.KeyID{"key_2", "crm-1", "crm-2"}}, &client.RevokeManyRequest{Keys: []toksta.KeyID{"key_2", "key_1", "crm-2"}}},
		{
			&client.ImportRequest{Rows: []client.ImportRow{{Account: "crm-1", ExternalID: "crm-1"}, {Account: "crm-2"}, {Account: "CRM-1"}}},
			&client.ImportRequest{Rows: []client.ImportRow{{Account: "acct_1", ExternalID: "crm-1"}, {Account: "crm-2"}, {Account: "CRM-1"}}},
		},
		{&client.SetPasswordRequest{Member: "ann@ACME.example"}, &client.SetPasswordRequest{Member: "mem_1"}},
		{&client.SetPasswordRequest{Member: "bob@acme.example"}, &client.SetPasswordRequest{Member: "bob@acme.example"}},
		{&client.KeyRef{}, &client.KeyRef{}},
		{&struct{}{}, &struct{}{}},
	} {
		if err := s.resolve(t.Context(), test.request); err != nil {
			t.Errorf("%+v: %v", test.want, err)
		}
		if diff := cmp.Diff(test.want, test.request); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
}
