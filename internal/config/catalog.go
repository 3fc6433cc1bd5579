package config

import (
	"net/url"

	"github.com/toksta/toksta/sdk/toksta"
)

// Admit is the value of a status that admits the account's keys.
const Admit toksta.Reason = "admit"

// Catalog converts the vendor's offer to the form that the request path reads.
func (c Config) Catalog() *toksta.Catalog {
	out := &toksta.Catalog{
		Shape:     toksta.KeyShape{Prefix: c.Keys.Prefix},
		Currency:  c.Currency,
		Statuses:  make(map[toksta.Status]toksta.Reason, len(c.Statuses)),
		FreePlan:  c.Signup.Plan,
		MaxKeys:   c.Keys.MaxLive,
		PerMinute: c.RateLimit.PerMinute, PerHour: c.RateLimit.PerHour, PerDay: c.RateLimit.PerDay, Concurrent: c.RateLimit.Concurrent,
	}
	for status, reason := range c.Statuses {
		if reason == Admit {
			reason = ""
		}
		out.Statuses[status] = reason
	}
	for _, f := range c.Families {
		out.Families = append(out.Families, toksta.FamilyInfo{Name: f.Name, Description: f.Description})
	}
	for _, p := range c.Plans {
		out.Plans = append(out.Plans, toksta.Plan{
			ID: p.ID, Name: p.Name, Source: p.Source, API: p.API,
			Families: p.Families, Entitled: p.Entitled,
			FeeMicros: p.Fee.micros(), FeeStated: p.Fee != nil, URL: p.URL, Hidden: p.Hidden, IncludedCredits: p.IncludedCredits,
			OverageMicros: int64(p.Overage), CreditMicros: int64(p.CreditPrice),
			PerMinute: p.PerMinute, PerHour: p.PerHour, PerDay: p.PerDay, Concurrent: p.Concurrent,
		})
	}
	for _, r := range c.Routes {
		out.Routes = append(out.Routes, r.catalogRoutes()...)
	}
	out.Routes = c.insertUsage(out.Routes)
	return out
}

// SecureCookies reports whether the account pages are served over https, so that
// their cookies can require it.
func (c Config) SecureCookies() bool {
	u, err := url.Parse(c.PagesURL)
	return err == nil && u.Scheme == "https"
}
