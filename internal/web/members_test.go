package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// postbox keeps the mails to invited people.
type postbox struct{ letters []members.Letter }

// Invite implements [members.Mailer].
func (p *postbox) Invite(_ context.Context, l members.Letter) error {
	p.letters = append(p.letters, l)
	return nil
}

// colleague adds a member with a key to the account.
func (w *world) colleague(t *testing.T, name string, role toksta.MemberRole) toksta.KeyID {
	t.Helper()
	id := toksta.MemberID("mem_" + name)
	key := toksta.Key{ID: toksta.KeyID("key_" + name), AccountID: w.account, Name: "Key of " + name, CreatedByID: id, CreatedBy: name, Generations: []toksta.Generation{{Number: 1, Digest: toksta.Digest{byte(len(name)), name[0]}}}}
	w.commit(t, store.Mutation{
		Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{{ID: id, Name: name, Email: name + "@example.com"}},
		Memberships: []toksta.Membership{{AccountID: w.account, MemberID: id, Role: role, CreatedAt: w.Now()}}, Keys: []toksta.Key{key},
	})
	return key.ID
}

// Guarantee: the person who removes a member decides about the keys that the member made. Without a
// decision nothing is removed. A session of the removed member ends at once, and the history of a
// revoked key names the removal.
func TestRemoveMember(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kept, revoked := w.colleague(t, "bob", toksta.MemberDeveloper), w.colleague(t, "cem", toksta.MemberDeveloper)
	owner := w.browser.Jar
	w.signInAs(t, "mem_bob")
	w.get(t, "/account").shows(t, http.StatusOK, "Acme")
	bobs := w.browser.Jar
	w.browser.Jar = owner

	w.get(t, "/account/members").shows(t, http.StatusOK, "bob@example.com", "1 live key", "3 of 100 members")
	w.get(t, "/account/members/mem_bob/remove").shows(t, http.StatusOK, "Key", "1 live key", "Keep them, and rotate them now")
	w.post(t, "/account/members/mem_bob/remove", url.Values{"keys": {"sell"}}).shows(t, http.StatusUnprocessableEntity, "Choose what happens to the keys")
	w.get(t, "/account/members/mem_bob/removed").shows(t, http.StatusNotFound, "There is nothing here")
	w.post(t, "/account/members/mem_bob/remove", url.Values{"keys": {"rotate"}}).shows(t, http.StatusOK, "bob</bdi> is removed", "still works", "/account/keys/key_bob/rotate")
	w.post(t, "/account/members/mem_cem/remove", url.Values{"keys": {"revoke"}}).shows(t, http.StatusOK, "No key that this person made works")
	if !w.key(t, kept).RevokedAt.IsZero() || w.key(t, revoked).RevokedAt.IsZero() {
		t.Errorf("kept: %+v, revoked: %+v", w.key(t, kept), w.key(t, revoked))
	}
	w.get(t, "/account/keys/key_cem").shows(t, http.StatusOK, "Revoked with the removal of a member")
	w.get(t, "/account/keys/key_cem/revoked").shows(t, http.StatusOK, "is revoked")
	w.get(t, "/account/members/mem_bob").shows(t, http.StatusNotFound, "There is nothing here")

	w.browser.Jar = bobs
	if page := w.get(t, "/account"); !strings.HasPrefix(page.path, "/signin") {
		t.Errorf("the session of the removed member shows %s", page.path)
	}
}

// Guarantee: a member who is removed while the form of another page is open changes nothing, and gets
// no error page of the server.
func TestRemovedDuringForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.colleague(t, "bob", toksta.MemberAdmin)
	w.colleague(t, "cem", toksta.MemberViewer)
	w.signInAs(t, "mem_bob")
	if _, err := w.Members.SetRole(t.Context(), w.actor(), members.RoleRequest{Ref: members.Ref{Account: w.account, Member: "mem_bob"}, Role: toksta.MemberViewer}); err != nil {
		t.Fatal(err)
	}
	before := w.newest(t, "").Seq
	w.post(t, "/account/members/mem_cem/role", url.Values{"role": {"admin"}}).shows(t, http.StatusForbidden, "Your role in this account, viewer")
	if c := w.newest(t, ""); c.Seq != before {
		t.Errorf("a change: %+v", c)
	}
}

// Guarantee: a person who gives up their own rights finds a page that fits the rights that are left. The
// last owner is told before pressing a button that this is impossible, and sees the way out.
func TestOwnRights(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.colleague(t, "bob", toksta.MemberViewer)
	own := "/account/members/" + string(w.owner)
	w.post(t, own+"/role", url.Values{"role": {"viewer"}}).shows(t, http.StatusUnprocessableEntity, "no owner who can sign in")
	w.post(t, own+"/remove", url.Values{"keys": {"keep"}}).shows(t, http.StatusUnprocessableEntity, "Leave the account instead")
	w.post(t, own+"/disable", nil).shows(t, http.StatusUnprocessableEntity, "Leave the account instead")
	w.post(t, "/account/leave", nil).shows(t, http.StatusUnprocessableEntity, "no owner who can sign in")
	for _, path := range []string{"/account/members", own, "/account/leave"} {
		page := w.get(t, path)
		page.shows(t, http.StatusOK, "You are the only owner")
		if strings.Contains(page.body, `"/account/leave"`) {
			t.Errorf("%s offers the last owner to leave", path)
		}
	}
	w.post(t, "/account/members/mem_bob/owner", nil).shows(t, http.StatusOK, "The ownership is handed over")
	w.post(t, own+"/role", url.Values{"role": {"viewer"}}).shows(t, http.StatusOK, "does not allow you to manage members")
	if left := w.post(t, "/account/leave", nil); !strings.HasPrefix(left.path, "/signin") {
		t.Errorf("a person without an account has the session of %s", left.path)
	}
	w.signInAs(t, w.owner)
	for _, path := range []string{"/account", "/account/members", "/account/keys/new"} {
		w.get(t, path).shows(t, http.StatusOK, "You belong to no account")
	}
	w.get(t, "/account/security").shows(t, http.StatusOK, "Sign out")
	w.get(t, "/account/switch").shows(t, http.StatusOK, "You belong to no account", "Create account")
	w.post(t, "/account/new", url.Values{"name": {"Fresh"}}).shows(t, http.StatusOK, "Fresh")
}

// Guarantee: a person switches only to own accounts, and the pages show the account of the session.
func TestSwitchAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commit(t, store.Mutation{
		Kind: toksta.ChangeAccountCreated, Accounts: []toksta.Account{{ID: "acct_second", Name: "Second", Plan: "BUILD"}, {ID: "acct_other", Name: "Other", Plan: "BUILD"}},
		Memberships: []toksta.Membership{{AccountID: "acct_second", MemberID: w.owner, Role: toksta.MemberViewer}},
	})
	w.get(t, "/account/switch").shows(t, http.StatusOK, "Second", "Acme", "Shown now")
	w.post(t, "/account/switch", url.Values{"account": {"acct_second"}}).shows(t, http.StatusOK, "acct_second")
	w.get(t, "/account").shows(t, http.StatusOK, "acct_second", "Your role in this account, viewer")
	w.post(t, "/account/switch", url.Values{"account": {"acct_other"}}).shows(t, http.StatusNotFound, "There is nothing here")
	w.get(t, "/account").shows(t, http.StatusOK, "acct_second")
	w.post(t, "/account/leave", nil).shows(t, http.StatusOK, "Your accounts", "Acme")
	w.get(t, "/account").shows(t, http.StatusOK, string(w.account))
}

// Guarantee: a form of a page of one account changes nothing in another account, to which the person
// switched in another tab.
func TestFormOfAnotherAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.colleague(t, "bob", toksta.MemberViewer)
	w.commit(t, store.Mutation{
		Kind: toksta.ChangeAccountCreated, Accounts: []toksta.Account{{ID: "acct_second", Name: "Second", Plan: "BUILD"}},
		Memberships: []toksta.Membership{
			{AccountID: "acct_second", MemberID: w.owner, Role: toksta.MemberOwner}, {AccountID: "acct_second", MemberID: "mem_bob", Role: toksta.MemberViewer},
		},
	})
	newKey, invite, bob := w.get(t, "/account/keys/new").fields(), w.get(t, "/account/members/new").fields(), w.get(t, "/account/members/mem_bob").fields()
	newKey.Set("name", "In the first account")
	invite.Set("email", "eve@example.com")
	bob.Set("role", "admin")
	w.post(t, "/account/switch", url.Values{"account": {"acct_second"}}).shows(t, http.StatusOK, "acct_second")
	before := w.newest(t, "").Seq
	for path, form := range map[string]url.Values{"/account/keys": newKey, "/account/members": invite, "/account/members/mem_bob/role": bob} {
		w.post(t, path, form).shows(t, http.StatusConflict, "a page of another account", "Second")
	}
	if c := w.newest(t, ""); c.Seq != before {
		t.Errorf("a change: %+v", c)
	}
	w.post(t, "/account/switch", url.Values{"account": {string(w.account)}})
	w.post(t, "/account/members/mem_bob/role", bob).shows(t, http.StatusOK, "The role is changed")
}

// Guarantee: the overview leaves out the ways to things that the role does not allow.
func TestOverviewOfRoles(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, func(c *Config) {
		c.Brand.BillingURL, c.Brand.CreditsURL = "https://billing.example", "https://credits.example"
	})
	for role, want := range map[toksta.MemberRole]map[string]bool{
		toksta.MemberAdmin:     {"https://billing.example": true, "https://credits.example": true, "/keys/new": true},
		toksta.MemberDeveloper: {"https://billing.example": false, "https://credits.example": false, "/keys/key_developer/rotate": true},
		toksta.MemberBilling:   {"https://billing.example": true, "https://credits.example": true, "/keys/new": false, "/keys/key_developer/rotate": false},
		toksta.MemberViewer:    {"https://billing.example": false, "/keys/new": false, "/members/new": false},
	} {
		w.colleague(t, string(role), role)
		w.signInAs(t, toksta.MemberID("mem_"+role))
		body := w.get(t, "/account").body + w.get(t, "/account/members").body
		for text, shown := range want {
			if strings.Contains(body, text) != shown {
				t.Errorf("%s: %s is shown: %t", role, text, !shown)
			}
		}
	}
}

// Guarantee: an account closes only after its name is typed, with its keys, and stays readable.
func TestCloseAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.create(t, "CRM").ID
	w.post(t, "/account/close", url.Values{"name": {"acme"}}).shows(t, http.StatusUnprocessableEntity, "Nothing was closed")
	w.post(t, "/account/close", url.Values{"name": {"Acme"}}).shows(t, http.StatusOK, "Acme")
	if w.key(t, key).RevokedAt.IsZero() {
		t.Error("the key is live")
	}
	w.get(t, "/account/keys/"+string(key)).shows(t, http.StatusOK, "Revoked with the account")
	for _, path := range []string{"/account/keys", "/account/members", "/account/profile/account"} {
		got := w.post(t, path, url.Values{"name": {"New"}, "account": {"New"}, "email": {"x@example.com"}, "role": {"viewer"}, "by": {"link"}, "scope": {"all"}, "expires": {"never"}, "token": {strings.Repeat("T", 26)}})
		if got.StatusCode < 400 {
			t.Errorf("%s in a closed account: %d", path, got.StatusCode)
		}
	}
}
