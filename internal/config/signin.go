package config

import (
	"cmp"
	"net"
	"net/url"
	"slices"
	"strings"
)

// SignIn configures how people sign in.
type SignIn struct {
	Links        bool   `yaml:"links"`         // people can sign in by a link in a mail
	SecondFactor string `yaml:"second_factor"` // optional, or required of all people
	Passkeys     bool   `yaml:"passkeys"`      // people can sign in with passkeys
	// PasskeyDomain is the domain for which passkeys are made: the host of pages_url, or a parent
	// domain of it; "": the host of pages_url. Passkeys of another domain stop working.
	PasskeyDomain string              `yaml:"passkey_domain"`
	Password      bool                `yaml:"password"`  // people can sign in with an e-mail address and a password
	Providers     map[string]Provider `yaml:"providers"` // by name, which is a part of the redirect URI
}

// FactorRequired is the value of SignIn.SecondFactor with which all people need a second factor.
const FactorRequired = "required"

// PasskeyDomain returns the domain of passkeys, "" if browsers make no passkeys for pages_url: its
// host is an IP address, or it is not https.
func (c Config) PasskeyDomain() string {
	u, err := url.Parse(c.PagesURL)
	if err != nil || !c.SignIn.Passkeys || net.ParseIP(u.Hostname()) != nil {
		return ""
	}
	if u.Scheme != "https" && !isLocalName(u.Hostname()) {
		return ""
	}
	return cmp.Or(c.SignIn.PasskeyDomain, u.Hostname())
}

// PagesOrigin returns the origin of the account pages, as browsers state it.
func (c Config) PagesOrigin() string {
	u, err := url.Parse(c.PagesURL)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// isLocalName reports whether browsers treat a host as secure without https.
func isLocalName(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// checkSignIn checks how people sign in. A second factor that is required must be possible.
func (c *checker) checkSignIn() {
	s := c.cfg.SignIn
	c.require(slices.Contains([]string{"optional", FactorRequired}, s.SecondFactor), "signin.second_factor", "There is no such rule.", "write optional or required")
	c.checkProviders()
	if s.PasskeyDomain == "" || c.hasProblem("pages_url") {
		return
	}
	u, err := url.Parse(c.cfg.PagesURL)
	c.require(err == nil && (u.Hostname() == s.PasskeyDomain || strings.HasSuffix(u.Hostname(), "."+s.PasskeyDomain)) && strings.Contains(s.PasskeyDomain, "."),
		"signin.passkey_domain", "Browsers reject passkeys of this domain on the account pages.", "write the host of pages_url or a parent domain of it, such as example.com, or leave it empty")
}
