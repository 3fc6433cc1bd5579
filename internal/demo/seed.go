package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/client"
)

// Password lets every person of the demo sign in.
const Password = "demo password"

// Visit is one run of Seed: where the server is and whom to tell.
type Visit struct {
	API  *client.Client
	Data string    // directory that keeps the demo key's secret between runs
	Log  string    // file that the server logs to
	URL  string    // public URL of the server
	Out  io.Writer // told what to open and what to try
}

// tenant is an account of the demo.
type tenant struct {
	name, email  string        // of the account and of its one member
	plan         toksta.PlanID // of the shipped configuration
	status       toksta.Status // set after the keys, which some would not allow
	entitlements []string      // "name=value"
	keys         []tenantKey   // whose secrets nobody ever sees
	story        string        // what a visitor will find
}

// tenantKey is a key that an account starts with.
type tenantKey struct {
	name   string
	scopes []toksta.Family // none: all of the plan
}

// tenants is one account for each plan and billing state that matters.
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

// Seed makes the demo's accounts, people and keys as an operator would, and
// tells how to try them. What an earlier run made is left as it is.
func Seed(ctx context.Context, v Visit) error {
	var own toksta.AccountID
	for _, t := range tenants() {
		id, err := v.tenant(ctx, t)
		if err != nil {
			return fmt.Errorf("make the demo account %s: %w", t.name, err)
		}
		if own == "" {
			own = id
		}
	}
	secret, err := v.ownSecret(ctx, own)
	if err != nil {
		return fmt.Errorf("make the demo key: %w", err)
	}
	return v.tell(secret)
}

// tenant makes one account, or completes what an earlier run began: every step
// may find its work done. The status comes last: some refuse new keys.
func (v Visit) tenant(ctx context.Context, t tenant) (toksta.AccountID, error) {
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
		case "", toksta.CodeConflict, toksta.CodeForbidden: // made now, or by an earlier run
		default:
			return "", err
		}
	}
	_, err = v.API.SetStatus(ctx, client.SetStatusRequest{AccountRef: ref, Status: t.status})
	return id, err
}

// account makes the account, or finds the one that an earlier run made.
func (v Visit) account(ctx context.Context, t tenant) (toksta.AccountID, error) {
	answer, err := v.API.CreateAccount(ctx, client.CreateAccountRequest{Name: t.name, Plan: t.plan, Token: "demo " + t.name})
	if e, ok := errors.AsType[*toksta.Error](err); ok && e.Code == toksta.CodeConflict {
		if id, ok := e.Details["account_id"].(string); ok {
			return toksta.AccountID(id), nil
		}
	}
	return answer.Account.ID, err
}

// ownSecret returns the secret of the demo's own key, the same on every run:
// here alone a secret is kept in a file, so that the printed lines stay true.
func (v Visit) ownSecret(ctx context.Context, account toksta.AccountID) (string, error) {
	file := filepath.Join(v.Data, "demo-key")
	kept, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	id, secret, _ := strings.Cut(string(kept), " ")
	k, err := v.API.Key(ctx, client.KeyRef{Key: toksta.KeyID(id)})
	if err == nil && k.State == toksta.KeyLive && shows(k.Preview, secret) {
		return secret, nil
	}
	// The first run, or the key was rotated or revoked while trying.
	made, err := v.API.CreateKey(ctx, client.CreateKeyRequest{Account: account, Name: "Production"})
	if err != nil {
		return "", err
	}
	return made.Secret, os.WriteFile(file, []byte(string(made.Key.ID)+" "+made.Secret), 0o600)
}

// shows reports whether preview, "start…end", is of secret: after a rotation the
// kept one is not, though the key lives.
func shows(preview, secret string) bool {
	start, end, _ := strings.Cut(preview, "…")
	return secret != "" && strings.HasPrefix(secret, start) && strings.HasSuffix(secret, end)
}

// tell prints what to open and what to run, ready to paste in the directory that
// the demo was started in.
func (v Visit) tell(secret string) error {
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
