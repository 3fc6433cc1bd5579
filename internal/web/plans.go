package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/web/view"
	"github.com/toksta/toksta/sdk/toksta"
)

// plansPath is the address of the page of plans.
const plansPath = "/account/plans"

// PlansPage states which people see the page of plans.
type PlansPage struct {
	Shown  bool
	Public bool // also people without a session
}

// optional admits people with and without a session. visitor finds the session.
func (p *Pages) optional(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := p.SignIn.Authenticate(r.Context(), p.cookie(r))
		switch {
		case isUnauthorized(err):
			next(w, r)
		case err != nil:
			p.fail(w, r, err)
		default:
			noteIdentity(r, who)
			next(w, r.WithContext(context.WithValue(r.Context(), identityKey{}, who)))
		}
	})
}

// showPlans serves the plans with their prices. It marks the plan of a signed-in person.
func (p *Pages) showPlans(w http.ResponseWriter, r *http.Request) {
	page := view.Plans{Frame: view.Frame{Brand: p.sheet().Brand, Links: p.links(), Now: p.Now()}}
	current := toksta.PlanID("")
	if who, ok := r.Context().Value(identityKey{}).(signin.Identity); ok {
		page.Frame, current = p.frame(r.Context(), view.SectionPlans), who.Account.Plan
	}
	leads := false
	for _, plan := range p.Catalog.Plans {
		if plan.Hidden && plan.ID != current {
			continue
		}
		shown := p.plan(plan, current)
		page.Plans = append(page.Plans, shown)
		leads = leads || shown.Choose.URL != ""
	}
	if !leads {
		ask := view.Banner{}
		step := p.choosePlan()
		step.links = slices.DeleteFunc(step.links, func(l view.Link) bool { return l.URL == plansPath })
		p.offer(&ask, step)
		page.Ask, page.Action = strings.TrimSpace(ask.Text), ask.Action
	}
	p.show(w, r, screen{page: "plans"}, page)
}

// plan describes a plan to people.
func (p *Pages) plan(plan toksta.Plan, current toksta.PlanID) view.Plan {
	out := view.Plan{Name: plan.Name, Current: plan.ID == current}
	out.Price, out.Per = p.price(plan)
	included := view.Fact{Label: "Included credits", Value: "None"}
	if plan.IncludedCredits > 0 {
		included.Value = view.Num(plan.IncludedCredits) + " a month"
	}
	out.Facts = append(out.Facts, included)
	switch {
	case plan.OverageMicros > 0:
		out.Facts = append(out.Facts, view.Fact{Label: "Beyond them", Value: p.money(plan.OverageMicros) + " a credit"})
	case plan.CreditMicros > 0 && out.Per != perCredit:
		out.Facts = append(out.Facts, view.Fact{Label: "Further credits", Value: p.money(plan.CreditMicros) + " each"})
	}
	switch plan.API {
	case toksta.APINever:
		out.Facts = append(out.Facts, view.Fact{Label: "API access", Value: "No"})
	case toksta.APIEntitled:
		out.Facts = append(out.Facts, view.Fact{Label: "API access", Value: "On request"})
	}
	if plan.API != toksta.APINever {
		out.Facts = append(out.Facts, p.rates(plan)...)
		out.Families, out.OnRequest = p.families(plan.Families), p.families(plan.Entitled)
	}
	switch {
	case out.Current:
	case plan.URL != "":
		out.Choose = view.Link{Text: "Choose plan", URL: plan.URL, Outside: true}
	case current == "" && plan.ID == p.Catalog.FreePlan && p.SignIn.Policy == signin.Open:
		out.Choose = view.Link{Text: "Create an account", URL: "/signup"}
	}
	return out
}

// perCredit is the unit of a plan whose headline is the price of a credit.
const perCredit = "a credit"

// price returns the price of a plan and its unit, "" if the vendor states none.
func (p *Pages) price(plan toksta.Plan) (price, per string) {
	switch {
	case plan.FeeMicros > 0:
		return p.money.Short(plan.FeeMicros), "a month"
	case plan.CreditMicros > 0:
		return p.money(plan.CreditMicros), perCredit
	case plan.FeeStated:
		return "Free", ""
	}
	return "", ""
}

// rates returns the limits of a plan.
func (p *Pages) rates(plan toksta.Plan) (out []view.Fact) {
	for _, limit := range []struct {
		own, general int
		unit         string
	}{
		{plan.PerMinute, p.Catalog.PerMinute, "a minute"},
		{plan.PerHour, p.Catalog.PerHour, "an hour"},
		{plan.PerDay, p.Catalog.PerDay, "a day"},
		{plan.Concurrent, p.Catalog.Concurrent, "at a time"},
	} {
		if n := cmp.Or(limit.own, limit.general); n > 0 {
			out = append(out, view.Fact{Label: "Calls " + limit.unit, Value: view.Num(int64(n))})
		}
	}
	return out
}

// families returns families with their descriptions, in the order of the catalog.
func (p *Pages) families(names []toksta.Family) (out []view.Family) {
	for _, f := range p.Catalog.Families {
		if slices.Contains(names, f.Name) {
			out = append(out, view.Family{Name: string(f.Name), Description: f.Description})
		}
	}
	return out
}
