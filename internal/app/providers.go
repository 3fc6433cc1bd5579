package app

import (
	"maps"
	"slices"
	"strings"

	"github.com/toksta/toksta/internal/config"
	"github.com/toksta/toksta/internal/signin"
	"github.com/toksta/toksta/internal/signin/oidc"
	"github.com/toksta/toksta/sdk/toksta"
)

// providers returns the configured sign-in providers, in the order of their names. It sends no
// request to them.
func providers(c config.Config) (out []signin.Provider) {
	for _, name := range slices.Sorted(maps.Keys(c.SignIn.Providers)) {
		p := c.SignIn.Providers[name]
		one := signin.Provider{
			Name: name, Label: p.Label, SignUp: signin.Policy(p.Signup), Domains: p.Domains,
			TrustsFactor: p.TrustsSecondFactor, FactorValues: p.SecondFactorValues, SignsOut: p.SignOut,
		}
		var claims []string
		for _, a := range p.Accounts {
			one.Rules = append(one.Rules, signin.AccountRule(a))
			if a.Claim != "" {
				claims = append(claims, a.Claim)
			}
		}
		one.Protocol = oidc.New(oidc.Config{
			Kind: oidc.Kind(p.Kind), Issuer: p.Issuer, ClientID: p.ClientID, ClientSecret: toksta.Hide(p.ClientSecret),
			RedirectURL: strings.TrimSuffix(c.PagesURL, "/") + signin.ProviderPath + name + "/callback",
			Scopes:      p.Scopes, VerifiedClaim: p.VerifiedClaim, Needed: claims,
		})
		out = append(out, one)
	}
	return out
}
