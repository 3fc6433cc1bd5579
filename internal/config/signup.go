package config

import (
	"cmp"
	"slices"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

// Signup configures how people create accounts.
type Signup struct {
	Policy             string        `yaml:"policy"`              // open, invited or closed
	Plan               toksta.PlanID `yaml:"plan"`                // of a new account
	InvitationLifetime time.Duration `yaml:"invitation_lifetime"` // from its creation
	Verification       string        `yaml:"verification"`        // before_signin, before_keys or off; default: before_signin with a mail server, otherwise off
	UnverifiedLifetime time.Duration `yaml:"unverified_lifetime"` // of a sign-up whose address is not verified
	Consent            Consent       `yaml:"consent"`             // that a person must give
}

// The values of Signup.Verification.
const (
	VerifyBeforeSignIn = "before_signin"
	VerifyBeforeKeys   = "before_keys"
	VerifyOff          = "off"
)

// Verification returns when a person who signs up must have verified the address. The default
// depends on the mail server, because the link is mailed.
func (c Config) Verification() string {
	if c.Mail.Server == "" {
		return cmp.Or(c.Signup.Verification, VerifyOff)
	}
	return cmp.Or(c.Signup.Verification, VerifyBeforeSignIn)
}

// checkLinks checks the settings that need mails with links. A sign-up or a sign-in that waits for
// a mail which is never sent would end there.
func (c *checker) checkLinks() {
	const fix = "set mail.server and mail.from"
	noMail := c.cfg.Mail.Server == ""
	v := c.cfg.Signup.Verification
	c.require(slices.Contains([]string{"", VerifyBeforeSignIn, VerifyBeforeKeys, VerifyOff}, v), "signup.verification",
		"There is no such setting.", "write before_signin, before_keys or off")
	c.require(!noMail || v != VerifyBeforeSignIn && v != VerifyBeforeKeys, "signup.verification",
		"The address of a new member is verified by a mail, and no mail server is configured.", fix+", or write off")
	c.require(!noMail || !c.cfg.SignIn.Links, "signin.links", "The links to sign in are mailed, and no mail server is configured.", fix+", or write false")
}
