package config

import "slices"

// deadEnds returns a warning for each missing address. Without it, a page states a
// problem of a customer, but no way to solve it.
func (c Config) deadEnds() []string {
	var out []string
	isPriced := slices.ContainsFunc(c.Routes, func(r Route) bool { return r.Credits > 0 })
	for _, link := range []struct {
		missing bool
		warning string
	}{
		{c.Branding.SupportURL == "", "branding.support_url is empty: customers find no way to ask you."},
		{c.Branding.BillingURL == "", "branding.billing_url is empty: customers whose payment failed, or who need another plan, find no link."},
		{c.Branding.CreditsURL == "" && isPriced, "branding.credits_url is empty: customers without credits find no link to buy some."},
	} {
		if link.missing {
			out = append(out, link.warning)
		}
	}
	return out
}
