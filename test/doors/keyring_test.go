package doors

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// keyring holds a key for each kind of caller, by the name that cases use.
type keyring map[string]caller

// caller is a key with the identity that the back end must receive.
type caller struct {
	Secret  string
	Account toksta.AccountID
	Key     toksta.KeyID
	Plan    toksta.PlanID
	Scopes  string
}

// newKeyring creates the keys of one door, each in an account of its own, so that doors do
// not share limits and counts.
func (w *World) newKeyring(t *testing.T) keyring {
	t.Helper()
	m := maker{t, w.Node.Operator()}
	k := keyring{
		"live": m.key("live", "API_ENTERPRISE", nil), "workspace": m.key("workspace", "API_ENTERPRISE", nil),
		"scoped":  m.key("scoped", "API_ENTERPRISE", &client.CreateKeyRequest{Scopes: []toksta.Family{"job"}}),
		"network": m.key("network", "API_ENTERPRISE", &client.CreateKeyRequest{Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}),
		"free":    m.key("free", "API_ENTERPRISE", nil), "past due": m.key("past due", "API_ENTERPRISE", nil),
		"canceled": m.key("canceled", "API_ENTERPRISE", nil), "off": m.key("off", "API_ENTERPRISE", nil),
		"broke": m.key("broke", "API_PAYG", nil), "paid": m.key("paid", "API_PAYG", nil), "slow": m.key("slow", "API_ENTERPRISE", nil),
		"revoked": m.key("revoked", "API_ENTERPRISE", nil), "replaced": m.key("replaced", "API_ENTERPRISE", nil),
		"unknown": {Secret: "tk_live_" + strings.Repeat("0", 48)},
	}
	m.must(m.api.SetPlan(t.Context(), client.SetPlanRequest{AccountRef: k.account("free"), Plan: "FREE"}))
	m.must(m.api.SetStatus(t.Context(), client.SetStatusRequest{AccountRef: k.account("past due"), Status: "past_due"}))
	m.must(m.api.SetStatus(t.Context(), client.SetStatusRequest{AccountRef: k.account("canceled"), Status: "canceled"}))
	apptest.Entitle(t, m.api, k["off"].Account, "api_access_enabled=false")
	apptest.Entitle(t, m.api, k["slow"].Account, "rate_limit_per_minute=1")
	if _, err := m.api.TopUpCredits(t.Context(), client.PurchaseRequest{AccountRef: k.account("paid"), Credits: 5, IdempotencyKey: "paid"}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.api.RevokeKey(t.Context(), client.KeyRef{Key: k["revoked"].Key}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.api.RotateKey(t.Context(), client.RotateKeyRequest{KeyRef: client.KeyRef{Key: k["replaced"].Key}}); err != nil {
		t.Fatal(err)
	}
	k["expired"] = m.expired(k["live"].Account)
	return k
}

func (k keyring) account(name string) client.AccountRef {
	return client.AccountRef{Account: k[name].Account}
}

// maker creates accounts and keys.
type maker struct {
	t   *testing.T
	api *client.Client
}

// must fails the test on an error.
func (m maker) must(_ client.AccountResponse, err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// key creates a key in an account of its own.
func (m maker) key(name string, plan toksta.PlanID, limits *client.CreateKeyRequest) caller {
	m.t.Helper()
	account := apptest.NewAccount(m.t, m.api, name)
	if plan != "API_ENTERPRISE" {
		m.must(m.api.SetPlan(m.t.Context(), client.SetPlanRequest{AccountRef: client.AccountRef{Account: account}, Plan: plan}))
	}
	if limits == nil {
		limits = &client.CreateKeyRequest{}
	}
	limits.Account, limits.Name = account, name
	made, err := m.api.CreateKey(m.t.Context(), *limits)
	if err != nil {
		m.t.Fatal(err)
	}
	scopes := "data,job,account"
	if len(limits.Scopes) > 0 {
		scopes = string(limits.Scopes[0])
	}
	return caller{made.Secret, account, made.Key.ID, plan, scopes}
}

// expired imports a key that has expired.
func (m maker) expired(account toksta.AccountID) caller {
	m.t.Helper()
	var random [24]byte
	_, _ = rand.Read(random[:])
	secret := "tk_live_" + hex.EncodeToString(random[:])
	digest := sha256.Sum256([]byte(secret))
	made, err := m.api.ImportKeys(m.t.Context(), client.ImportRequest{Rows: []client.ImportRow{{
		Digest: hex.EncodeToString(digest[:]), Account: account, Name: "expired", ExpiresAt: new(time.Now().Add(-time.Hour)),
	}}})
	if err != nil || made.Imported != 1 {
		m.t.Fatalf("%+v, %v", made, err)
	}
	return caller{Secret: secret, Account: account}
}
