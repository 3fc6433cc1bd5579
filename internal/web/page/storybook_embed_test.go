package page

import (
	"time"

	"github.com/toksta/toksta/internal/web/view"
)

// embedStories returns the pages in a frame of the vendor's page, and the pages about links of the
// vendor's back end.
func embedStories() []story {
	f := storyFrame(view.SectionKeys)
	f.Embedded, f.Bound = true, true
	framed := func(a view.Account) view.Account {
		a.Frame, a.State.Home = f, view.EmbeddedHome
		return a
	}
	pastDue := framed(storyPastDue())
	pastDue.Banner.Action.Away = true
	key := storyKey()
	key.Frame = f
	bound := storyAccount()
	bound.Bound, bound.Profile = true, view.Profile{Name: "Mara Lindqvist", SignedInWith: "Skies", Bound: true}
	return []story{
		{"embed-account", EmbedPrefix + "account", framed(storyAccount())},
		{"embed-account-empty", EmbedPrefix + "account", framed(storyEmpty())},
		{"embed-account-pastdue", EmbedPrefix + "account", pastDue},
		{"embed-key-new", EmbedPrefix + "key_new", view.KeyNew{Frame: f, Token: "tok_1", Families: storyFamilies(), Expires: "never", Errors: view.Errors{"name": "Give a name with 1 to 100 characters."}}},
		{"embed-key-reveal", EmbedPrefix + "key_reveal", view.KeyReveal{
			Frame: f, ID: "key_2", Name: "Enrichment worker", Secret: storySecret, Families: []string{"data", "job"},
			Nodes: 3, Took: 9 * time.Millisecond, ExampleURL: "https://api.toksta.com/v1/account/usage",
		}},
		{"embed-key-show", EmbedPrefix + "key_show", key},
		{"embed-key-revoke", EmbedPrefix + "key_revoke", view.KeyRevoke{Frame: f, ID: "key_2", Name: "Enrichment worker", Text: workerText, Today: 131}},
		{"embed-error", EmbedPrefix + "error", view.Error{
			Sheet: storySheet, Status: 404, Title: "There is nothing here", Text: "The address is wrong, or its page belongs to another account. No key has changed.",
			RequestID: "req_01JZ3M8K7Q2V9D4T", Primary: view.Link{Text: "Go to the keys", URL: view.EmbeddedHome},
		}},
		{"embed-ended", EmbedPrefix + "notice", view.Notice{
			Sheet: storySheet, Title: "This view has expired", Text: "Reload the page to go on. No key has changed.", Ended: true,
			Action: view.Link{Text: "Start again", URL: "https://app.skies.example/api-keys"}, Target: "_top",
		}},
		{"embed-window", EmbedPrefix + "notice", view.Notice{
			Sheet: storySheet, Title: "Your browser keeps no cookies here", Text: "It blocks the cookie that keeps you signed in inside of this page. The keys open in a tab of their own instead.",
			Action: view.Link{Text: "Open the keys", URL: "/signin/vendor?code=code"}, Target: "_blank",
		}},
		{"vendor-again", "notice", view.Notice{
			Sheet: storySheet, Title: "Open this page again", Text: "You were signed in some time ago, and this changes keys. Nothing has changed so far.",
			Action: view.Link{Text: "Start again", URL: "https://app.skies.example/api-keys"},
		}},
		{"vendor-ask", "vendor", view.VendorAsk{Sheet: storySheet, Account: "Fjordlight Studio", Person: "Mara Lindqvist", RunningAccount: "Northwind & Sons with a long name", RunningPerson: "Tomás Rey"}},
		{"account-bound", "account", bound},
	}
}
