package page

import "github.com/toksta/toksta/internal/web/view"

// storyPlans returns the page of plans of a vendor who charges in euros.
func storyPlans(f view.Frame) view.Plans {
	families := []view.Family{{Name: "forecast", Description: "Forecasts for any place"}, {Name: "history", Description: "Measured weather since 1940"}, {Name: "account", Description: "Read usage and limits"}}
	fact := func(label, value string) view.Fact { return view.Fact{Label: label, Value: value} }
	own := f.UserName != ""
	return view.Plans{Frame: f, Plans: []view.Plan{
		{
			Name: "Free", Price: "Free", Facts: []view.Fact{fact("Included credits", "1,000 a month"), fact("Calls a minute", "10"), fact("Calls a day", "500")},
			Families: families[:1], Current: own,
		},
		{
			Name: "Pay as you go", Price: "€0.002", Per: "a credit", Facts: []view.Fact{fact("Included credits", "None"), fact("Calls a minute", "60")},
			Families: families[:1], OnRequest: families[1:2], Choose: view.Link{Text: "Choose plan", URL: "https://shop.example"},
		},
		{
			Name: "Professional with a rather long name", Price: "CHF\u00a01,229.50", Per: "a month",
			Facts:    []view.Fact{fact("Included credits", "20,000 a month"), fact("Beyond them", "CHF\u00a00.0015 a credit"), fact("Calls a minute", "600")},
			Families: families, Choose: view.Link{Text: "Choose plan", URL: "https://shop.example"},
		},
		{Name: "Legacy", Facts: []view.Fact{fact("Included credits", "None"), fact("API access", "No")}},
	}}
}

// storyNoCredits returns an account whose credits are used up.
func storyNoCredits() view.Account {
	a := storyAccount()
	a.Banner = &view.Banner{
		Tone: view.ToneBad, Title: "No credits are left, since 28 June 2026, 10:12.",
		Text:   "Calls that cost credits get `402 INSUFFICIENT_CREDITS` until you have more, or the plan grants 5,000 new credits on 1 July 2026.",
		Action: view.Link{Text: "Buy credits", URL: "https://billing.example"},
	}
	a.Credits.Used, a.Credits.Purchased = 5000, 0
	a.Subscription.Plans = view.Link{Text: "See plans", URL: "/account/plans"}
	for i := range a.Keys.Rows[:3] {
		a.Keys.Rows[i].Badge = view.Badge{Tone: view.ToneBad, Text: "402 since 10:12"}
		a.Keys.Rows[i].Reason = "No credits are left; free calls go on"
	}
	return a
}
