package web

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Rights that are no permissions of a role.
const (
	anybody   toksta.Permission = "anybody"    // also without a session
	anyPerson toksta.Permission = "any person" // with a session
	anyMember toksta.Permission = "any member" // of the account
)

// needs lists the right that each page needs. Add a line for a new page. The pages in isOpen need
// none.
var needs = map[string]toksta.Permission{
	"POST /invitation": anyPerson,

	"GET /confirm":                            anyPerson,
	"POST /confirm":                           anyPerson,
	"GET /account/profile":                    anyPerson,
	"POST /account/profile":                   anyPerson,
	"GET /account/security":                   anyPerson,
	"POST /account/security/password":         anyPerson,
	"POST /account/security/sessions/end":     anyPerson,
	"POST /account/security/sessions/end-one": anyPerson,
	"POST /account/security/providers/link":   anyPerson,
	"POST /account/security/providers/unlink": anyPerson,
	"GET /account/verify":                     anyPerson,
	"POST /account/verify":                    anyPerson,
	"POST /account/verify/send":               anyPerson,
	"GET /account/profile/address":            anyPerson,
	"POST /account/profile/address":           anyPerson,
	"GET /account/switch":                     anyPerson,
	"POST /account/switch":                    anyPerson,
	"POST /account/new":                       anyPerson,

	"POST /confirm/options":                       anyPerson,
	"POST /confirm/passkey":                       anyPerson,
	"GET /account/security/second-factor":         anyPerson,
	"GET /account/security/authenticator":         anyPerson,
	"POST /account/security/authenticator":        anyPerson,
	"GET /account/security/authenticator/remove":  anyPerson,
	"POST /account/security/authenticator/remove": anyPerson,
	"GET /account/security/recovery-codes":        anyPerson,
	"POST /account/security/recovery-codes":       anyPerson,
	"GET /account/security/passkeys/new":          anyPerson,
	"POST /account/security/passkeys":             anyPerson,
	"POST /account/security/passkeys/options":     anyPerson,
	"GET /account/security/passkeys/{id}":         anyPerson,
	"POST /account/security/passkeys/{id}":        anyPerson,
	"POST /account/security/passkeys/{id}/remove": anyPerson,

	"GET /account":                   anyMember,
	"GET /account/plans":             anyMember,
	"GET /account/usage.csv":         anyMember,
	"GET /account/keys/{id}":         anyMember,
	"GET /account/keys/{id}/revoked": anyMember,
	"GET /account/members":           anyMember,
	"GET /account/notices":           anyMember,
	"POST /account/notices/read":     anyMember,
	"POST /account/notices/mails":    anyMember,
	"GET /account/members/{id}":      anyMember,
	"GET /account/leave":             anyMember,
	"POST /account/leave":            anyMember,

	"GET /account/keys/new":          toksta.PermitKeys,
	"POST /account/keys":             toksta.PermitKeys,
	"GET /account/keys/{id}/secret":  toksta.PermitKeys,
	"GET /account/keys/{id}/edit":    toksta.PermitKeys,
	"POST /account/keys/{id}/edit":   toksta.PermitKeys,
	"GET /account/keys/{id}/rotate":  toksta.PermitKeys,
	"POST /account/keys/{id}/rotate": toksta.PermitKeys,
	"GET /account/keys/{id}/revoke":  toksta.PermitKeys,
	"POST /account/keys/{id}/revoke": toksta.PermitKeys,

	"POST /account/profile/account": toksta.PermitAccount,

	"GET /account/activity":                         toksta.PermitMembers,
	"GET /account/members/new":                      toksta.PermitMembers,
	"POST /account/members":                         toksta.PermitMembers,
	"POST /account/members/invitations/{id}/revoke": toksta.PermitMembers,
	"POST /account/members/{id}/role":               toksta.PermitMembers,
	"POST /account/members/{id}/disable":            toksta.PermitMembers,
	"POST /account/members/{id}/enable":             toksta.PermitMembers,
	"GET /account/members/{id}/remove":              toksta.PermitMembers,
	"POST /account/members/{id}/remove":             toksta.PermitMembers,
	"GET /account/members/{id}/removed":             toksta.PermitMembers,

	"GET /account/members/{id}/owner":  toksta.PermitOwners,
	"POST /account/members/{id}/owner": toksta.PermitOwners,
	"GET /account/close":               toksta.PermitOwners,
	"POST /account/close":              toksta.PermitOwners,
}

// neededFor returns the right that the page with a pattern needs, and whether it is known.
func neededFor(pattern string) (needed toksta.Permission, known bool) {
	if isOpen[pattern] != "" {
		return anybody, true
	}
	needed, known = needs[pattern]
	return needed, known
}

// allowed reports whether a role has a right. The role "" stands for a person without an account.
func allowed(role toksta.MemberRole, needed toksta.Permission) bool {
	switch needed {
	case anybody, anyPerson:
		return true
	case anyMember:
		return role != ""
	default:
		return role.Allows(needed)
	}
}

// ids are the values of the wildcards of paths, by their start.
type ids map[string]string

var wildcard = regexp.MustCompile(`\{\w+\}`)

// path returns the path of a pattern with its ids.
func (i ids) path(t *testing.T, pattern string) string {
	t.Helper()
	_, path, _ := strings.Cut(strings.TrimSuffix(pattern, "{$}"), " ")
	return i.page(t, pattern, path)
}

// page returns the path of a page with the ids of a pattern.
func (i ids) page(t *testing.T, pattern, path string) string {
	t.Helper()
	if !strings.Contains(path, "{") {
		return path
	}
	_, of, _ := strings.Cut(pattern, " ")
	best := ""
	for start := range i {
		if strings.HasPrefix(of, start) && len(start) > len(best) {
			best = start
		}
	}
	if best == "" {
		t.Errorf("%s: no id is known for this path", pattern)
	}
	return wildcard.ReplaceAllLiteralString(path, i[best])
}

// team is a world whose account has a member of each role, and a second account, in which none of them
// is a member.
type team struct {
	*world
	own, foreign ids
	other        toksta.AccountID // the second account
}

const subject toksta.MemberID = "mem_subject"

func newTeam(t *testing.T) *team {
	t.Helper()
	w := &team{world: newWorldWith(t, withEverything(t)), other: "acct_other"}
	key := func(id toksta.KeyID, account toksta.AccountID) toksta.Key {
		return toksta.Key{ID: id, AccountID: account, Name: "Key", CreatedByID: subject, Generations: []toksta.Generation{{Number: 1, Digest: sha256.Sum256([]byte(id))}}}
	}
	w.commit(t, store.Mutation{
		Kind: toksta.ChangeAccountCreated, AccountID: w.other, Accounts: []toksta.Account{{ID: w.other, Name: "Other", Plan: "BUILD", Status: toksta.StatusActive}},
		Members:     []toksta.Member{{ID: "mem_other", Name: "Olga", Email: "olga@example.com"}},
		Memberships: []toksta.Membership{{AccountID: w.other, MemberID: "mem_other", Role: toksta.MemberOwner}},
		Keys:        []toksta.Key{key("key_own", w.account), key("key_other", w.other)},
		Passkeys:    []store.Passkey{{ID: "pass_other", MemberID: "mem_other", Name: "Olga's", Credential: []byte{1}, PublicKey: []byte{2}}},
	})
	w.reset(t)
	invite := func(account toksta.AccountID) string {
		out, err := w.Members.Invite(t.Context(), toksta.Actor{Kind: toksta.ActorOperator}, members.InviteRequest{Account: account, Email: "new@example.com", Role: toksta.MemberViewer})
		if err != nil {
			t.Fatal(err)
		}
		return string(out.Invitation.ID)
	}
	w.own = ids{"/demo/mail/": "1", "/account/keys/": "key_own", "/account/members/": string(subject), "/account/members/invitations/": invite(w.account), "/account/security/passkeys/": "pass_own", signin.ProviderPath: "acme"}
	w.foreign = ids{"/demo/mail/": "1", "/account/keys/": "key_other", "/account/members/": "mem_other", "/account/members/invitations/": invite(w.other), "/account/security/passkeys/": "pass_other"}
	return w
}

// patterns returns the patterns of all pages except those in frames, which the same functions
// register with the same guards, for another cookie.
func (w *team) patterns() (out []string) {
	for _, pattern := range w.table.patterns {
		if !strings.Contains(pattern, " /embed") {
			out = append(out, pattern)
		}
	}
	return out
}

// commit writes a mutation as the operator.
func (w *world) commit(t *testing.T, m store.Mutation) {
	t.Helper()
	if _, err := w.store.Commit(t.Context(), toksta.Actor{Kind: toksta.ActorOperator}, func(context.Context, store.Reader) (store.Mutation, error) { return m, nil }); err != nil {
		t.Fatal(err)
	}
}

// reset gives each person their role, and the subject, a viewer, the membership back. The person
// mem_ belongs to no account.
func (w *team) reset(t *testing.T) {
	t.Helper()
	m := store.Mutation{Kind: toksta.ChangeMemberRoleSet}
	for _, role := range toksta.MemberRoles() {
		id := toksta.MemberID("mem_" + role)
		m.Members = append(m.Members, toksta.Member{ID: id, Name: string(role), Email: string(role) + "@example.com"})
		m.Memberships = append(m.Memberships, toksta.Membership{AccountID: w.account, MemberID: id, Role: role})
	}
	m.Members = append(m.Members, toksta.Member{ID: subject, Name: "Subject", Email: "subject@example.com"}, toksta.Member{ID: "mem_", Name: "Nobody", Email: "nobody@example.com"})
	m.Memberships = append(m.Memberships, toksta.Membership{AccountID: w.account, MemberID: subject, Role: toksta.MemberViewer})
	made, err := w.store.ListMemberships(t.Context(), "mem_")
	if err != nil {
		t.Fatal(err)
	}
	for _, own := range made {
		own.RemovedAt = w.Now()
		m.Memberships = append(m.Memberships, own)
	}
	w.commit(t, m)
}

// signInAs gives the browser a new session of a person.
func (w *world) signInAs(t *testing.T, member toksta.MemberID) {
	t.Helper()
	raw := sha256.Sum256([]byte(t.Name() + string(member) + time.Now().String()))
	now, account := w.Now(), w.account
	if _, err := w.store.Role(t.Context(), account, member); err != nil { // no member of the account
		account = ""
	}
	err := w.store.PutSession(t.Context(), store.Session{
		ID: sha256.Sum256(raw[:]), MemberID: member, AccountID: account, Method: "password", CreatedAt: now, ConfirmedAt: now, SeenAt: now, ExpiresAt: now.Add(24 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(u, []*http.Cookie{{Name: w.cookieName(), Value: base64.RawURLEncoding.EncodeToString(raw[:])}})
	w.browser.Jar = jar
}

// request sends a request for a pattern, a form with valid values of all fields of the pages.
func (w *team) request(t *testing.T, pattern string, of ids) response {
	t.Helper()
	method, _, _ := strings.Cut(pattern, " ")
	path := of.path(t, pattern)
	if method == http.MethodGet {
		return w.get(t, path)
	}
	return w.post(t, path, url.Values{
		"name": {"Key"}, "account": {string(w.other)}, "account_id": {string(w.other)}, "member": {"mem_other"}, "member_id": {"mem_other"}, "email": {"hostile@example.com"},
		"role": {"viewer"}, "keys": {"keep"}, "token": {strings.Repeat("T", 26)}, "generation": {"1"}, "scope": {"all"}, "expires": {"never"}, "by": {"link"}, "id": {"mem_other"},
	})
}

// newest returns the newest change, of an account or, without one, of all.
func (w *world) newest(t *testing.T, account toksta.AccountID) toksta.Change {
	t.Helper()
	all, err := w.store.ListChanges(t.Context(), store.ChangeQuery{Account: account, Limit: 1})
	if err != nil || len(all) == 0 {
		t.Fatal(err)
	}
	return all[0]
}

// Guarantee: each page needs the right in the table. A page that a role does not allow responds with
// 403 and the reason, and changes nothing. A page without a line in the table fails the test.
func TestEveryPageChecksTheRole(t *testing.T) {
	t.Parallel()
	w := newTeam(t)
	patterns := w.patterns()
	for pattern := range needs {
		if !slices.Contains(patterns, pattern) {
			t.Errorf("%s: in the table, but no page has this pattern", pattern)
		}
	}
	for _, pattern := range patterns {
		needed, known := neededFor(pattern)
		if !known {
			t.Errorf("%s: not in the table of rights", pattern)
			continue
		}
		for _, role := range append(slices.Clone(toksta.MemberRoles()), "") {
			w.reset(t)
			w.signInAs(t, toksta.MemberID("mem_"+role))
			before := w.newest(t, "").Seq
			got := w.request(t, pattern, w.own)
			switch want := allowed(role, needed); {
			case want && got.StatusCode == http.StatusForbidden:
				t.Errorf("%s as %q: 403, want it to be allowed:\n%.300s", pattern, role, got.body)
			case want:
			case role == "" && !strings.Contains(got.body, "You belong to no account"):
				t.Errorf("%s without an account: %d", pattern, got.StatusCode)
			case role != "" && (got.StatusCode != http.StatusForbidden || !strings.Contains(got.body, "Your role in this account, "+string(role))):
				t.Errorf("%s as %s: %d, want 403 with the reason", pattern, role, got.StatusCode)
			case w.newest(t, "").Seq != before:
				t.Errorf("%s as %q: a change %s", pattern, role, w.newest(t, "").Kind)
			}
		}
	}
}

// Guarantee: with the ids of another account, each page responds 404 and changes nothing in it. Also
// no further field of a form reaches another account.
func TestOtherAccountsDoNotExist(t *testing.T) {
	t.Parallel()
	w := newTeam(t)
	before := w.newest(t, w.other).Seq
	for _, pattern := range w.patterns() {
		w.reset(t)
		w.signInAs(t, "mem_owner")
		if strings.Contains(pattern, "{id}") {
			if got := w.request(t, pattern, w.foreign); got.StatusCode != http.StatusNotFound || strings.Contains(got.body, "Olga") {
				t.Errorf("%s of another account: %d", pattern, got.StatusCode)
			}
		}
		w.request(t, pattern, w.own)
		if c := w.newest(t, w.other); c.Seq != before {
			t.Fatalf("%s changed another account: %+v", pattern, c)
		}
		if role, err := w.store.Role(t.Context(), w.other, "mem_owner"); err == nil {
			t.Fatalf("%s made the person a %s of another account", pattern, role)
		}
	}
}

// Guarantee: an admin does not become an owner, makes none and changes none by the pages.
func TestAdminsDoNotChangeOwners(t *testing.T) {
	t.Parallel()
	w := newTeam(t)
	before := w.newest(t, "").Seq
	w.signInAs(t, "mem_admin")
	for path, form := range map[string]url.Values{
		"/account/members/mem_admin/role":    {"role": {"owner"}},
		"/account/members/mem_subject/role":  {"role": {"owner"}},
		"/account/members/mem_subject/owner": {},
		"/account/members/mem_owner/role":    {"role": {"viewer"}},
		"/account/members/mem_owner/disable": {},
		"/account/members/mem_owner/remove":  {"keys": {"keep"}},
		"/account/members":                   {"email": {"x@example.com"}, "role": {"owner"}, "by": {"link"}},
	} {
		if got := w.post(t, path, form); got.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
	if c := w.newest(t, ""); c.Seq != before {
		t.Errorf("a change: %+v", c)
	}
	w.get(t, "/account/members/mem_owner").shows(t, http.StatusOK, "Only an owner can change an owner")
}
