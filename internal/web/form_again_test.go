package web

import (
	"fmt"
	"html"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/signin/passkey/passkeytest"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// typedAgain lists the fields without a secret that are not kept, with the reason.
var typedAgain = map[string]string{
	"POST /account/keys/{id}/revoke name":              "typing the name confirms the revocation",
	"POST /account/keys/{id}/rotate token":             "each form has a token of its own, which nothing has used",
	"POST /account/keys/{id}/rotate generation":        "the page shows the current generation, which the person confirms",
	"POST /account/notices/read through":               "a constant of the button",
	"POST /account/security/password username":         "a constant for password managers",
	"POST /account/security/sessions/end which":        "a constant of the button",
	"POST /account/security/sessions/end-one session":  "a constant of the button",
	"POST /account/security/providers/link provider":   "a constant of the button",
	"POST /account/security/providers/unlink provider": "a constant of the button",
	"POST /account/security/passkeys response":         "the script asks the authenticator again",
	"POST /account/close name":                         "typing the name confirms that the account is closed",
	"POST /account/switch account":                     "a constant of the button",
}

// special lists the forms that the test cannot send, with the reason.
var special = map[string]string{
	"POST /account/security/authenticator/remove": "needs a proof other than the password: TestFactorGuard",
	"POST /account/security/passkeys/{id}/remove": "needs a proof other than the password: TestFactorGuard",
	"POST /account/security/passkeys/options":     "the request of a script",
	"POST /confirm/options":                       "the request of a script",
	"POST /account/profile/address":               "needs a link from a mail, and has no fields",
	"POST /account/verify":                        "needs a link from a mail, and has no fields",
	"POST /account/verify/send":                   "a button without fields on a page without a frame",
}

// Guarantee: each form that a session guards survives the end of the session and the demand to
// confirm: after signing in, the page shows it again with each field that the person typed. No
// secret is kept, in no address is anything that was typed, and nothing has been done.
func TestEveryFormIsShownAgain(t *testing.T) {
	t.Parallel()
	w, places := newFullWorld(t)
	w.browser.CheckRedirect = nil
	w.link(t, "acme")
	w.writeNotice(t, store.Notice{Kind: "password_changed"})
	w.colleague(t, "successor", toksta.MemberOwner) // the page of the last owner has no form to leave
	const ofPasskey = "POST /account/security/passkeys/{id}"
	for _, pattern := range slices.Sorted(maps.Keys(w.table.forms)) {
		f := w.table.forms[pattern]
		if f.step || isOpen[pattern] != "" || special[pattern] != "" || pattern == ofPasskey || strings.HasPrefix(pattern, "POST /embed") {
			continue // a frame cannot ask the person to sign in: it says that the session has ended
		}
		t.Run(strings.TrimPrefix(pattern, "POST /"), func(t *testing.T) { w.isShownAgain(t, pattern, places) })
	}
	// From now on, the person must prove the passkey before other factors change.
	a := &passkeytest.Authenticator{Origin: "https://acme.example", Domain: "acme.example"}
	w.post(t, passkeysPath, url.Values{"name": {"Phone"}, "response": {w.ceremony(t, passkeysPath+"/options", a.Create)}}).shows(t, 200, "The passkey is added")
	list, err := w.store.ListPasskeys(t.Context(), w.owner)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	places[passkeysPath+"/"] = list[0].ID
	w.isShownAgain(t, ofPasskey, places)
}

// isShownAgain checks that one form survives.
func (w *world) isShownAgain(t *testing.T, pattern string, places ids) {
	t.Helper()
	f := w.table.forms[pattern]
	action, page := places.path(t, pattern), places.page(t, pattern, f.page)
	controls := w.get(t, page).controls(action)
	if controls == nil {
		t.Fatalf("%s shows no form with the action %s", page, action)
	}
	filled := fill(t, pattern, f, controls)
	w.ahead.Add(int64(8 * 24 * time.Hour)) // idle for longer than a session lasts
	w.isAskedFor(t, action, filled, "/signin")
	w.isFilledAgain(t, page, action, filled)
	if f.action != "" {
		w.ahead.Add(int64(2 * time.Hour)) // no longer recent
		w.isAskedFor(t, action, filled, "/confirm").shows(t, 200, "to <bdi>"+f.action+"</bdi>")
		w.isFilledAgain(t, page, action, filled)
	}
}

// sent is a filled form.
type sent struct {
	url.Values
	kept []string
}

// fill returns the form as a person fills it in. Each field is a secret, is kept, is in typedAgain or is the
// account of the page, which the page states again.
func fill(t *testing.T, pattern string, f form, controls []control) sent {
	t.Helper()
	out := sent{url.Values{}, f.keeps}
	for i, c := range controls {
		keeps := slices.Contains(f.keeps, c.name)
		switch {
		case c.secret && keeps:
			t.Errorf("the secret %s is kept", c.name)
		case !c.secret && !keeps && c.name != accountField && typedAgain[pattern+" "+c.name] == "":
			t.Errorf("the field %s is not kept, without a reason", c.name)
		}
		switch {
		case len(c.options) > 0:
			out.Set(c.name, c.options[len(c.options)-1])
		case c.kind == "hidden":
			out.Set(c.name, c.value)
		case c.kind == "email":
			out.Set(c.name, "grace@example.org")
		case c.kind == "date":
			out.Set(c.name, "2099-12-31")
		default:
			out.Set(c.name, fmt.Sprintf("typed & sent %d", i))
		}
	}
	return out
}

// isAskedFor sends the form, which is answered by the page that asks for a proof, and gives the proof.
func (w *world) isAskedFor(t *testing.T, action string, form sent, asks string) (asked response) {
	t.Helper()
	before := w.otherChanges(t)
	asked = w.post(t, action, form.Values)
	if !strings.HasPrefix(asked.path, asks+"?next=") || strings.Contains(asked.path, "typed") || strings.Contains(asked.path, "grace") {
		t.Fatalf("the form leads to %s, want %s without fields", asked.path, asks)
	}
	w.last = w.post(t, asks, url.Values{"next": {asked.fields().Get("next")}, "email": {"ada@example.com"}, "password": {password}})
	if after := w.otherChanges(t); after != before {
		t.Errorf("%d changes were made", after-before)
	}
	return asked
}

// isFilledAgain checks that the last page is the one with the form, and has its kept fields.
func (w *world) isFilledAgain(t *testing.T, page, action string, form sent) {
	t.Helper()
	w.last.shows(t, 200, "Nothing was sent yet")
	if path, _, _ := strings.Cut(w.last.path, "?"); path != page {
		t.Fatalf("the person returns to %s, want %s", w.last.path, page)
	}
	for _, c := range w.last.controls(action) {
		kept, want := slices.Contains(form.kept, c.name), form.Get(c.name)
		switch {
		case kept && c.value != want:
			t.Errorf("the field %s is %q, want %q", c.name, c.value, want)
		case c.secret && c.value != "":
			t.Errorf("the secret %s is shown", c.name)
		}
	}
}

// otherChanges returns the number of changes without sign-ins.
func (w *world) otherChanges(t *testing.T) (n int) {
	t.Helper()
	all, err := w.store.ListChanges(t.Context(), store.ChangeQuery{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if c.Kind != toksta.ChangeMemberSignedIn {
			n++
		}
	}
	return n
}

// places makes what the pages with forms need: a key, members, invitations and a second account. It
// returns the ids for their paths.
func (w *world) places(t *testing.T) ids {
	t.Helper()
	past := w.Now().Add(-time.Hour)
	w.commit(t, store.Mutation{
		Kind: toksta.ChangeMemberJoined, Accounts: []toksta.Account{{ID: "acct_second", Name: "Second", Plan: "BUILD"}, {ID: "acct_third", Name: "Third", Plan: "BUILD"}},
		Members: []toksta.Member{{ID: "mem_second", Name: "Grace", Email: "grace@example.com"}, {ID: "mem_off", Name: "Olga", Email: "olga@example.com"}},
		Memberships: []toksta.Membership{
			{AccountID: w.account, MemberID: "mem_second", Role: toksta.MemberViewer},
			{AccountID: w.account, MemberID: "mem_off", Role: toksta.MemberViewer, DisabledAt: past},
			{AccountID: "acct_second", MemberID: w.owner, Role: toksta.MemberViewer},
		},
	})
	invite := func(account toksta.AccountID) members.Invited {
		out, err := w.Members.Invite(t.Context(), toksta.Actor{Kind: toksta.ActorOperator}, members.InviteRequest{Account: account, Role: toksta.MemberViewer, Valid: 10 * 365 * 24 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	w.get(t, "/invitation?code="+invite("acct_third").Code.Reveal()).shows(t, 200, "Third")
	return ids{
		"/account/keys/": string(w.create(t, "CRM sync").ID), "/account/members/": "mem_second", "/account/members/{id}/enable": "mem_off",
		"/account/members/invitations/": string(invite(w.account).Invitation.ID),
	}
}

// control is a field of a form. value is its present value, options are those of a choice.
type control struct {
	name, kind, value string
	options           []string
	secret            bool
}

// controls returns the fields of the first form with an action, nil if there is none.
func (s response) controls(action string) (out []control) {
	for _, m := range regexp.MustCompile(`(?s)<form\b([^>]*)>(.*?)</form>`).FindAllStringSubmatch(s.body, -1) {
		if attribute(m[1], "action") == action {
			return formControls(m[2])
		}
	}
	return nil
}

func formControls(body string) []control {
	out := []control{}
	for _, m := range regexp.MustCompile(`(?s)<(input|select|textarea)\b([^>]*)>(?:(.*?)</(?:select|textarea)>)?`).FindAllStringSubmatch(body, -1) {
		c := control{name: attribute(m[2], "name"), kind: attribute(m[2], "type"), value: attribute(m[2], "value")}
		c.secret = c.kind == "password" || attribute(m[2], "autocomplete") == "one-time-code"
		i := slices.IndexFunc(out, func(o control) bool { return o.name == c.name })
		switch {
		case c.name == "":
			continue
		case m[1] == "textarea":
			c.value = html.UnescapeString(strings.TrimPrefix(m[3], "\n"))
		case m[1] == "select":
			for _, option := range regexp.MustCompile(`<option\b([^>]*)>`).FindAllStringSubmatch(m[3], -1) {
				c.options = append(c.options, attribute(option[1], "value"))
				if strings.Contains(option[1], " selected") {
					c.value = attribute(option[1], "value")
				}
			}
		case c.kind == "radio" || c.kind == "checkbox":
			if i < 0 {
				out, i = append(out, control{name: c.name, kind: c.kind}), len(out)
			}
			out[i].options = append(out[i].options, c.value)
			if strings.Contains(m[2], " checked") {
				out[i].value = c.value
			}
			continue
		}
		out = append(out, c)
	}
	return out
}

func attribute(tag, name string) string {
	if m := regexp.MustCompile(`\s` + name + `="([^"]*)"`).FindStringSubmatch(tag); m != nil {
		return html.UnescapeString(m[1])
	}
	return ""
}

// Guarantee: a form that is shown again is as long as any that the pages accept, is shown to no
// other person and in no other browser, and only for an hour. A client that never signed in
// cannot fill the database with forms.
func TestDraftsAreOfOneBrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const page = "/account/keys/new?draft=1"
	networks := strings.Repeat("203.0.113.0/24, 2001:db8::/32, ", 1000)
	w.ahead.Add(int64(8 * 24 * time.Hour))
	asked := w.post(t, "/account/keys", url.Values{"name": {"Night & day"}, "ips": {networks}})
	next := asked.fields().Get("next")
	if next != page {
		t.Fatalf("the form leads to %q", next)
	}
	isShown := func() bool { return strings.Contains(w.get(t, page).body, "Night &amp; day") }
	signIn := func(email string) {
		t.Helper()
		w.post(t, "/signin", url.Values{"email": {email}, "password": {password}}).shows(t, 200, "API keys")
	}
	first := w.browser.Jar
	signIn("ada@example.com")
	if got := w.get(t, page).fields(); got.Get("ips") != networks || got.Get("name") != "Night & day" {
		t.Errorf("the form is shown again with %d of %d bytes", len(got.Get("ips")), len(networks))
	}
	w.post(t, "/signout", nil)
	w.post(t, "/signup", url.Values{"name": {"Bob"}, "account": {"Bob"}, "email": {"bob@example.com"}, "password": {password}})
	if isShown() {
		t.Error("another person sees the form in the same browser")
	}
	w.signOut(t)
	signIn("ada@example.com")
	if isShown() {
		t.Error("the form is shown in another browser")
	}
	w.browser.Jar = first
	signIn("ada@example.com")
	w.ahead.Add(int64(2 * time.Hour)) // no longer recent
	w.post(t, "/account/keys", url.Values{"name": {"Night & day"}})
	signIn("ada@example.com")
	if !isShown() {
		t.Error("the form is not shown after confirming")
	}
	w.ahead.Add(int64(time.Hour))
	signIn("ada@example.com")
	if isShown() {
		t.Error("the form is shown after an hour")
	}
	w.signOut(t)
	if asked := w.post(t, "/account/keys", url.Values{"name": {"Night & day"}}); asked.fields().Get("next") != "/account/keys/new" {
		t.Errorf("the form of an unknown browser leads to %s", asked.fields().Get("next"))
	}
}

// Guarantee: a form that was sent in one of several accounts is shown again in this account, as long
// as the person is a member of it.
func TestDraftsKeepTheAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.places(t)
	profile := url.Values{"name": {"Ada Lovelace"}, "email": {"ada@example.com"}}
	credentials := url.Values{"email": {"ada@example.com"}, "password": {password}, "next": {"/account/profile?draft=1"}}
	for _, member := range []bool{true, false} {
		w.post(t, "/account/switch", url.Values{"account": {"acct_second"}}).shows(t, 200, "Second")
		w.ahead.Add(int64(8 * 24 * time.Hour))
		w.post(t, "/account/profile", profile).shows(t, 200, "<h1>Sign in</h1>")
		if !member {
			w.commit(t, store.Mutation{Kind: toksta.ChangeMemberRemoved, Memberships: []toksta.Membership{
				{AccountID: "acct_second", MemberID: w.owner, Role: toksta.MemberViewer, RemovedAt: w.Now()},
			}})
		}
		back := w.post(t, "/signin", credentials)
		if shown := strings.Contains(back.body, "Ada Lovelace"); shown != member || strings.Contains(back.body, "<bdi>Second</bdi>") != member {
			t.Errorf("a member of the account: %v; the form is shown: %v, at %s", member, shown, back.path)
		}
	}
}
