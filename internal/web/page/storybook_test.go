package page

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/web/view"
)

type story struct {
	file, page string
	data       any
}

func stories() []story {
	return slices.Concat(accountStories(), keyStories(), sheetStories(), memberStories(), invitationStories(), mailStories(), factorStories(), embedStories(), providerStories())
}

func accountStories() []story {
	f := storyFrame(view.SectionSecurity)
	sessions := []view.Session{
		{Handle: "a1", Device: "Firefox on macOS", From: "198.51.100.20", Method: "with the password and a second factor", Account: "Fjordlight Studio", Started: day(6, 3), Seen: storyNow, Current: true},
		{Handle: "b2", Device: "Chrome on Linux", From: "198.51.100.31", Method: "with a passkey", Account: "Northwind", Started: day(5, 18), Seen: storyNow.Add(-3 * time.Hour)},
	}
	unread := storyAccount()
	unread.UsageFailed, unread.Usage, unread.Credits.Included, unread.Credits.UsedUnknown = true, nil, 0, true
	for i := range unread.Keys.Rows {
		k := &unread.Keys.Rows[i]
		k.UseUnknown, k.LastDetail, k.UnusedDays, k.Calls = true, "", 0, 0
	}
	return []story{
		{"account-unread", "account", unread},
		{"account", "account", storyAccount()},
		{"account-notice", "account", storyAlert()},
		{"account-table", "account", storyTable()},
		{"account-pastdue", "account", storyPastDue()},
		{"account-free", "account", storyFree()},
		{"account-closed", "account", storyClosed()},
		{"account-nocredits", "account", storyNoCredits()},
		{"plans", "plans", storyPlans(storyFrame(view.SectionPlans))},
		{"plans-public", "plans", storyPlans(view.Frame{Brand: "Skies", Links: storyFrame(view.SectionPlans).Links, Now: storyNow})},
		{"account-empty", "account", storyEmpty()},
		{"account-hostile", "account", storyHostile()},
		{"account-quiet", "account", storyQuiet()},
		{"account-many", "account", storyMany()},
		{"account-found", "account", storyFound()},
		{"account-not-found", "account", storyNotFound()},
		{"account-ended", "account", storyEnded()},
		{"profile", "profile", view.ProfileEdit{
			Frame: storyFrame(view.SectionAccount), Name: "Mara Lindqvist", Email: "mara@fjordlight.example", Account: "Fjordlight Studio", HasPassword: true, Notice: "Your profile is saved.",
		}},
		{"profile-error", "profile", view.ProfileEdit{
			Frame: storyFrame(view.SectionAccount), Email: "mara", Account: "Fjordlight Studio", HasPassword: true,
			Errors: view.Errors{"name": "Give a name with 1 to 100 characters.", "email": "Give an e-mail address such as ada@example.com."},
		}},
		{"notices", "notices", storyNotices()},
		{"notices-empty", "notices", view.Notices{Frame: storyFrame(view.SectionNotices), Email: "mara@fjordlight.example"}},
		{"unsubscribe", "unsubscribe", view.Unsubscribe{Sheet: storySheet, Topic: "Changes of keys", Account: "Fjordlight Studio", Action: "/unsubscribe?token=t"}},
		{"unsubscribe-done", "unsubscribe", view.Unsubscribe{Sheet: storySheet, Topic: "Changes of keys", Account: "Fjordlight Studio", Done: true}},
		{"security", "security", view.Security{
			Frame: f, Email: "mara@fjordlight.example", HasPassword: true, MinPassword: 12,
			Sessions: sessions, Errors: view.Errors{"current": "That is not the current password."}, Factors: view.Factors{Offered: true},
		}},
	}
}

func keyStories() []story {
	f := storyFrame(view.SectionKeys)
	used := storyNow.Add(-14 * time.Minute)
	made := view.KeyNew{Frame: f, Token: "tok_1", Name: "Enrichment worker", OnlyThese: true, Families: storyFamilies(), Expires: "never"}
	wrong := made
	wrong.IPs, wrong.Expires = "203.0.113.0/33", "day"
	wrong.Name = ""
	wrong.Errors = view.Errors{"name": "Give a name with 1 to 100 characters.", "ips": "203.0.113.0/33 is not a network. Use one address, or a prefix up to /32.", "day": "Choose the last day on which the key works."}
	reveal := view.KeyReveal{
		Frame: f, ID: "key_2", Name: "Enrichment worker", Secret: storySecret, Families: []string{"data", "job"},
		Expires: time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC),
		Nodes:   3, Took: 9 * time.Millisecond, ExampleURL: "https://api.toksta.com/v1/account/usage",
	}
	rotated := reveal
	rotated.Rotated = true
	unread := storyKey()
	unread.UsageFailed, unread.Facts[0].Value, unread.Facts[1].Value = true, "Not known", "Not known"
	unread.Facts[0].Note, unread.Facts[1].Note = "", ""
	unread.History.Total, unread.History.Left = 1214, 1210
	stale := view.KeyRotate{
		Frame: f, ID: "key_1", Name: "Production CRM sync", Token: "tok_2", Generation: 4, Text: crmText, Use: view.LastUse{Unknown: true},
		Errors: view.Errors{"": "This key was rotated since its secret was shown here: it has a newer one now. Nothing was rotated this time."},
	}
	ended := storyKey()
	ended.Badge, ended.Reason, ended.Ended = view.Badge{Tone: view.ToneOff, Text: "Revoked"}, "Revoked 9 June 2026", true
	ended.Chart, ended.Rejections, ended.RejectedTotal = view.Chart{Month: storyNow, Today: storyNow, Height: 126}, nil, 0
	unsent := made
	unsent.Unsent = true
	noScope := made
	noScope.Families = storyFamilies()
	noScope.Families[0].Checked, noScope.Families[1].Checked = false, false
	noScope.Errors = view.Errors{"scope": "Choose at least one family, or all endpoints of the plan."}
	hostile := view.KeyRevoke{Frame: f, ID: "key_9", Name: hostileName, Text: workerText, Errors: view.Errors{"name": "The name differs."}}
	return []story{
		{"key-new", "key_new", made},
		{"key-new-unsent", "key_new", unsent},
		{"key-new-error", "key_new", wrong},
		{"key-new-scope", "key_new", noScope},
		{"key-new-blocked", "key_new", view.KeyNew{Frame: f, Blocked: "100 of 100 live keys exist. Revoke one first."}},
		{"key-reveal", "key_reveal", reveal},
		{"key-reveal-rotated", "key_reveal", rotated},
		{"key-already", "key_already", view.KeyAlready{Frame: f, ID: "key_2", Name: "Enrichment worker", Text: workerText, Created: used}},
		{"key-already-again", "key_already", view.KeyAlready{Frame: f, ID: "key_2", Name: "Enrichment worker", Text: workerText, Created: used, Again: true}},
		{"key-show", "key_show", storyKey()},
		{"key-show-revoked", "key_show", ended},
		{"key-show-unread", "key_show", unread},
		{"key-rotate-stale", "key_rotate", stale},
		{"key-revoke-unread", "key_revoke", view.KeyRevoke{Frame: f, ID: "key_2", Name: "Enrichment worker", Text: workerText, Use: view.LastUse{Unknown: true}, TodayUnknown: true}},
		{"key-edit", "key_edit", view.KeyEdit{Frame: f, ID: "key_2", Name: "Enrichment worker", Value: "Enrichment worker"}},
		{"key-rotate", "key_rotate", view.KeyRotate{
			Frame: f, ID: "key_1", Name: "Production CRM sync", Token: "tok_2", Generation: 3, Text: crmText,
			Use: view.LastUse{At: storyNow.Add(-2 * time.Minute), From: "203.0.113.24"},
		}},
		{"key-revoke", "key_revoke", view.KeyRevoke{
			Frame: f, ID: "key_2", Name: "Enrichment worker", Text: workerText,
			Use: view.LastUse{At: used, From: "203.0.113.41"}, Today: 131, Typed: "Enrichment worker",
		}},
		{"key-revoke-hostile", "key_revoke", hostile},
		{"key-revoked", "key_revoked", view.KeyRevoked{
			Frame: f, ID: "key_2", Name: "Enrichment worker", Nodes: 3, Took: 12 * time.Millisecond,
			Change: 4182, At: storyNow, Use: view.LastUse{At: used, From: "203.0.113.41"},
		}},
	}
}

func storyFamilies() []view.Family {
	return []view.Family{
		{Name: "data", Description: "Search, enrich and match creators, read results", Checked: true},
		{Name: "job", Description: "Follow and cancel jobs", Checked: true},
		{Name: "account", Description: "Read usage and credits"},
		{Name: "workspace", Description: "Campaigns and lists", Missing: "Not in API Scale: it needs a SaaS plan with workspace endpoints."},
	}
}

func storyKey() view.KeyShow {
	return view.KeyShow{
		Frame: storyFrame(view.SectionKeys), ID: "key_1", Name: "Production CRM sync", Text: crmText,
		Badge: view.Badge{Tone: view.ToneOK, Text: "Live"}, Generation: 3, Since: day(6, 3), Chart: storyChart(126, .72), RejectedTotal: 125,
		Facts: []view.Fact{
			{Label: "Last used", Value: "2 minutes ago", Note: "POST /v1/creators/search", Mono: true},
			{Label: "From", Value: "203.0.113.24", Note: "1 other address in June"},
			{Label: "Endpoints", Value: "All of the plan", Note: "data, job, account"},
			{Label: "Expires", Value: "Never", Note: "No IP list"},
		},
		Rejections: []view.Rejection{
			{
				Status: 429, Reason: "rate_limited", Times: 64, Last: storyNow.Add(-2 * time.Hour).Truncate(time.Hour), Endpoints: []string{"POST /v1/creators/search", "GET /v1/jobs/{id}", "GET /v1/creators/{id}"}, MoreEndpoints: 2, Cause: "The 60 calls a minute that all keys share were used up.",
				Fix: "Wait for `Retry-After`, or move to API Enterprise (150 a minute).",
			},
			{
				Status: 403, Reason: "workspace_not_entitled", Times: 3, Last: day(6, 25), Cause: "`GET /v1/campaigns` is not in API Scale.",
				Fix: "Use a SaaS plan with workspace endpoints, or stop the call.",
			},
			{
				Status: 401, Words: "second secret, revoked", Times: 58, Last: day(6, 25),
				Cause: "`tk_live_88d0…3c1f` was still sent from 198.51.100.7, 22 days after it was rotated out.", Fix: "Put the new secret into the service at that address.",
			},
		},
		History: view.History{Total: 4, Events: []view.Event{
			{Kind: "rotated", Title: "Rotated", At: day(6, 3), By: "Mara Lindqvist", Details: []string{"198.51.100.20, Firefox on macOS", "Old secret refused on 3 nodes in 11 ms"}},
			{Kind: "renamed", Title: "Renamed from CRM sync", At: day(3, 18), By: "Tomás Rey", Details: []string{"198.51.100.31, Chrome on Linux"}},
			{Kind: "rotated", Title: "Rotated", At: day(3, 2), By: "Tomás Rey", Details: []string{"CLI, 198.51.100.31", "Old secret refused on 3 nodes in 14 ms"}},
			{Kind: "created", Title: "Created", At: day(1, 12), By: "Mara Lindqvist", Details: []string{"198.51.100.20, Firefox on macOS"}},
		}},
	}
}

func sheetStories() []story {
	return []story{
		{"signin", "signin", view.SignIn{Sheet: storySheet, Email: "mara@fjordlight.example", Next: "/account", SignUp: "/signup", Passkeys: true, Forgot: "/signin/forgot", ByMail: "/signin/link"}},
		{"signin-passkey-error", "signin", view.SignIn{
			Sheet: storySheet, SignUp: "/signup", Passkeys: true, Errors: view.Errors{"passkey": "This passkey is not known here."},
		}},
		{"signin-error", "signin", view.SignIn{Sheet: storySheet, SignUp: "/signup", Errors: view.Errors{"": "E-mail and password do not match."}}},
		{"signup-consent", "signup", view.SignUp{Sheet: storySheet, MinPassword: 12, Consent: view.Consent{Text: "I accept the terms, and I have no other account.", URL: "https://weather.example/terms"}, Errors: view.Errors{"consent": "Accept this to create an account."}}},
		{"signup", "signup", view.SignUp{Sheet: storySheet, AskInvitation: true, MinPassword: 12, Errors: view.Errors{"email": "This is not an e-mail address."}}},
		{"signup-joins", "signup", view.SignUp{
			Sheet: storySheet, Invited: true, Joins: "Fjordlight Studio", Invitation: "code", MinPassword: 12,
			Email: "tomas@fjordlight.example", EmailFixed: true,
		}},
		{"signup-closed", "signup", view.SignUp{Sheet: storySheet, Closed: "The vendor creates accounts. Ask for one, then sign in here."}},
		{"signin-expired", "signin", view.SignIn{Sheet: storySheet, SignUp: "/signup", Warning: "The sign-in took too long, or was started in another browser. Start again."}},
		{"second-factor", "second_factor", view.SecondFactor{Sheet: storySheet, Next: "/account", Passkey: true, App: true, Recovery: true}},
		{"second-factor-error", "second_factor", view.SecondFactor{Sheet: storySheet, App: true, Errors: view.Errors{"code": "This code is wrong. Type the 6 digits that the app shows now."}}},
		{"second-factor-passkey", "second_factor", view.SecondFactor{Sheet: storySheet, Passkey: true, Recovery: true, Errors: view.Errors{"passkey": "This took too long. Try again."}}},
		{"confirm", "confirm", view.Confirm{
			Sheet: storySheet, Email: "mara@fjordlight.example", Action: "revoke a key",
			Next: "/account/keys/key_2/revoke", Cancel: "/account/keys/key_2", HasPassword: true, Passkey: true,
		}},
		{"confirm-factor", "confirm", view.Confirm{
			Sheet: storySheet, Email: "mara@fjordlight.example", Action: "remove the authenticator app", Next: "/account/security/authenticator/remove",
			Cancel: "/account", Passkey: true, App: true, Recovery: true, Factor: true,
		}},
		{"confirm-passkey", "confirm", view.Confirm{
			Sheet: storySheet, Email: "mara@fjordlight.example", Action: "create a key", Next: "/account/keys/new", Cancel: "/account", Passkey: true,
			Errors: view.Errors{"passkey": "This took too long. Try again."},
		}},
		{"confirm-again", "confirm", view.Confirm{
			Sheet: storySheet, Email: "mara@fjordlight.example", Action: "create a key", Next: "/account/keys/new", Cancel: "/account",
		}},
		{"error-404", "error", view.Error{
			Sheet: storySheet, Status: 404, Title: "There is nothing here",
			Text:      "The address is wrong, or its page belongs to another account. No key has changed.",
			RequestID: "req_01JZ3M8K7Q2V9D4T", Primary: view.Link{Text: "Go to the account", URL: "/account"},
		}},
		{"error-503", "error", view.Error{
			Sheet: storySheet, Status: 503, Title: "The account cannot be reached right now",
			Text:      "The page could not be loaded, and nothing was changed.",
			RequestID: "req_01JZ3M8K7Q2V9D4T", RetrySeconds: 8, Primary: view.Link{Text: "Try again", URL: ""},
		}},
	}
}

// TestStorybook renders every page with example data. With STORYBOOK_OUT set,
// the pages and assets stay there for a look in a browser.
func TestStorybook(t *testing.T) {
	out := os.Getenv("STORYBOOK_OUT")
	if out == "" {
		out = t.TempDir()
	}
	assets, err := LoadAssets(storyLook(t))
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(assets, view.MoneyIn(""))
	if err != nil {
		t.Fatal(err)
	}
	writeAssets(t, assets, out)
	writeAccents(t, out)
	for _, s := range stories() {
		t.Run(s.file, func(t *testing.T) {
			var b strings.Builder
			if err := r.Render(&b, s.page, s.data); err != nil {
				t.Fatal(err)
			}
			checkPage(t, b.String())
			if err := os.WriteFile(filepath.Join(out, s.file+".html"), []byte(b.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func writeAssets(t *testing.T, a *Assets, out string) {
	t.Helper()
	dir := filepath.Join(out, filepath.FromSlash(a.URL("")))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range a.files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func checkPage(t *testing.T, page string) {
	t.Helper()
	for _, bad := range []string{" style=", "<style", "ZgotmplZ", "<no value>", "%!", "<script>", "javascript:"} {
		if strings.Contains(page, bad) {
			t.Errorf("contains %q", bad)
		}
	}
	if n := strings.Count(page, "<script"); n != 1 {
		t.Errorf("%d scripts, want the one module", n)
	}
	if n := strings.Count(page, "<h1"); n != 1 {
		t.Errorf("%d headings of the first level", n)
	}
	if n := strings.Count(page, `class="button primary`); n > 1 {
		t.Errorf("%d primary buttons", n)
	}
	if n := strings.Count(page, " autofocus"); n > 1 {
		t.Errorf("%d elements with the focus", n)
	}
	if on := regexp.MustCompile(`\son[a-z]+=`).FindString(page); on != "" {
		t.Errorf("inline handler %q", on)
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("id %q twice", m[1])
		}
		ids[m[1]] = true
	}
	for _, form := range regexp.MustCompile(`<form[^>]*>(<input[^>]*>)?`).FindAllString(page, -1) {
		if !strings.Contains(form, `method="post"`) && !strings.Contains(form, `method="get"`) {
			t.Errorf("form %s does not post", form)
		}
		// A form that concerns the account, and not the person, names the account of its page.
		concerns := regexp.MustCompile(`action="/(embed|account)/(keys|members|notices|leave|close|profile/account)`).MatchString(form)
		if concerns && !strings.Contains(form, `name="in_account"`) {
			t.Errorf("form %s does not name the account", form)
		}
	}
}
