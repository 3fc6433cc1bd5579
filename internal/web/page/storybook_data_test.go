package page

import (
	"fmt"
	"math"
	"time"

	"github.com/toksta/toksta/internal/web/view"
)

var (
	storyNow   = time.Date(2026, 6, 28, 14, 2, 31, 0, time.UTC)
	storyLinks = view.Links{Docs: "/docs", Status: "/status", Support: "/support", Terms: "/terms"}
	storySheet = view.Sheet{Links: storyLinks}
	crmText    = view.KeyText{Prefix: "tk_live_", First: "a1b2", Last: "9f0e"}
	workerText = view.KeyText{Prefix: "tk_live_", First: "7c40", Last: "d21b"}
)

const storySecret = "tk_live_4f19c07ab2e85d3360f7a9e1c48b02d67e35f0c9a1b4d826"

func storyFrame(s view.Section) view.Frame {
	return view.Frame{
		AccountName: "Fjordlight Studio", AccountID: "acct_01JQ8Z6T4M", UserName: "Mara Lindqvist",
		Role: "owner", Can: view.Rights{Keys: true, Account: true, Members: true, Owners: true, Billing: true}, Section: s, Links: storyLinks, Now: storyNow,
	}
}

func day(month time.Month, d int) time.Time {
	return time.Date(2026, month, d, 9, 41, 0, 0, time.UTC)
}

func storyDays(scale float64) []view.Day {
	calls := []int64{
		1440, 1570, 1660, 1620, 1700, 800, 830, 1740, 1720, 1690, 1880, 1570, 730, 760, 2010, 1930,
		2744, 1980, 2000, 830, 960, 2141, 2114, 2181, 1970, 2388, 1069, 467,
	}
	refused := map[int]int64{10: 40, 17: 418, 23: 96, 12: 4, 26: 3, 28: 2}
	var out []view.Day
	for i, n := range calls {
		d := view.Day{
			Date: day(6, i+1), Admitted: int64(float64(n) * scale), Rejected: int64(float64(refused[i+1]) * scale),
			Credits: n / 13,
		}
		if i == 16 {
			d.Note = "407 rate_limited"
		}
		out = append(out, d)
	}
	return out
}

func storyChart(height int, scale float64) view.Chart {
	return view.Chart{Month: storyNow, Days: storyDays(scale), Today: storyNow, Height: height}
}

func storySpark(scale float64) []int64 {
	var out []int64
	for i, d := range storyDays(1) {
		out = append(out, int64(float64(d.Admitted)*scale*(1+.3*math.Sin(float64(i*7)))))
	}
	return out
}

func storyRows() []view.Key {
	live := view.Badge{Tone: view.ToneOK, Text: "Live"}
	ago := func(m int) time.Time { return storyNow.Add(-time.Duration(m) * time.Minute) }
	return []view.Key{
		{
			ID: "key_1", Name: "Production CRM sync", Text: crmText, Created: day(1, 12), CreatedBy: "Mara Lindqvist",
			LastUsed: ago(2), LastDetail: "203.0.113.24", Calls: 31806, Spark: storySpark(1), Badge: live,
		},
		{
			ID: "key_2", Name: "Enrichment worker", Text: workerText, Families: []string{"data", "job"}, Created: day(3, 2),
			CreatedBy: "Tomás Rey", LastUsed: ago(14), LastDetail: "203.0.113.41", Calls: 12384, Spark: storySpark(.5), Badge: live,
		},
		{
			ID: "key_3", Name: "Q1 backfill", Text: view.KeyText{Prefix: "tk_live_", First: "e913", Last: "04ac"},
			Families: []string{"data"}, Created: day(2, 9), CreatedBy: "Tomás Rey", LastUsed: day(3, 21), UnusedDays: 99, Badge: live,
		},
		{
			ID: "key_4", Name: "Campaign importer", Text: view.KeyText{Prefix: "tk_live_", First: "5d8e", Last: "b370"},
			Families: []string{"workspace"}, Created: day(5, 17), CreatedBy: "Ingrid Østby", LastUsed: day(6, 3),
			Badge: view.Badge{Tone: view.ToneBad, Text: "Blocked: 403"}, Reason: "Workspace is not in API Scale",
		},
	}
}

func storyRevoked() view.Key {
	return view.Key{
		ID: "key_5", Name: "Staging smoke test", Text: view.KeyText{Prefix: "tk_live_", First: "c2f6", Last: "118d"},
		Created: day(4, 30), CreatedBy: "Mara Lindqvist", LastUsed: day(6, 9), Calls: 449, Spark: storySpark(.1),
		Badge: view.Badge{Tone: view.ToneOff, Text: "Revoked"}, Reason: "9 June 2026, Mara Lindqvist", Ended: true,
	}
}

func storyAccount() view.Account {
	return view.Account{
		Frame:   storyFrame(view.SectionAccount),
		Profile: view.Profile{Name: "Mara Lindqvist", Email: "mara@fjordlight.example", SignedInWith: "E-mail and password"},
		Subscription: view.Subscription{
			Plan: "API Scale", Badge: view.Badge{Tone: view.ToneOK, Text: "Active"},
			Facts:  []view.Fact{{Label: "Renews", Value: "1 July 2026"}, {Label: "Payment", Value: "Visa ending 4242"}},
			Manage: view.Link{Text: "Manage billing", URL: "https://billing.example", Outside: true}, Price: "$99 a month",
		},
		Credits: view.Credits{
			Included: 5000, Used: 3412, Purchased: 2400, Resets: day(7, 1),
			Buy: view.Link{Text: "Buy credits", URL: "/buy"}, Note: "Included credits are used first",
		},
		Keys:  view.Keys{Strip: storyStrip(), Rows: storyRows(), Ended: 1, EndedNoun: "revoked key", Live: 4, Limit: 100, ExampleURL: "https://api.toksta.com/v1/account/usage"},
		Usage: storyUsage(),
	}
}

func storyStrip() []view.Fact {
	return []view.Fact{
		{Label: "Included credits", Value: "5,000", Note: "a month"},
		{Label: "Rate limit", Value: "60", Note: "calls a minute"},
		{Label: "Overage", Value: "$0.018", Note: "a credit"},
		{Label: "Endpoints", Value: "data, job, account"},
		{Label: "Workspace endpoints", Value: "Off", Note: "not in API Scale"},
	}
}

func storyUsage() *view.Usage {
	return &view.Usage{
		Months: []view.Option{{Value: "2026-06", Text: "June 2026", Selected: true}, {Value: "2026-05", Text: "May 2026"}},
		Numbers: []view.Fact{
			{Label: "Calls admitted", Value: "44,639", Note: "1,594 a day"},
			{Label: "Credits charged", Value: "3,412", Note: "of 5,000 included"},
			{Label: "Overage", Value: "$0.00", Note: "$0.018 a credit after 7,400"},
			{Label: "Refused", Value: "641", Note: "cost no credits"},
		},
		Chart: storyChart(196, 1),
		ByKey: []view.Share{
			{Label: "Production CRM sync", Count: 31806},
			{Label: "Enrichment worker", Count: 12384},
			{Label: "Staging smoke test", Note: "revoked", Count: 449},
		},
		ByFamily: []view.Share{{Label: "data", Count: 27453}, {Label: "job", Count: 16606}, {Label: "account", Count: 580}},
		ByOperation: []view.Share{
			{Label: "audience_match", Note: "161 calls", Count: 1610},
			{Label: "creator_discovery_search_per_100", Note: "942 calls", Count: 942},
			{Label: "content_match", Note: "200 calls", Count: 600},
			{Label: "creator_search", Note: "260 calls", Count: 260},
		},
		ByReason: []view.Share{
			{Label: "429", Code: "rate_limited", Count: 496},
			{Label: "401 · revoked key sent", Count: 86},
			{Label: "403", Code: "scope_insufficient", Count: 59},
		},
		CSV: "/account/usage.csv?month=2026-06", Path: "/v1/account/usage",
	}
}

func storyTable() view.Account {
	a := storyAccount()
	a.State = view.State{Table: true, Ended: view.EndedNewest}
	a.Keys.Rows = append(a.Keys.Rows, storyRevoked())
	a.Keys.Ended, a.Keys.Older = 8, 7
	return a
}

func storyPastDue() view.Account {
	a := storyAccount()
	a.Usage, a.UsageFailed = nil, true
	a.Banner = &view.Banner{
		Tone: view.ToneBad, Title: "Billing is past due since 24 June 2026, 08:14.",
		Text:   "Every call gets `403 FORBIDDEN` with `billing_past_due`. No key is revoked: they work again as soon as the invoice of $99.00 is paid.",
		Action: view.Link{Text: "Settle billing", URL: "/billing"},
	}
	a.Subscription.Badge = view.Badge{Tone: view.ToneBad, Text: "Past due"}
	a.Keys.Blocked = "New keys can be created as soon as the invoice is paid."
	for i := range a.Keys.Rows {
		a.Keys.Rows[i].Badge = view.Badge{Tone: view.ToneBad, Text: "403 since 24 Jun"}
		a.Keys.Rows[i].Reason = "Billing is past due"
	}
	return a
}

func storyClosed() view.Account {
	a := storyAccount()
	a.Banner = &view.Banner{
		Tone: view.ToneWarn, Title: "This account was closed on 24 June 2026, 08:14.",
		Text:   "All its keys are revoked: calls with them get `401 UNAUTHORIZED`. Members can still read the account.",
		Action: view.Link{Text: "Contact support", URL: "/support", Outside: true},
	}
	a.Can = view.Rights{}
	a.Subscription.Badge = view.Badge{Tone: view.ToneOff, Text: "Closed"}
	a.Keys.Blocked, a.Keys.Live, a.Keys.Rows = "A closed account has no keys.", 0, append(a.Keys.Rows[:0:0], storyRevoked())
	a.Keys.Ended, a.Keys.Older = 8, 7
	a.State.Ended = view.EndedNewest
	return a
}

func storyFree() view.Account {
	a := storyEmpty()
	a.Banner = &view.Banner{
		Tone: view.ToneInfo, Title: "The Free plan has no API access, so keys cannot be created.",
		Text:   "Choose an API plan (from $0 a month, pay as you go) or a SaaS plan with API access. **Create key** opens as soon as the plan is active.",
		Action: view.Link{Text: "Choose a plan", URL: "/plans"},
	}
	a.Subscription.Plan, a.Subscription.Badge = "Free", view.Badge{Tone: view.ToneOff, Text: "No API access"}
	a.Subscription.Facts, a.Subscription.Price = []view.Fact{{Label: "Billing", Value: "Monthly"}}, ""
	a.Credits.Included = 30
	a.Keys.Strip = []view.Fact{
		{Label: "Included credits", Value: "30", Note: "a month"},
		{Label: "Rate limit", Value: "0", Note: "calls a minute"},
		{Label: "Overage", Value: "Off", Note: "calls stop at 0 credits"},
		{Label: "Endpoints", Value: "None"},
		{Label: "Workspace endpoints", Value: "Off", Note: "not in Free"},
	}
	a.Keys.Blocked = "Not available on the Free plan."
	return a
}

func storyEmpty() view.Account {
	a := storyAccount()
	a.Usage = nil
	a.Credits.Used, a.Credits.Purchased = 0, 0
	a.Keys.Rows, a.Keys.Ended, a.Keys.Live = nil, 0, 0
	return a
}

// storyMany returns an account with 100 keys, of which the newest are shown.
func storyMany() view.Account {
	a := storyAccount()
	a.Keys.Live, a.Keys.Folded, a.Keys.Searchable = 100, 75, true
	rows := a.Keys.Rows
	for i := range 21 {
		k := rows[i%len(rows)]
		k.ID, k.Name = fmt.Sprintf("key_many_%d", i), fmt.Sprintf("%s %d", k.Name, i+2)
		a.Keys.Rows = append(a.Keys.Rows, k)
	}
	return a
}

// storyFound returns the result of a search among 100 keys.
func storyFound() view.Account {
	a := storyMany()
	a.State.Query, a.Keys.Query, a.Keys.Found = "worker", "worker", 1
	a.Keys.Rows = a.Keys.Rows[1:2]
	return a
}

// storyNotFound returns the result of a search that no key matches.
func storyNotFound() view.Account {
	a := storyFound()
	a.State.Query, a.Keys.Query, a.Keys.Found, a.Keys.Rows = "nothing", "nothing", 0, nil
	return a
}

// storyEnded returns an account of which all keys are revoked.
func storyEnded() view.Account {
	a := storyAccount()
	a.Keys.Rows, a.Keys.Live = nil, 0
	return a
}

// storyQuiet returns an account with a long name, in a month without calls.
func storyQuiet() view.Account {
	a := storyAccount()
	a.AccountName = "Fjordlight Studio for Independent Documentary Film and Photography Aktiengesellschaft"
	a.Usage.Chart = view.Chart{Month: storyNow, Today: storyNow, Height: 196}
	a.Usage.ByKey, a.Usage.ByFamily, a.Usage.ByOperation, a.Usage.ByReason = nil, nil, nil, nil
	return a
}

// storyHostile returns an account with names that contain markup, change the
// direction of text or are very long.
func storyHostile() view.Account {
	a := storyAccount()
	a.Credits = view.Credits{Purchased: 1200, Used: 88, Note: "Pay as you go"}
	a.Keys.Rows[0].Name = hostileName
	a.Keys.Rows[1].Name = "مفتاح الإنتاج الرئيسي"
	a.Keys.Rows[2].Name = "Averylongnamewithoutanyspaceswhatsoeverthatmustwrapsomewhereinsidethecell"
	a.Keys.Rows[3].Name = "本番環境の同期ジョブ"
	a.Usage.ByKey[0].Label = hostileName
	return a
}

const hostileName = `<script>alert("x")</script> & 'sons' ` + "`b`"
