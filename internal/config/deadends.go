package config

import "slices"

// deadEnds returns a warning for each missing address. Without it, a page states a
// problem of a customer, but no way to solve it.
func (c Config) deadEnds() []string {
	var out []string
	leadsOn := c.plansLeadOn()
	isPriced := slices.ContainsFunc(c.Routes, func(r Route) bool { return r.Credits > 0 })
	for _, link := range []struct {
		missing bool
		warning string
	}{
		{c.Branding.SupportURL == "", "branding.support_url is empty: customers find no way to ask you."},
		{c.Branding.BillingURL == "" && leadsOn, "branding.billing_url is empty: customers whose payment failed find no link."},
		{c.Branding.BillingURL == "" && !leadsOn, "branding.billing_url is empty: customers whose payment failed, or who need another plan, find no link. For other plans, a url of a plan is enough."},
		{c.Branding.CreditsURL == "" && isPriced && !leadsOn, "branding.credits_url is empty: customers without credits find no link to buy some, and no plan on the page of plans has a url."},
	} {
		if link.missing {
			out = append(out, link.warning)
		}
	}
	return out
}

// plansLeadOn reports whether the page of plans leads people on to a plan. Banners then have a
// link to this page.
func (c Config) plansLeadOn() bool {
	return c.Pages.Plans != PageOff && slices.ContainsFunc(c.Plans, func(p Plan) bool { return p.URL != "" && !p.Hidden })
}
