package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: the pages of a closed account can be read, state that it is closed and not that a payment
// is missing, and offer no key. A form that was opened before changes nothing.
func TestClosedAccountCanOnlyBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signInAs(t, w.owner)
	key := w.create(t, "Nightly")
	form := w.get(t, "/account/keys/new").fields()
	if _, err := w.Accounts.Close(t.Context(), toksta.Actor{Kind: toksta.ActorOperator}, w.account); err != nil {
		t.Fatal(err)
	}
	page := w.get(t, "/account")
	page.shows(t, http.StatusOK, "This account was closed on", "Members can still read the account", "A closed account has no keys.")
	for _, text := range []string{"subscription is not active", `href="/account/keys/new"`} {
		if strings.Contains(page.body, text) {
			t.Errorf("the page has %q", text)
		}
	}
	w.get(t, "/account/keys/"+string(key.ID)).shows(t, http.StatusOK, "Revoked with the account")
	team := w.get(t, "/account/members")
	team.shows(t, http.StatusOK, "This account is closed. It can be read")
	if strings.Contains(team.body, "/account/members/new") {
		t.Error("the page offers invitations")
	}
	other := w.addMember(t)
	w.get(t, "/account/members/"+string(other)).shows(t, http.StatusOK, "roles no longer change", "/account/members/"+string(other)+"/remove")
	got := w.post(t, "/account/members/"+string(other)+"/remove", url.Values{"keys": {"keep"}})
	if _, err := w.store.Role(t.Context(), w.account, other); !errors.Is(err, store.ErrNotFound) || got.StatusCode != http.StatusOK {
		t.Errorf("a member of a closed account cannot be removed: %d at %s, %v", got.StatusCode, got.path, err)
	}

	before := w.newest(t, "").Seq
	form.Set("name", "Late")
	for path, fields := range map[string]url.Values{
		"/account/keys":            form,
		"/account/profile/account": {"account": {"Other"}},
		"/account/members":         {"email": {"bob@example.com"}, "role": {"viewer"}},
	} {
		if got := w.post(t, path, fields); got.StatusCode < 400 {
			t.Errorf("POST %s: %d at %s", path, got.StatusCode, got.path)
		}
	}
	if after := w.newest(t, "").Seq; after != before {
		t.Errorf("%d changes were made", after-before)
	}
}

// addMember adds a viewer to the account, before any rule for closed accounts.
func (w *world) addMember(t *testing.T) toksta.MemberID {
	t.Helper()
	const id = "mem_viewer"
	w.commit(t, store.Mutation{
		Kind: toksta.ChangeMemberCreated, AccountID: w.account, MemberID: id, Members: []toksta.Member{{ID: id, Email: "vi@example.com", Name: "Vi"}},
		Memberships: []toksta.Membership{{AccountID: w.account, MemberID: id, Role: toksta.MemberViewer, CreatedAt: w.Now()}},
	})
	return id
}
