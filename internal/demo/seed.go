package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
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
	Call string    // path of the example of a call
	Out  io.Writer // receives instructions for trying the demo
	// Flush writes totals of usage to the store, like the meter of another node. nil: the
	// accounts start without usage.
	Flush func(context.Context, store.UsageBatch) error
}

// tenant is an account of the demo.
type tenant struct {
	name, email  string           // of the account and of its first member
	person       string           // name of the first member; "": that of the account
	second       string           // name of a second member; "": none
	plan         toksta.PlanID    // of the shipped configuration
	status       toksta.Status    // set last, because some statuses do not allow new keys
	entitlements []string         // "name=value"
	keys         []tenantKey      // their secrets are not kept
	habits       map[string]habit // usage before the first start, by name of a key
	story        string           // describes the account in the instructions
}

// tenantKey is a key that is created with an account.
type tenantKey struct {
	name    string
	scopes  []toksta.Family // none: all of the plan
	revoked bool
}

// tenants returns one account for each important plan and billing state.
func tenants() []tenant {
	everything := []tenantKey{{name: "Production"}}
	return []tenant{
		{
			name: "Scale Studio", email: "scale@demo.example", plan: "API_SCALE", status: toksta.StatusActive,
			person: "Mara Lindqvist", second: "Tomás Rey",
			keys: []tenantKey{
				{name: "Dashboard", scopes: []toksta.Family{toksta.FamilyAccount}},
				{name: "Enrichment worker", scopes: []toksta.Family{"data", "job"}},
				{name: "Staging smoke test", revoked: true},
			},
			habits: map[string]habit{
				"Production":         {perDay: 1300, refused: toksta.ReasonRateLimited, share: .35, agent: "python-requests"},
				"Enrichment worker":  {perDay: 480, refused: toksta.ReasonScopeInsufficient, share: .06, agent: "node"},
				"Dashboard":          {perDay: 900, only: toksta.FamilyAccount, agent: "Go-http-client"},
				"Staging smoke test": {perDay: 24, refused: toksta.ReasonKeyRevoked, share: 1, last: 2, agent: "curl"},
			},
			story: "API Scale, active, two members: everything works",
		},
		{
			name: "Build Works", email: "build@demo.example", plan: "API_BUILD", status: toksta.StatusPastDue,
			keys: everything, habits: map[string]habit{"Production": {perDay: 310, refused: toksta.ReasonBillingPastDue, share: 1, last: 3, agent: "okhttp"}},
			story: "API Build, past due: its keys are refused until it pays",
		},
		{
			name: "Payg Labs", email: "payg@demo.example", plan: "API_PAYG", status: toksta.StatusActive,
			keys: everything, habits: map[string]habit{"Production": {perDay: 60, only: "job", agent: "curl"}},
			story: "API PAYG without credits: what costs is refused with 402",
		},
		{
			name: "Enterprise Corp", email: "enterprise@demo.example", plan: "API_ENTERPRISE", status: toksta.StatusCanceling,
			keys: everything, habits: map[string]habit{"Production": {perDay: 5200, refused: toksta.ReasonRateLimited, share: .2, agent: "Go-http-client"}},
			story: "API Enterprise, canceling: works until the period ends",
		},
		{
			name: "Pro Agency", email: "pro@demo.example", plan: "PRO", status: toksta.StatusActive,
			entitlements: []string{"api_access_enabled=true", "workspace_endpoints_enabled=true"},
			keys:         everything, habits: map[string]habit{"Production": {perDay: 140, agent: "axios"}},
			story: "Pro with API access and workspace endpoints",
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
	accounts := map[string]toksta.AccountID{}
	for _, t := range tenants() {
		id, err := v.tenant(ctx, t)
		if err != nil {
			return fmt.Errorf("create the demo account %s: %w", t.name, err)
		}
		if accounts[t.name] = id; own == "" {
			own = id
		}
	}
	secret, err := v.ownSecret(ctx, own)
	if err != nil {
		return fmt.Errorf("create the demo key: %w", err)
	}
	if err := v.histories(ctx, accounts); err != nil {
		return err
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
	if err := v.members(ctx, ref, t); err != nil {
		return "", err
	}
	for _, e := range t.entitlements {
		name, value, _ := strings.Cut(e, "=")
		if _, err := v.API.SetEntitlement(ctx, client.SetEntitlementRequest{AccountRef: ref, Name: name, Value: value}); err != nil {
			return "", err
		}
	}
	for _, k := range t.keys {
		made, err := v.API.CreateKey(ctx, client.CreateKeyRequest{Account: id, Name: k.name, Scopes: k.scopes, Token: "demo " + k.name})
		switch toksta.ErrorCode(err) {
		case "", toksta.CodeConflict, toksta.CodeForbidden: // created now, or by an earlier run
		default:
			return "", err
		}
		if err == nil && k.revoked {
			if _, err := v.API.RevokeKey(ctx, client.KeyRef{Account: id, Key: made.Key.ID}); err != nil {
				return "", err
			}
		}
	}
	_, err = v.API.SetStatus(ctx, client.SetStatusRequest{AccountRef: ref, Status: t.status})
	return id, err
}

// members creates the members of an account, unless an earlier run did.
func (v SeedConfig) members(ctx context.Context, ref client.AccountRef, t tenant) error {
	people := []client.AddMemberRequest{{AccountRef: ref, Email: t.email, Name: cmp.Or(t.person, t.name), Password: Password}}
	if t.second != "" {
		people = append(people, client.AddMemberRequest{AccountRef: ref, Email: "second." + t.email, Name: t.second, Password: Password})
	}
	for _, p := range people {
		if _, err := v.API.AddMember(ctx, p); err != nil && toksta.ErrorCode(err) != toksta.CodeConflict {
			return err
		}
	}
	return nil
}

// account creates the account, or returns the account of an earlier run. Its billing cycle
// began within the history, so that the balance shows a part of it.
func (v SeedConfig) account(ctx context.Context, t tenant) (toksta.AccountID, error) {
	request := client.CreateAccountRequest{Name: t.name, Plan: t.plan, Token: "demo " + t.name}
	if len(t.habits) > 0 {
		request.CycleAnchor = new(time.Now().AddDate(0, 0, -historyDays+9))
	}
	created, err := v.API.CreateAccount(ctx, request)
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
	fmt.Fprintf(&b, "  curl -sS %s%s %s\n", v.URL, v.Call, auth)
	fmt.Fprintf(&b, "  curl -sS %s/v1/creators/search %s -H 'Content-Type: application/json' -d '{\"query\":\"developer tools\"}'\n", v.URL, auth)
	fmt.Fprintf(&b, "  curl -sS %s/v1/campaigns %s   # 403: not in this plan\n\n", v.URL, auth)
	socket := "--socket " + filepath.Join(v.Data, "toksta.sock")
	fmt.Fprintf(&b, "Be the operator, in another terminal:\n\n")
	for _, command := range []string{"keys list", "audit", "doctor"} {
		fmt.Fprintf(&b, "  bin/toksta %-9s %s\n", command, socket)
	}
	fmt.Fprintf(&b, "\nMails are not sent: read them at %s/demo/mail.\n", v.URL)
	fmt.Fprintf(&b, "Every request is one line in %s. Ctrl-C ends the demo; the data stays.\n\n", v.Log)
	_, err := io.WriteString(v.Out, b.String())
	return err
}
