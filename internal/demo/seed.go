package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// Password is the password of every member of the demo.
const Password = "demo password"

// SeedConfig configures Seed.
type SeedConfig struct {
	API  *client.Client
	Data string    // directory of the demo key's secret, which is kept between runs
	Log  string    // file that the server logs to
	URL  string    // public URL of the server
	Out  io.Writer // receives instructions for trying the demo
}

// tenant is an account of the demo.
type tenant struct {
	name, email  string        // of the account and of its one member
	plan         toksta.PlanID // of the shipped configuration
	status       toksta.Status // set last, because some statuses do not allow new keys
	entitlements []string      // "name=value"
	keys         []tenantKey   // their secrets are not kept
	story        string        // describes the account in the instructions
}

// tenantKey is a key that is created with an account.
type tenantKey struct {
	name   string
	scopes []toksta.Family // none: all of the plan
}

// tenants returns one account for each important plan and billing state.
func tenants() []tenant {
	everything := []tenantKey{{name: "Production"}}
	return []tenant{
		{
			name: "Scale Studio", email: "scale@demo.example", plan: "API_SCALE", status: toksta.StatusActive,
			keys:  []tenantKey{{name: "Dashboard", scopes: []toksta.Family{toksta.FamilyAccount}}},
			story: "API Scale, active: everything works",
		},
		{
			name: "Build Works", email: "build@demo.example", plan: "API_BUILD", status: toksta.StatusPastDue,
			keys: everything, story: "API Build, past due: its keys are refused until it pays",
		},
		{
			name: "Payg Labs", email: "payg@demo.example", plan: "API_PAYG", status: toksta.StatusActive,
			keys: everything, story: "API PAYG without credits: what costs is refused with 402",
		},
		{
			name: "Enterprise Corp", email: "enterprise@demo.example", plan: "API_ENTERPRISE", status: toksta.StatusCanceling,
			keys: everything, story: "API Enterprise, canceling: works until the period ends",
		},
		{
			name: "Pro Agency", email: "pro@demo.example", plan: "PRO", status: toksta.StatusActive,
			entitlements: []string{"api_access_enabled=true", "workspace_endpoints_enabled=true"},
			keys:         everything, story: "Pro with API access and workspace endpoints",
		},
		{
			name: "Starter Shop", email: "starter@demo.example", plan: "STARTER", status: toksta.StatusActive,
			story: "Starter, API access off: no keys",
		},
		{
			name: "Free Friends", email: "free@demo.example", plan: "FREE", status: toksta.StatusActive,
			story: "Free: no API, says what to do",
		},
	}
}

// Seed creates the accounts, members and keys of the demo through the operator API,
// and prints instructions. It does not change the results of an earlier run.
func Seed(ctx context.Context, v SeedConfig) error {
	var own toksta.AccountID
	for _, t := range tenants() {
		id, err := v.tenant(ctx, t)
		if err != nil {
			return fmt.Errorf("create the demo account %s: %w", t.name, err)
		}
		if own == "" {
			own = id
		}
	}
	secret, err := v.ownSecret(ctx, own)
	if err != nil {
		return fmt.Errorf("create the demo key: %w", err)
	}
	return v.printInstructions(secret)
}

// tenant creates one account, or completes the account of an interrupted run. The
// status is set last, because some statuses do not allow new keys.
func (v SeedConfig) tenant(ctx context.Context, t tenant) (toksta.AccountID, error) {
	id, err := v.account(ctx, t)
	if err != nil {
		return "", err
	}
	ref := client.AccountRef{Account: id}
	_, err = v.API.AddMember(ctx, client.AddMemberRequest{AccountRef: ref, Email: t.email, Name: t.name, Password: Password})
	if err != nil && toksta.ErrorCode(err) != toksta.CodeConflict {
		return "", err
	}
	for _, e := range t.entitlements {
		name, value, _ := strings.Cut(e, "=")
		if _, err := v.API.SetEntitlement(ctx, client.SetEntitlementRequest{AccountRef: ref, Name: name, Value: value}); err != nil {
			return "", err
		}
	}
	for _, k := range t.keys {
		_, err := v.API.CreateKey(ctx, client.CreateKeyRequest{Account: id, Name: k.name, Scopes: k.scopes, Token: "demo " + k.name})
		switch toksta.ErrorCode(err) {
		case "", toksta.CodeConflict, toksta.CodeForbidden: // created now, or by an earlier run
		default:
			return "", err
		}
	}
	_, err = v.API.SetStatus(ctx, client.SetStatusRequest{AccountRef: ref, Status: t.status})
	return id, err
}

// account creates the account, or returns the account of an earlier run.
func (v SeedConfig) account(ctx context.Context, t tenant) (toksta.AccountID, error) {
	created, err := v.API.CreateAccount(ctx, client.CreateAccountRequest{Name: t.name, Plan: t.plan, Token: "demo " + t.name})
	if e, ok := errors.AsType[*toksta.Error](err); ok && e.Code == toksta.CodeConflict {
		if id, ok := e.Details["account_id"].(string); ok {
			return toksta.AccountID(id), nil
		}
	}
	return created.Account.ID, err
}

// ownSecret returns the secret of the demo's own key, which is the same in every
// run. Only the demo keeps a secret in a file, so that the printed commands remain
// valid.
func (v SeedConfig) ownSecret(ctx context.Context, account toksta.AccountID) (string, error) {
	file := filepath.Join(v.Data, "demo-key")
	kept, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	id, secret, _ := strings.Cut(string(kept), " ")
	k, err := v.API.Key(ctx, client.KeyRef{Key: toksta.KeyID(id)})
	if err == nil && k.State == toksta.KeyLive && isPreviewOf(k.Preview, secret) {
		return secret, nil
	}
	// This is the first run, or the key was rotated or revoked.
	made, err := v.API.CreateKey(ctx, client.CreateKeyRequest{Account: account, Name: "Production"})
	if err != nil {
		return "", err
	}
	return made.Secret, os.WriteFile(file, []byte(string(made.Key.ID)+" "+made.Secret), 0o600)
}

// isPreviewOf reports whether preview, in the form "start…end", belongs to secret.
// After a rotation the kept secret no longer belongs to the key.
func isPreviewOf(preview, secret string) bool {
	start, end, _ := strings.Cut(preview, "…")
	return secret != "" && strings.HasPrefix(secret, start) && strings.HasSuffix(secret, end)
}

// printInstructions prints the URL and the commands to try, for the directory in
// which the demo was started.
func (v SeedConfig) printInstructions(secret string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\nThe demo is ready. Sign in at %s/account with the password %q as\n\n", v.URL, Password)
	for _, t := range tenants() {
		fmt.Fprintf(&b, "  %-24s %s\n", t.email, t.story)
	}
	auth := fmt.Sprintf(`-H "Authorization: Bearer %s"`, secret)
	fmt.Fprintf(&b, "\nor call the API with a key of Scale Studio (kept in %s, which only a demo does):\n\n", filepath.Join(v.Data, "demo-key"))
	fmt.Fprintf(&b, "  curl -sS %s/v1/account/usage %s\n", v.URL, auth)
	fmt.Fprintf(&b, "  curl -sS %s/v1/creators/search %s -H 'Content-Type: application/json' -d '{\"query\":\"developer tools\"}'\n", v.URL, auth)
	fmt.Fprintf(&b, "  curl -sS %s/v1/campaigns %s   # 403: not in this plan\n\n", v.URL, auth)
	socket := "--socket " + filepath.Join(v.Data, "toksta.sock")
	fmt.Fprintf(&b, "Be the operator, in another terminal:\n\n")
	for _, command := range []string{"keys list", "audit", "doctor"} {
		fmt.Fprintf(&b, "  bin/toksta %-9s %s\n", command, socket)
	}
	fmt.Fprintf(&b, "\nEvery request is one line in %s. Ctrl-C ends the demo; the data stays.\n\n", v.Log)
	_, err := io.WriteString(v.Out, b.String())
	return err
}
