package apptest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// NewAccount creates an account on API_ENTERPRISE whose rate limit no test reaches.
func NewAccount(t testing.TB, api *client.Client, name string) toksta.AccountID {
	t.Helper()
	made, err := api.CreateAccount(t.Context(), client.CreateAccountRequest{Name: name, Plan: "API_ENTERPRISE"})
	if err != nil {
		t.Fatal(err)
	}
	Entitle(t, api, made.Account.ID, "rate_limit_per_minute=1000000")
	return made.Account.ID
}

// Entitle sets an entitlement of an account, given as "name=value".
func Entitle(t testing.TB, api *client.Client, id toksta.AccountID, entitlement string) {
	t.Helper()
	name, value, _ := strings.Cut(entitlement, "=")
	_, err := api.SetEntitlement(t.Context(), client.SetEntitlementRequest{
		AccountRef: client.AccountRef{Account: id}, Name: name, Value: value,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// NewKey creates a key without limits.
func NewKey(t testing.TB, api *client.Client, owner toksta.AccountID, name string) client.SecretResponse {
	t.Helper()
	made, err := api.CreateKey(t.Context(), client.CreateKeyRequest{Account: owner, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// Usage decodes the usage of an account in this month, as the operator API shows it.
func Usage(t testing.TB, api *client.Client, owner toksta.AccountID, into any) {
	t.Helper()
	document, err := api.Usage(t.Context(), client.UsageRequest{AccountRef: client.AccountRef{Account: owner}})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(document, into); err != nil {
		t.Fatal(err)
	}
}
