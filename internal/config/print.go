package config

import (
	"maps"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Print encodes the effective configuration as YAML that Load accepts, with
// secrets redacted.
func (c Config) Print() ([]byte, error) {
	c.Store.URL = Redact(c.Store.URL)
	c.RateLimit.Redis = Redact(c.RateLimit.Redis)
	for _, secret := range []*string{&c.Mail.Password, &c.Export.Authorization} {
		if *secret != "" {
			*secret = redacted
		}
	}
	c.Upstreams = maps.Clone(c.Upstreams)
	for name, u := range c.Upstreams {
		u.URL = Redact(u.URL)
		c.Upstreams[name] = u
	}
	c.Webhooks = maps.Clone(c.Webhooks)
	for name, w := range c.Webhooks {
		w.URL = Redact(w.URL)
		if w.Secret != "" {
			w.Secret = redacted
		}
		c.Webhooks[name] = w
	}
	c.SignIn.Providers = maps.Clone(c.SignIn.Providers)
	for name, p := range c.SignIn.Providers {
		if p.ClientSecret != "" {
			p.ClientSecret = redacted
		}
		c.SignIn.Providers[name] = p
	}
	return yaml.Dump(c, yaml.WithQuotePreference(yaml.QuoteDouble))
}

// redacted replaces a secret in output.
const redacted = "redacted"

// Redact replaces the password of a URL, and the values of query fields whose name
// contains "password". If s is not a URL, Redact replaces all of it.
func Redact(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "[redacted]"
	}
	changed := false
	if _, has := u.User.Password(); has {
		u.User = url.UserPassword(u.User.Username(), redacted)
		changed = true
	}
	query := u.Query()
	for field := range query {
		if strings.Contains(strings.ToLower(field), "password") {
			query.Set(field, redacted)
			changed = true
		}
	}
	if !changed {
		return s
	}
	u.RawQuery = query.Encode()
	return u.String()
}
