package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/toksta/toksta/sdk/toksta"
)

// Provider is a sign-in provider: an OpenID Connect provider, or GitHub.
type Provider struct {
	Label            string   `yaml:"label"`              // on the button: Continue with LABEL; default: the name
	Kind             string   `yaml:"kind"`               // oidc (default) or github
	Issuer           string   `yaml:"issuer"`             // of an OIDC provider, exactly as it states it; for github: https://github.com (default) or a GitHub Enterprise Server
	ClientID         string   `yaml:"client_id"`          // from the registration at the provider
	ClientSecret     string   `yaml:"client_secret"`      // from the environment or client_secret_file
	ClientSecretFile string   `yaml:"client_secret_file"` // file with the secret
	Scopes           []string `yaml:"scopes,flow"`        // default: openid, profile, email
	// Signup states which new people may sign in: open, invited or closed; default
	// signup.policy. A person whom accounts match may always sign in.
	Signup   string            `yaml:"signup"`
	Domains  []string          `yaml:"domains,flow"` // of the verified addresses of new people; empty: any
	Accounts []ProviderAccount `yaml:"accounts"`     // accounts that people join by their groups or their domain
	// VerifiedClaim names the claim by which the provider states that the address is
	// verified; default email_verified.
	VerifiedClaim string `yaml:"verified_claim"`
	// TrustsSecondFactor lets a sign-in by this provider count as a second factor.
	TrustsSecondFactor bool     `yaml:"trusts_second_factor"`
	SecondFactorValues []string `yaml:"second_factor_values,flow"` // values of amr or acr with which a sign-in counts as a second factor, such as mfa
	SignOut            bool     `yaml:"sign_out"`                  // signing out here also ends the session at the provider
}

// ProviderAccount gives the people with a claim, or with a domain, a role in an account. Either
// claim and value or domain are set.
type ProviderAccount struct {
	Claim   string            `yaml:"claim"`   // name of a claim whose value is a text or a list, such as groups
	Value   string            `yaml:"value"`   // in the claim
	Domain  string            `yaml:"domain"`  // of the verified address
	Account toksta.AccountID  `yaml:"account"` // its id or its external id
	Role    toksta.MemberRole `yaml:"role"`    // owner, admin, developer, billing or viewer
}

// githubIssuer is the address of GitHub.
const githubIssuer = "https://github.com"

// setProviderDefaults sets each empty setting of a provider whose default depends on others.
func (c *checker) setProviderDefaults() {
	for name, p := range c.cfg.SignIn.Providers {
		p.Label = cmp.Or(p.Label, name)
		p.Kind = cmp.Or(p.Kind, "oidc")
		p.Signup = cmp.Or(p.Signup, c.cfg.Signup.Policy)
		p.VerifiedClaim = cmp.Or(p.VerifiedClaim, "email_verified")
		switch p.Kind {
		case "github":
			p.Issuer = cmp.Or(p.Issuer, githubIssuer)
			if len(p.Scopes) == 0 {
				p.Scopes = []string{"read:user", "user:email"}
			}
		default:
			if len(p.Scopes) == 0 {
				p.Scopes = []string{"openid", "profile", "email"}
			}
		}
		c.cfg.SignIn.Providers[name] = p
	}
}

// checkProviders checks the sign-in providers. Passkeys alone let no new person in.
func (c *checker) checkProviders() {
	s := c.cfg.SignIn
	c.require(s.Password || len(s.Providers) > 0, "signin.password", "People could not sign in.", "write true, or configure signin.providers")
	for name, p := range s.Providers {
		c.checkProvider("signin.providers."+name, name, p)
	}
}

// checkProvider checks one provider. Its people get access to accounts, so its address must be
// authentic and its secret must not be in the configuration file.
func (c *checker) checkProvider(path, name string, p Provider) {
	c.require(webhookPattern.MatchString(name), path, "The provider's name is malformed.", "write 1 to 32 lower-case letters, digits and _, starting with a letter")
	c.require(p.Kind == "oidc" || p.Kind == "github", path+".kind", "There is no such kind of provider.", "write oidc or github")
	c.require(len(p.Label) <= 60, path+".label", "The label is too long for a button.", "write at most 60 characters, such as Acme")
	switch {
	case !isURL(p.Issuer, "http", "https"):
		c.report(path+".issuer", "This is not an https URL.", "write the issuer exactly as the provider states it, such as https://accounts.google.com")
	case !isBaseURL(p.Issuer):
		c.report(path+".issuer", "The URL has a user, a query or a fragment.", "write the issuer exactly as the provider states it, without /.well-known/openid-configuration")
	case strings.HasPrefix(p.Issuer, "http:") && !isLocalURL(p.Issuer):
		c.report(path+".issuer", "An attacker in the network could sign in as any person.", "use the https address of the provider")
	case strings.HasSuffix(p.Issuer, "/.well-known/openid-configuration"):
		c.report(path+".issuer", "This is the address of the discovery document, not the issuer.", "leave out /.well-known/openid-configuration")
	}
	c.require(p.ClientID != "", path+".client_id", "The provider has no client id.", "register Toksta at the provider, and write the id that it gave")
	variable := variablePrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_")) + "_CLIENT_SECRET"
	c.require(p.ClientSecret == "" || !c.isInline(path+".client_secret", p.ClientSecretFile), path+".client_secret",
		"The configuration file contains the client secret.", "put it in a file named by client_secret_file, or in "+variable)
	c.require(p.ClientSecret != "", path+".client_secret", "The provider has no client secret.", "put it in a file named by client_secret_file, or in "+variable)
	c.require(p.Kind != "oidc" || slices.Contains(p.Scopes, "openid"), path+".scopes", "Without the scope openid there is no ID token.", "write [openid, profile, email]")
	c.require(slices.Contains([]string{"open", "invited", "closed"}, p.Signup), path+".signup", "There is no such policy.", "write open, invited or closed")
	c.require(p.Kind == "oidc" || p.VerifiedClaim == "email_verified", path+".verified_claim", "GitHub has no claims.", "remove it; GitHub itself states which address is verified")
	c.require(p.Kind == "oidc" || !p.SignOut && len(p.SecondFactorValues) == 0, path, "GitHub has no sign-out for other sites and does not state second factors.", "remove sign_out and second_factor_values")
	for i, d := range p.Domains {
		c.checkDomain(fmt.Sprintf("%s.domains[%d]", path, i), d)
	}
	for i, a := range p.Accounts {
		c.checkProviderAccount(fmt.Sprintf("%s.accounts[%d]", path, i), p.Kind, a)
	}
}

// checkProviderAccount checks one rule by which people join an account.
func (c *checker) checkProviderAccount(path, kind string, a ProviderAccount) {
	byClaim, byDomain := a.Claim != "" && a.Value != "", a.Domain != ""
	c.require(byClaim != byDomain && (a.Claim == "") == (a.Value == ""), path, "The rule names not exactly one condition.", "write claim and value, or domain")
	c.require(!byClaim || kind == "oidc", path+".claim", "GitHub has no claims.", "use domain")
	c.require(a.Account != "", path+".account", "The rule names no account.", "write the id or the external id of an account")
	c.require(a.Role.IsValid(), path+".role", fmt.Sprintf("There is no role %q.", a.Role), fmt.Sprintf("choose from %v", toksta.MemberRoles()))
	if byDomain {
		c.checkDomain(path+".domain", a.Domain)
	}
}

// checkDomain checks the domain of mail addresses.
func (c *checker) checkDomain(path, domain string) {
	c.require(isHost(domain) && strings.Contains(domain, "."), path, fmt.Sprintf("%q is not the domain of mail addresses.", domain), "write it as acme.example, without @")
}
