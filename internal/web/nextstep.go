package web

import (
	"fmt"

	"github.com/toksta/toksta/internal/web/view"
)

// step is a next step that a banner offers: a button, or, if no address for it is
// configured, a sentence that names the vendor.
type step struct {
	links []view.Link
	ask   string // the sentence without a button; %s is the vendor's product
}

// settleBilling leads a person to an open invoice.
func (p *Pages) settleBilling() step {
	return step{[]view.Link{{Text: "Settle billing", URL: p.Brand.BillingURL, Outside: true}, p.supportLink()}, "To settle it, contact %s."}
}

// choosePlan leads a person to other plans.
func (p *Pages) choosePlan() step {
	return step{[]view.Link{p.plansLink(), {Text: "Choose a plan", URL: p.Brand.BillingURL, Outside: true}, p.supportLink()}, "To change the plan, contact %s."}
}

// buyCredits leads a person to more credits.
func (p *Pages) buyCredits() step {
	return step{[]view.Link{
		{Text: "Buy credits", URL: p.Brand.CreditsURL, Outside: true},
		p.plansLink(),
		{Text: "Manage billing", URL: p.Brand.BillingURL, Outside: true},
		p.supportLink(),
	}, "To get more, contact %s."}
}

// contactSupport leads a person to the vendor.
func (p *Pages) contactSupport() step {
	return step{[]view.Link{p.supportLink()}, "To change this, contact %s."}
}

func (p *Pages) supportLink() view.Link {
	return view.Link{Text: "Contact support", URL: p.Brand.SupportURL, Outside: true}
}

// plansLink returns the link to the page of plans, without an address if the page
// does not lead on to any plan.
func (p *Pages) plansLink() view.Link {
	for _, plan := range p.Catalog.Plans {
		if p.Plans.Shown && plan.URL != "" && !plan.Hidden {
			return view.Link{Text: "See plans", URL: plansPath}
		}
	}
	return view.Link{Text: "See plans"}
}

// offer adds the step to a banner: its first link with an address, otherwise the
// sentence.
func (p *Pages) offer(b *view.Banner, s step) {
	for _, link := range s.links {
		if link.URL != "" {
			b.Action = link
			return
		}
	}
	vendor := p.Brand.Product
	if vendor == "" {
		vendor = "the vendor"
	}
	b.Text += " " + fmt.Sprintf(s.ask, vendor)
}
