package config

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// CORS states which scripts in browsers may call the API. Without origins, none may.
type CORS struct {
	Origins []string      `yaml:"origins,flow"` // scheme://host[:port]; "*": every one
	Headers []string      `yaml:"headers,flow"` // of requests, beside those that every call may have
	MaxAge  time.Duration `yaml:"max_age"`      // of a browser's copy of the permission
}

// fieldNamePattern matches a field name (RFC 9110, token).
var fieldNamePattern = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// checkCORS requires origins as browsers send them. "null" is the origin of any sandboxed page.
func (c *checker) checkCORS() {
	cors := c.cfg.CORS
	for _, o := range cors.Origins {
		c.require(o == "*" || isOrigin(o), "cors.origins", "The entry "+o+" is not an origin as browsers send it.", "write scheme, host and port in lower case, such as https://app.example.com")
	}
	c.require(len(cors.Origins) < 2 || !slices.Contains(cors.Origins, "*"), "cors.origins", "The list has * beside other origins.", "write only [\"*\"], or only origins")
	for _, name := range cors.Headers {
		c.require(fieldNamePattern.MatchString(name) && name != "*", "cors.headers", "The entry "+name+" is not the name of a header field.", "write one such as Idempotency-Key")
	}
	c.require(cors.MaxAge >= 0 && cors.MaxAge <= 24*time.Hour, "cors.max_age", "The duration "+cors.MaxAge.String()+" is out of range.", "choose one from 0s to 24h, with its unit")
}

// isOrigin reports whether s is an origin in its only spelling, which browsers send without the
// default port.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != s || s != strings.ToLower(s) {
		return false
	}
	standard := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	return standard != "" && u.Port() != standard && !strings.HasSuffix(u.Host, ":") && isURL(s, "http", "https")
}

// Warnings returns sentences about settings that are valid and can be a mistake.
func (c Config) Warnings() []string {
	return slices.Concat(c.corsWarnings(), c.operatorWarnings(), c.forwardAuthWarnings(), c.deadEnds())
}

// corsWarnings returns the risks of calls from browsers.
func (c Config) corsWarnings() []string {
	var out []string
	if len(c.CORS.Origins) > 0 {
		out = append(out, "cors.origins lets scripts in browsers call the API: whoever uses such a page can read the key in it. Give each user a key of their own, with a narrow scope and limit, and never a key of yours.")
	}
	if slices.Contains(c.CORS.Origins, "*") {
		out = append(out, "cors.origins is *: scripts of every site can call the API with a key that they know.")
	}
	return out
}
