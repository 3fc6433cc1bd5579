package config

import "slices"

// Embed states which pages may show the keys in a frame. Without origins, none may.
type Embed struct {
	Origins     []string `yaml:"origins,flow"` // scheme://host[:port] of the vendor's pages
	ColorScheme string   `yaml:"color_scheme"` // SchemeAuto, or always light or dark
}

// SchemeAuto follows the person's system.
const SchemeAuto = "auto"

// checkEmbed requires origins that can frame the pages. Browsers keep the cookie of a frame only
// over TLS or on this machine.
func (c *checker) checkEmbed() {
	c.require(slices.Contains([]string{SchemeAuto, "light", "dark"}, c.cfg.Embed.ColorScheme), "embed.color_scheme", "There is no such scheme.", "write auto, light or dark")
	for _, o := range c.cfg.Embed.Origins {
		c.require(isOrigin(o), "embed.origins", "The entry "+o+" is not an origin as browsers send it.", "write scheme, host and port in lower case, such as https://app.example.com")
		c.require(IsPrivateURL(o), "embed.origins", "The page at "+o+" is sent over plain HTTP, so others could read the link of a session.", "write the https origin of the page")
	}
	c.require(len(c.cfg.Embed.Origins) == 0 || IsPrivateURL(c.cfg.PagesURL), "embed.origins", "Browsers keep no cookie of a frame that is sent over plain HTTP.", "set pages_url to an https address, or leave the list empty")
	c.require(c.cfg.Sessions.VendorURL == "" || isURL(c.cfg.Sessions.VendorURL, "http", "https") && IsPrivateURL(c.cfg.Sessions.VendorURL), "sessions.vendor_url", "This is not an https URL.", "write the address of a page of yours, such as https://app.example.com/api-keys")
}

// IsPrivateURL reports whether the URL is of TLS or of this machine, so that no other machine can
// read the traffic.
func IsPrivateURL(address string) bool { return isURL(address, "https") || isLocalURL(address) }
