package e2e

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/app/apptest"
	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/operator"
	"github.com/toksta/toksta/sdk/client"
	"github.com/toksta/toksta/sdk/toksta"
)

// harmless lists the routes that change something, but no rights of any key, so that no node
// has to apply anything. Of these only signing in writes to the change log.
var harmless = map[string]string{
	"events/replay": "messages to the vendor", "events/test": "a message to the vendor", "mail/test": "a message to a person",
	"credits/reserve": "exact in the store", "credits/settle": "exact in the store", "credits/refund": "exact in the store",
	"members/end-sessions": "browsers' sessions and their record", "members/reset-factors": "a sign-in, which every node reads from the database",
	"verify": "a decision", "verify/batch": "decisions",
	"POST /signin": "a browser's session and its record", "POST /signin/second-factor": "a browser's session and its record", "POST /signout": "a browser's session",
	"POST /signin/passkey": "a browser's session and its record", "POST /signin/passkey/options": "a challenge",
	"POST /signin/second-factor/passkey": "a browser's session and its record", "POST /signin/second-factor/options": "a challenge",
	"POST /confirm/passkey": "a browser's session", "POST /confirm/options": "a challenge",
	"POST /signin/forgot": "a mail", "POST /signin/link": "a mail", "POST /signin/link/open": "a browser's session and its record", "POST /signin/reset": "a sign-in",
	"POST /signin/with/{provider}": "a challenge", "POST /signin/with/{provider}/logout": "browsers' sessions", "POST /signup/verify": "a new account without keys",
	"POST /account/verify": "the state of an address", "POST /account/verify/send": "a mail", "POST /account/profile/address": "the address of a sign-in",
	"POST /account/notices/mails": "a choice of mails", "POST /account/notices/read": "a mark on a notice", "POST /unsubscribe": "a choice of mails",
	"POST /account/security/authenticator": "a sign-in", "POST /account/security/authenticator/remove": "a sign-in", "POST /account/security/recovery-codes": "a sign-in",
	"POST /account/security/passkeys": "a sign-in", "POST /account/security/passkeys/options": "a challenge", "POST /account/security/passkeys/{id}": "the name of a passkey",
	"POST /account/security/passkeys/{id}/remove": "a sign-in",
	"POST /account/security/providers/link":       "a sign-in", "POST /account/security/providers/unlink": "a sign-in",
	"POST /signin/vendor/enter": "a browser's session and its record",
	"POST /account/switch":      "the account that a session shows",
	"POST /confirm":             "a browser's session", "POST /account/security/sessions/end": "a browser's session",
	"POST /account/security/sessions/end-one": "a browser's session", "sessions/create": "a link; a new member has no key yet",
}

// Guarantee: every route that changes rights returns only once a slow node has applied the
// change. A new route must be added to one of the two tables.
func TestEveryChangeIsEnforced(t *testing.T) {
	t.Parallel()
	n := apptest.Start(t, func(c *config.Config) { c.Signup.Policy = "open" })
	v := newCustomer(t, n)
	changes := v.changes()
	known := map[string]bool{}
	for _, c := range changes {
		known[c.route] = true
	}
	for _, route := range registeredRoutes(t) {
		if !known[route] && harmless[route] == "" {
			t.Errorf("%s: add it to a table of this test", route)
		}
	}
	slow := newSlowNode(t, filepath.Join(n.Data, "toksta.db"))
	for _, c := range changes {
		t.Run(c.route, func(t *testing.T) { slow.checkEnforced(t, c.call) })
	}
}

// registeredRoutes returns the operations of the operator API that change something, and the
// routes of the pages' forms, which it reads from the source.
func registeredRoutes(t *testing.T) (routes []string) {
	t.Helper()
	for _, o := range operator.Operations() {
		if o.Changes {
			routes = append(routes, o.Name)
		}
	}
	return append(routes, formRoutes(t)...)
}

// slowNode is a second node that exists as a row of the database only. It applies changes
// when the test calls apply.
type slowNode struct{ db *sql.DB }

func newSlowNode(t *testing.T, path string) slowNode {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	const join = `INSERT INTO nodes (id, epoch, incarnation, version, applied, lease, keys, seen_at)
		SELECT 'slow', '1', incarnation, '', (SELECT seq FROM clock), 3600000, 0, 0 FROM cluster`
	if _, err := db.ExecContext(t.Context(), join); err != nil {
		t.Fatal(err)
	}
	// Otherwise the node would wait for it at its stop.
	t.Cleanup(func() { _, _ = db.ExecContext(context.Background(), `DELETE FROM nodes WHERE id = 'slow'`) })
	return slowNode{db}
}

func (l slowNode) seq(t *testing.T) (seq int64) {
	t.Helper()
	if err := l.db.QueryRowContext(t.Context(), `SELECT seq FROM clock`).Scan(&seq); err != nil {
		t.Fatal(err)
	}
	return seq
}

func (l slowNode) apply(t *testing.T) {
	t.Helper()
	if _, err := l.db.ExecContext(t.Context(), `UPDATE nodes SET applied = (SELECT seq FROM clock) WHERE id = 'slow'`); err != nil {
		t.Fatal(err)
	}
}

// checkEnforced fails t unless call makes a change and returns only after the slow node
// has applied it.
func (l slowNode) checkEnforced(t *testing.T, call func() error) {
	t.Helper()
	before, done := l.seq(t), make(chan error, 1)
	go func() { done <- call() }()
	timeout := time.After(20 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for l.seq(t) == before {
		select {
		case err := <-done:
			t.Fatalf("returned %v and changed nothing", err)
		case <-timeout:
			t.Fatal("nothing changed")
		case <-tick.C:
		}
	}
	select {
	case err := <-done:
		t.Fatalf("returned %v while a node had not applied the change", err)
	case <-time.After(70 * time.Millisecond):
	}
	l.apply(t)
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-timeout:
		t.Fatal("did not return although every node has applied the change")
	}
}

// customer is an account with keys, a browser of its member, and the operator's client.
type customer struct {
	t       *testing.T
	n       *apptest.Node
	api     *client.Client
	browser *http.Client
	account toksta.AccountID
	keys    []toksta.KeyID
}

// password is the password of the customer's member.
const password = "a long sentence that nobody guesses"

func newCustomer(t *testing.T, n *apptest.Node) *customer {
	t.Helper()
	jar, _ := cookiejar.New(nil)
	v := &customer{
		t: t, n: n, api: client.New(filepath.Join(n.Data, "toksta.sock")),
		browser: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	made, err := v.api.CreateAccount(t.Context(), client.CreateAccountRequest{Name: "Acme", Plan: "API_BUILD", Status: "active"})
	if err != nil {
		t.Fatal(err)
	}
	v.account = made.Account.ID
	for i := range 7 {
		v.keys = append(v.keys, apptest.NewKey(t, v.api, v.account, fmt.Sprint("key ", i)).Key.ID)
	}
	if err := v.addMember("ada@fjordlight.example"); err != nil {
		t.Fatal(err)
	}
	if err := v.post("/signin", "email", "ada@fjordlight.example", "password", password); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v *customer) addMember(email string) error {
	_, err := v.api.AddMember(v.t.Context(), client.AddMemberRequest{
		AccountRef: v.ref(), Email: email, Name: "Ada", Password: password,
	})
	return err
}

func (v *customer) ref() client.AccountRef { return client.AccountRef{Account: v.account} }

func (v *customer) key(i int) client.KeyRef { return client.KeyRef{Key: v.keys[i]} }

// post sends a form of name and value pairs.
func (v *customer) post(path string, pairs ...string) error {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.n.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := v.browser.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 400 || strings.HasPrefix(res.Header.Get("Location"), "/signin") {
		return fmt.Errorf("%s: %d, to %q", path, res.StatusCode, res.Header.Get("Location"))
	}
	return nil
}

// page returns the path of a form of a key's page.
func (v *customer) page(i int, verb string) string {
	return "/account/keys/" + string(v.keys[i]) + "/" + verb
}

// change is a call that changes something.
type change struct {
	route string
	call  func() error
}

// changes returns a call for each route, in an order in which each one has an effect.
func (v *customer) changes() []change {
	ctx := v.t.Context()
	scopes := []toksta.Family{"job"}
	digest := sha256.Sum256([]byte("imported"))
	return slices.Concat(v.vendorData(), v.operatorKeys(), v.closing(), v.people(), v.memberPages(), []change{
		{"accounts/create", func() error {
			_, err := v.api.CreateAccount(ctx, client.CreateAccountRequest{Name: "Other"})
			return err
		}},
		{"accounts/rename", func() error {
			_, err := v.api.RenameAccount(ctx, client.RenameAccountRequest{AccountRef: v.ref(), Name: "Acme & Co"})
			return err
		}},
		{"accounts/invite", func() error {
			_, err := v.api.Invite(ctx, client.InviteRequest{Account: v.account})
			return err
		}},
		{"accounts/add-member", func() error { return v.addMember("grace@fjordlight.example") }},
		{"keys/create", func() error {
			_, err := v.api.CreateKey(ctx, client.CreateKeyRequest{Account: v.account, Name: "new"})
			return err
		}},
		{"keys/rename", func() error {
			_, err := v.api.RenameKey(ctx, client.RenameKeyRequest{KeyRef: v.key(0), Name: "renamed"})
			return err
		}},
		{"keys/set-limits", func() error {
			_, err := v.api.SetKeyLimits(ctx, client.SetLimitsRequest{KeyRef: v.key(0), Scopes: &scopes})
			return err
		}},
		{"keys/rotate", func() error {
			_, err := v.api.RotateKey(ctx, client.RotateKeyRequest{KeyRef: v.key(0)})
			return err
		}},
		{"keys/revoke", func() error {
			_, err := v.api.RevokeKey(ctx, v.key(0))
			return err
		}},
		{"keys/import", func() error {
			_, err := v.api.ImportKeys(ctx, client.ImportRequest{Rows: []client.ImportRow{
				{Digest: hex.EncodeToString(digest[:]), Account: v.account, Name: "imported"},
			}})
			return err
		}},
		{"POST /account/keys", func() error {
			return v.post("/account/keys", "token", rand.Text(), "name", "by page", "scope", "all", "expires", "never")
		}},
		{"POST /account/keys/{id}/edit", func() error { return v.post(v.page(1, "edit"), "name", "by page too") }},
		{"POST /account/keys/{id}/rotate", func() error { return v.post(v.page(2, "rotate"), "token", rand.Text(), "generation", "1") }},
		{"POST /account/keys/{id}/revoke", func() error { return v.post(v.page(2, "revoke"), "name", "key 2") }},
		{"keys/revoke-many", func() error {
			_, err := v.api.RevokeKeys(ctx, client.RevokeManyRequest{Keys: v.keys[3:5]})
			return err
		}},
		{"credits/top-up", func() error {
			_, err := v.api.TopUpCredits(ctx, client.PurchaseRequest{AccountRef: v.ref(), Credits: 100, IdempotencyKey: "bought"})
			return err
		}},
		{"credits/adjust", func() error {
			_, err := v.api.AdjustCredits(ctx, client.PurchaseRequest{
				AccountRef: v.ref(), Credits: -10, Reason: "a test", IdempotencyKey: "given back",
			})
			return err
		}},
		{"accounts/set-entitlement", func() error {
			_, err := v.api.SetEntitlement(ctx, client.SetEntitlementRequest{AccountRef: v.ref(), Name: "api_access_enabled", Value: "false"})
			return err
		}},
		{"accounts/set-status", func() error {
			_, err := v.api.SetStatus(ctx, client.SetStatusRequest{AccountRef: v.ref(), Status: "past_due"})
			return err
		}},
		{"accounts/set-plan", func() error {
			_, err := v.api.SetPlan(ctx, client.SetPlanRequest{AccountRef: v.ref(), Plan: "FREE"})
			return err
		}},
		{"POST /account/profile", func() error {
			return v.post("/account/profile", "name", "Ada L", "email", "ada.l@fjordlight.example", "current", password)
		}},
		{"POST /account/profile/account", func() error { return v.post("/account/profile/account", "account", "Acme Ltd") }},
		{"POST /account/security/password", func() error {
			return v.post("/account/security/password", "current", password, "password", password+" now")
		}},
		{"POST /signup", func() error {
			return v.post("/signup", "name", "Bob", "email", "bob@fjordlight.example", "password", password)
		}},
		{"accounts/set-password", func() error {
			detail, err := v.api.Account(ctx, v.ref())
			if err != nil {
				return err
			}
			return v.api.SetPassword(ctx, client.SetPasswordRequest{Member: detail.Members[0].ID, Password: password + " again"})
		}},
	})
}

// operatorKeys returns calls that change an operator key.
func (v *customer) operatorKeys() []change {
	ctx := v.t.Context()
	var ref client.OperatorKeyRef
	return []change{
		{"operator-keys/create", func() error {
			made, err := v.api.CreateOperatorKey(ctx, client.CreateOperatorKeyRequest{Name: "CI", Roles: []toksta.Role{toksta.RoleRead}})
			ref.Key = made.Key.ID
			return err
		}},
		{"operator-keys/rotate", func() error {
			_, err := v.api.RotateOperatorKey(ctx, client.RotateOperatorKeyRequest{OperatorKeyRef: ref})
			return err
		}},
		{"operator-keys/revoke", func() error {
			_, err := v.api.RevokeOperatorKey(ctx, ref)
			return err
		}},
	}
}

// people returns calls that change a second member and an invitation of the account.
func (v *customer) people() []change {
	ctx := v.t.Context()
	if err := v.addMember("lin@fjordlight.example"); err != nil {
		v.t.Fatal(err)
	}
	member := client.MemberRef{AccountRef: v.ref(), Member: "lin@fjordlight.example"}
	var invited toksta.InvitationID
	var left toksta.MemberID
	return []change{
		{"members/invite", func() error {
			made, err := v.api.InviteMember(ctx, client.InviteMemberRequest{AccountRef: v.ref(), Role: toksta.MemberViewer})
			invited = made.Invitation.ID
			return err
		}},
		{"invitations/revoke", func() error {
			_, err := v.api.RevokeInvitation(ctx, client.InvitationRef{Account: v.account, Invitation: invited})
			return err
		}},
		{"members/set-role", func() error {
			_, err := v.api.SetRole(ctx, client.SetRoleRequest{MemberRef: member, Role: toksta.MemberAdmin})
			return err
		}},
		{"members/disable", func() error {
			_, err := v.api.DisableMember(ctx, client.DisableMemberRequest{Account: v.account, Member: member.Member})
			return err
		}},
		{"members/enable", func() error {
			_, err := v.api.EnableMember(ctx, client.EnableMemberRequest{Account: v.account, Member: member.Member})
			return err
		}},
		{"members/remove", func() error {
			removed, err := v.api.RemoveMember(ctx, client.RemoveMemberRequest{MemberRef: member, Keys: "revoke"})
			left = removed.Member.ID
			return err
		}},
		{"members/erase", func() error {
			_, err := v.api.EraseMember(ctx, client.EraseMemberRequest{PersonRef: client.PersonRef{Member: left}, Confirm: string(left)})
			return err
		}},
	}
}

// closing returns calls that close another account with a key, open it again, and erase a third one.
func (v *customer) closing() []change {
	ctx := v.t.Context()
	account := func(name string) client.AccountRef {
		made, err := v.api.CreateAccount(ctx, client.CreateAccountRequest{Name: name, Plan: "API_BUILD"})
		if err != nil {
			v.t.Fatal(err)
		}
		apptest.NewKey(v.t, v.api, made.Account.ID, "revoked by closing")
		return client.AccountRef{Account: made.Account.ID}
	}
	ref, erased := account("Closing"), account("Erased")
	if _, err := v.api.CloseAccount(ctx, erased); err != nil {
		v.t.Fatal(err)
	}
	return []change{
		{"accounts/erase", func() error {
			_, err := v.api.EraseAccount(ctx, client.EraseAccountRequest{AccountRef: erased, Confirm: string(erased.Account)})
			return err
		}},
		{"accounts/close", func() error {
			_, err := v.api.CloseAccount(ctx, ref)
			return err
		}},
		{"accounts/reopen", func() error {
			_, err := v.api.ReopenAccount(ctx, ref)
			return err
		}},
	}
}

// vendorData returns calls that change the vendor's own ids and metadata.
func (v *customer) vendorData() []change {
	ctx := v.t.Context()
	pairs := client.MetadataChange{Set: map[string]string{"region": "eu"}}
	return []change{
		{"accounts/set-external-id", func() error {
			_, err := v.api.SetAccountExternalID(ctx, client.SetAccountExternalIDRequest{AccountRef: v.ref(), ExternalID: "crm-42"})
			return err
		}},
		{"accounts/set-metadata", func() error {
			_, err := v.api.SetAccountMetadata(ctx, client.SetAccountMetadataRequest{AccountRef: v.ref(), MetadataChange: pairs})
			return err
		}},
		{"keys/set-external-id", func() error {
			_, err := v.api.SetKeyExternalID(ctx, client.SetKeyExternalIDRequest{KeyRef: v.key(0), ExternalID: "device-42"})
			return err
		}},
		{"keys/set-metadata", func() error {
			_, err := v.api.SetKeyMetadata(ctx, client.SetKeyMetadataRequest{KeyRef: v.key(0), MetadataChange: pairs})
			return err
		}},
	}
}
