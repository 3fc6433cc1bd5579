package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/accounts"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: admins read the changes of their account, with authors, sign-ins and addresses, in pages.
// The page shows no other account, no name of the vendor's staff and no data that the vendor keeps for
// itself.
func TestActivity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	staff := toksta.Actor{Kind: toksta.ActorOperator, ID: "op_1", Name: "Staff", Address: "192.0.2.1"}
	w.commit(t, store.Mutation{Kind: toksta.ChangeAccountCreated, AccountID: "acct_other", Accounts: []toksta.Account{{ID: "acct_other", Name: "Other", Plan: "BUILD"}}})
	if _, err := w.Accounts.SetExternalID(t.Context(), staff, accounts.ExternalIDRequest{Account: w.account, ExternalID: "crm-42"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Accounts.Rename(t.Context(), staff, accounts.RenameRequest{Account: w.account, Name: "Acme <b>"}); err != nil {
		t.Fatal(err)
	}
	key := w.create(t, "Importer")
	w.post(t, "/account/members", url.Values{"email": {"bob@example.com"}, "role": {"viewer"}, "by": {"link"}})
	w.signOut(t)
	w.post(t, "/signin", url.Values{"email": {"ada@example.com"}, "password": {password}})

	page := w.get(t, "/account/activity")
	page.shows(t, http.StatusOK,
		"Ada signed in with the password, from a new browser", "203.0.113.7", "Ada created the key Importer", "/account/keys/"+string(key.ID),
		"Ada invited bob@example.com: viewer", "The vendor renamed the account: Acme → Acme &lt;b&gt;", "Ada created the account")
	for _, hidden := range []string{"Staff", "192.0.2.1", "crm-42", "acct_other", "Older changes"} {
		if strings.Contains(page.body, hidden) {
			t.Errorf("the page shows %q", hidden)
		}
	}
	w.get(t, "/account/members").shows(t, http.StatusOK, activityPath)
	for range activityRows {
		w.create(t, "Another")
	}
	first := w.get(t, "/account/activity")
	first.shows(t, http.StatusOK, "Older changes")
	_, rest, _ := strings.Cut(first.body, `href="/account/activity?before=`)
	before, _, _ := strings.Cut(rest, `"`)
	w.get(t, "/account/activity?before="+before).shows(t, http.StatusOK, "Ada created the account", "Newest changes")
	w.get(t, "/account/activity?before=x").shows(t, http.StatusNotFound, "There is nothing here")
}

// Guarantee: each kind of change has words for members, except those that concern only the vendor, also
// after the personal data in its details was erased.
func TestEveryChangeHasWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, kind := range toksta.ChangeKinds() {
		vendors := strings.HasPrefix(string(kind), "operator_key.") || strings.HasSuffix(string(kind), ".external_id_set") || strings.HasSuffix(string(kind), ".metadata_set") ||
			kind == toksta.ChangeSessionCreated // its use is a sign-in
		for _, actor := range []toksta.Actor{{Kind: toksta.ActorMember, ID: "mem_a", Name: "Ada"}, {Kind: toksta.ActorOperator, ID: "op_1"}, {Kind: toksta.ActorSystem}} {
			row, shown := w.activity(toksta.Change{Kind: kind, Actor: actor, MemberID: "mem_a", KeyID: "key_1"}, nil)
			if shown == vendors || shown && row.Title != strings.TrimRight(row.Title, ": ") {
				t.Errorf("%s by %s: shown %t, %q", kind, actor.Kind, shown, row.Title)
			}
		}
	}
}
