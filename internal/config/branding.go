package config

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/toksta/toksta/internal/brand"
)

// Branding configures the vendor's name, look and links on the account pages.
type Branding struct {
	Product      string `yaml:"product"`       // the name that customers know
	Logo         string `yaml:"logo"`          // file, SVG or PNG; "": the initial of the product
	LogoDark     string `yaml:"logo_dark"`     // the same for dark pages; "": Logo
	Accent       string `yaml:"accent"`        // color as #rrggbb; "": Hue
	Hue          int    `yaml:"hue"`           // of the accent color, 190–330
	CSS          string `yaml:"css"`           // file of CSS variables
	EnvVar       string `yaml:"env_var"`       // of the key in examples; default: from Product
	HeaderPrefix string `yaml:"header_prefix"` // of the header fields for back ends and callers
	SupportURL   string `yaml:"support_url"`   // each link is omitted if ""
	StatusURL    string `yaml:"status_url"`    // reports outages
	TermsURL     string `yaml:"terms_url"`     // beside sign-up and sign-in
	BillingURL   string `yaml:"billing_url"`   // Manage billing
	CreditsURL   string `yaml:"credits_url"`   // Buy credits
	Links        []Link `yaml:"links"`         // further ones in the footer

	CSVMark bool `yaml:"csv_byte_order_mark"` // start the CSV file of usage with a byte-order mark
}

// Link is a link in the footer of the pages.
type Link struct {
	Text string `yaml:"text"` // shown to people
	URL  string `yaml:"url"`  // address, https or mailto
}

// Look reads the files of the branding. check has validated them, but they could have changed
// since.
func (b Branding) Look() (brand.Look, error) {
	look := brand.Look{Product: b.Product, EnvVar: b.EnvVar, Hue: b.Hue}
	for _, part := range b.parts() {
		if err := part.read(&look); err != nil {
			return brand.Look{}, fmt.Errorf("read branding.%s: %w", part.name, err)
		}
	}
	return look, nil
}

// lookPart is a setting of the look that is parsed or read from a file.
type lookPart struct {
	name, fix string
	read      func(*brand.Look) error
}

// parts returns the parts of the look that are configured.
func (b Branding) parts() []lookPart {
	all := []lookPart{
		{"accent", "write six hexadecimal digits, such as \"#2b5bd1\"", func(l *brand.Look) error {
			accent, err := brand.ParseColor(b.Accent)
			l.Accent = &accent
			return err
		}},
		{"logo", "name an SVG or PNG file that this process can read", func(l *brand.Look) (err error) {
			l.Logo, err = readFile(b.Logo, brand.MaxLogo, brand.ParseLogo)
			return err
		}},
		{"logo_dark", "name an SVG or PNG file that this process can read", func(l *brand.Look) (err error) {
			l.LogoDark, err = readFile(b.LogoDark, brand.MaxLogo, brand.ParseLogo)
			return err
		}},
		{"css", "docs/branding.md lists the variables", func(l *brand.Look) (err error) {
			l.Variables, err = readFile(b.CSS, brand.MaxVariables, brand.ParseVariables)
			return err
		}},
	}
	values, out := []string{b.Accent, b.Logo, b.LogoDark, b.CSS}, []lookPart(nil)
	for i, value := range values {
		if value != "" {
			out = append(out, all[i])
		}
	}
	return out
}

// readFile parses a file of at most limit bytes.
func readFile[T any](path string, limit int64, parse func([]byte) (T, error)) (out T, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return out, err
	}
	if info.Size() > limit {
		return out, fmt.Errorf("%s has %d bytes, at most %d are allowed", path, info.Size(), limit)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return out, err
	}
	return parse(data)
}

// checkBranding checks the look, the names and the links of the pages.
func (c *checker) checkBranding() {
	b := c.cfg.Branding
	c.require(strings.TrimSpace(b.Product) != "", "branding.product", "The product has no name.", "give the name that customers know")
	c.require(b.Hue >= 190 && b.Hue <= 330, "branding.hue", "With this hue, text has too little contrast or looks like a warning.", "choose one from 190 to 330, or set branding.accent to any color")
	for _, part := range b.parts() {
		if err := part.read(&brand.Look{}); err != nil {
			message := strings.TrimSuffix(err.Error(), ".")
			c.report("branding."+part.name, strings.ToUpper(message[:1])+message[1:]+".", part.fix)
		}
	}
	c.require(b.LogoDark == "" || b.Logo != "", "branding.logo_dark", "There is no logo for light pages.", "set branding.logo too")
	c.require(variablePattern.MatchString(b.EnvVar), "branding.env_var", "This is not the name of an environment variable.", "write letters, digits and _, such as "+brand.EnvVar(cmp.Or(b.Product, brand.Toksta)))
	c.require(headerPattern.MatchString(b.HeaderPrefix) && len(b.HeaderPrefix) <= 31, "branding.header_prefix", "This cannot start the name of a header field.", "write words of letters and digits with hyphens between them, at most 31 characters, such as X-Acme")
	c.require(!isStandardPrefix(b.HeaderPrefix), "branding.header_prefix", "Header fields with another meaning have this prefix, and would be removed.", "choose one of your own, such as X-Acme")
	for path, link := range map[string]string{
		"branding.support_url": b.SupportURL, "branding.status_url": b.StatusURL, "branding.terms_url": b.TermsURL,
		"branding.billing_url": b.BillingURL, "branding.credits_url": b.CreditsURL,
	} {
		c.require(link == "" || isLink(link), path, "This is not a link.", "write an https or mailto URL, or leave it empty")
	}
	for i, l := range b.Links {
		path := fmt.Sprintf("branding.links[%d]", i)
		c.require(strings.TrimSpace(l.Text) != "", path+".text", "The link has no text.", "write one for people, such as Privacy")
		c.require(isLink(l.URL), path+".url", "This is not a link.", "write an https or mailto URL")
	}
}

// isStandardPrefix reports whether well-known header fields start with a prefix.
func isStandardPrefix(prefix string) bool {
	prefix = strings.ToLower(prefix) + "-"
	return slices.ContainsFunc(strings.Fields(standardFields), func(f string) bool { return strings.HasPrefix(f, prefix) })
}

// standardFields has a header field for each prefix that fields of HTTP and of common practice have.
const standardFields = "accept-encoding access-control-allow-origin alt-svc cache-control cdn-cache-control clear-site-data content-type " +
	"cross-origin-opener-policy device-memory early-data grpc-status idempotency-key if-match keep-alive last-event-id max-forwards origin-agent-cluster " +
	"permissions-policy proxy-authorization rate-limit referrer-policy retry-after sec-fetch-site server-timing service-worker set-cookie " +
	"strict-transport-security timing-allow-origin transfer-encoding upgrade-insecure-requests user-agent want-digest www-authenticate " +
	"x-api-key x-b3-traceid x-cache-status x-client-ip x-content-type-options x-correlation-id x-csrf-token x-forwarded-for x-frame-options x-http-method-override " +
	"x-method-override x-original-url x-powered-by x-ratelimit-limit x-real-ip x-request-id x-requested-with x-rewrite-url x-robots-tag x-trace-id x-xss-protection"

// isLink reports whether a page can link to s.
func isLink(s string) bool { return isURL(s, "http", "https", "mailto") }
