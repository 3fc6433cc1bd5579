package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// defaultSource is the source of a plan that states none.
const defaultSource = "plan"

// Consent holds the terms that a person must accept to sign up. Without a text and a
// URL, people sign up without a consent.
type Consent struct {
	Text string `yaml:"text"` // beside the box; default, with a URL: I accept the terms of service.
	URL  string `yaml:"url"`  // of the terms
}

// Sentence returns the text beside the box, "" if no consent is asked for.
func (c Consent) Sentence() string {
	text := strings.TrimSpace(c.Text)
	if text == "" && c.URL != "" {
		text = "I accept the terms of service."
	}
	return text
}

// Terms returns the accepted terms as they are recorded: the text with its URL.
func (c Consent) Terms() string {
	return strings.TrimSpace(c.Sentence() + " " + c.URL)
}

// The values of Pages.Plans.
const (
	PageOff     = "off"
	PageMembers = "members" // for people who are signed in
	PagePublic  = "public"
)

// Pages configures which pages exist beside those of an account.
type Pages struct {
	Plans string `yaml:"plans"` // the page of plans with their prices: off, members or public
}

// setPlanDefaults sets the missing settings of each plan: source, access to the API,
// and families.
func (c *checker) setPlanDefaults() {
	for i := range c.cfg.Plans {
		p := &c.cfg.Plans[i]
		if p.Source == "" {
			p.Source = defaultSource
		}
		if p.API == "" {
			p.API = toksta.APIAlways
		}
		if p.Families != nil {
			continue
		}
		for _, f := range c.cfg.Families {
			if !slices.Contains(p.Entitled, f.Name) {
				p.Families = append(p.Families, f.Name)
			}
		}
	}
}

// checkOpenPlan checks the plan of people who sign up without an invitation. Their
// addresses are not verified, so that a person can sign up several times.
func (c *checker) checkOpenPlan(path string, p Plan) {
	c.require(p.URL == "" || isURL(p.URL, "http", "https", "mailto"), path+".url", "This is not a link.", "write an https or mailto URL, or leave it empty")
	if c.hasProblem(path) || p.ID != c.cfg.Signup.Plan || p.API != toksta.APIAlways || c.cfg.Signup.Policy != "open" {
		return
	}
	c.require(p.Overage == 0, "signup.plan", "Everybody could sign up for "+p.Name+" and use credits beyond the included ones without paying.",
		"choose a plan without overage, or signup.policy: invited")
	c.require(p.IncludedCredits == 0 || c.cfg.Signup.Consent.Sentence() != "", "signup.plan",
		"Each new sign-up would get the credits of "+p.Name+", so one person could repeat it.",
		"set signup.consent to terms that forbid it, choose a plan without included credits, or signup.policy: invited")
}

// checkConsent checks the consent of people who sign up.
func (c *checker) checkConsent() {
	consent := c.cfg.Signup.Consent
	c.require(consent.URL == "" || isURL(consent.URL, "http", "https"), "signup.consent.url", "This is not a link.", "write the https URL of the terms, or leave it empty")
	c.require(len(consent.Terms()) <= maxTerms, "signup.consent.text", "The text is too long to be shown beside a box.", fmt.Sprintf("write at most %d bytes, and the terms at signup.consent.url", maxTerms))
}

// maxTerms bounds the recorded terms, in bytes.
const maxTerms = 1000

// checkOptionalPages checks the pages that can be switched off.
func (c *checker) checkOptionalPages() {
	c.require(slices.Contains([]string{PageOff, PageMembers, PagePublic}, c.cfg.Pages.Plans), "pages.plans", "There is no such setting.", "write off, members or public")
}

// checkCurrency checks the currency, and that each fee can be charged in it. Prices
// of a credit can have more decimals, because a bill has the price of many.
func (c *checker) checkCurrency() {
	currency := c.cfg.Currency
	c.require(currency.IsKnown(), "currency", fmt.Sprintf("There is no currency %q.", currency), "write a code of ISO 4217 in capitals, such as USD, EUR or JPY")
	if !currency.IsKnown() {
		return
	}
	unit := int64(toksta.MicrosPerUnit)
	for range currency.Digits() {
		unit /= 10
	}
	for i, p := range c.cfg.Plans {
		c.require(p.Fee.micros()%unit == 0, fmt.Sprintf("plans[%d].fee", i),
			fmt.Sprintf("The fee %s has more than the %d decimals of %s.", toksta.Amount(p.Fee.micros()), currency.Digits(), currency.Code()),
			"round it; only prices of a credit can have more decimals")
	}
}
