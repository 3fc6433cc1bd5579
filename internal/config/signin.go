package config

import (
	"cmp"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/toksta/toksta/internal/text"
)

// SignIn configures how people sign in.
type SignIn struct {
	Links        bool   `yaml:"links"`         // people can sign in by a link in a mail
	SecondFactor string `yaml:"second_factor"` // optional, or required of all people
	Passkeys     bool   `yaml:"passkeys"`      // people can sign in with passkeys
	// PasskeyDomain names the domain of the passkeys: the host of pages_url, or a parent
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
	u := c.pages()
	if !c.SignIn.Passkeys || net.ParseIP(u.Hostname()) != nil || u.Scheme != "https" && !isLocalName(u.Hostname()) {
		return ""
	}
	return cmp.Or(ascii(c.SignIn.PasskeyDomain), u.Hostname())
}

// PagesOrigin returns the origin of the account pages, as browsers state it: in ASCII and lower
// case, without the default port.
func (c Config) PagesOrigin() string {
	u := c.pages()
	return u.Scheme + "://" + u.Host
}

// pages returns pages_url with its host as browsers state it.
func (c Config) pages() url.URL {
	u, err := url.Parse(c.PagesURL)
	if err != nil {
		return url.URL{}
	}
	out := url.URL{Scheme: u.Scheme, Host: u.Host}
	if net.ParseIP(u.Hostname()) == nil {
		out.Host = ascii(u.Hostname())
		if port := u.Port(); port != "" {
			out.Host += ":" + port
		}
	}
	out.Host = strings.TrimSuffix(out.Host, map[string]string{"https": ":443", "http": ":80"}[u.Scheme])
	return out
}

// ascii returns a host name as browsers state it.
func ascii(host string) string {
	name, _ := text.Host(host) // an invalid name is in no URL that passes the checks
	return name
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
	pages, domain := c.cfg.pages(), ascii(s.PasskeyDomain)
	c.require((pages.Hostname() == domain || strings.HasSuffix(pages.Hostname(), "."+domain)) && strings.Contains(domain, "."),
		"signin.passkey_domain", "Browsers reject passkeys of this domain on the account pages.", "write the host of pages_url or a parent domain of it, such as example.com, or leave it empty")
}
