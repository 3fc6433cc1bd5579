// Package oidc speaks the protocols of sign-in providers: OpenID Connect with discovery, and the
// OAuth of GitHub.
//
// Package signin uses it to send a browser to a provider and to check the provider's response. The
// package decides whether a response is authentic, and which person it is about. It does not decide
// whether this person may sign in, and it knows neither the database nor the requests of browsers.
// All responses of a provider are bounded in size and time. An error never contains a code, a token
// or the client secret.
package oidc

import (
	"context"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/toksta/toksta/sdk/toksta"
)

// Kind is the protocol of a provider.
type Kind string

// The kinds of providers.
const (
	OpenID Kind = "oidc"
	GitHub Kind = "github"
)

// Config configures a Provider. The registration at the provider has the same ClientID,
// ClientSecret and RedirectURL.
type Config struct {
	Kind         Kind
	Issuer       string // of OpenID: exactly as in the discovery document; of GitHub: its address
	ClientID     string
	ClientSecret toksta.Hidden
	RedirectURL  string // of this provider alone, so that a response cannot be mistaken for another provider's
	Scopes       []string
	// VerifiedClaim is the claim that states whether the address is verified.
	VerifiedClaim string
	// Needed are the names of further claims that the caller reads. If one is missing in the ID
	// token, it is read from the userinfo endpoint.
	Needed []string

	Now     func() time.Time // nil: time.Now
	Timeout time.Duration    // of one request to the provider; 0: 10 s
}

// Provider is a sign-in provider. Its methods are safe for concurrent use.
type Provider struct {
	config Config
	client *http.Client
	known  *discovery
}

// New returns a provider. It sends no request, so a provider that is down does not delay the start.
func New(c Config) *Provider {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Kind == GitHub {
		c.Issuer = strings.TrimSuffix(c.Issuer, "/")
	}
	return &Provider{config: c, client: newClient(c.Timeout), known: newDiscovery()}
}

// AuthURL returns the address to which the browser is sent. With fresh, the provider is asked to
// authenticate the person again, although the person has a session there.
func (p *Provider) AuthURL(ctx context.Context, a Attempt, fresh bool) (string, error) {
	c, err := p.oauth(ctx)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(a.verifier())}
	switch {
	case p.config.Kind == OpenID && fresh:
		options = append(options, oauth2.SetAuthURLParam("nonce", a.nonce()), oauth2.SetAuthURLParam("max_age", "0"))
	case p.config.Kind == OpenID:
		options = append(options, oauth2.SetAuthURLParam("nonce", a.nonce()))
	case fresh:
		options = append(options, oauth2.SetAuthURLParam("prompt", "select_account"))
	}
	return c.AuthCodeURL(a.State(), options...), nil
}

// Callback holds the query fields with which the provider sent the browser back.
type Callback struct {
	Code   toksta.Hidden
	Issuer string // RFC 9207
	Error  string // code of a failure at the provider, such as access_denied
}

// Finish exchanges the code for the provider's statement about the person and verifies it. The
// error is an [Error]. The caller has compared the state with that of the attempt.
func (p *Provider) Finish(ctx context.Context, a Attempt, c Callback) (Person, error) {
	if p.config.Kind == GitHub {
		return p.finishGitHub(ctx, a, c)
	}
	m, err := p.metadata(ctx)
	if err != nil {
		return Person{}, err
	}
	// The issuer comes first: a code of another provider must not be sent to this one.
	if c.Issuer != "" && c.Issuer != p.config.Issuer || c.Issuer == "" && m.IssuerParameter {
		return Person{}, reject(ReasonIssuerParameter, "the response names the issuer %q", c.Issuer)
	}
	token, err := p.exchange(ctx, a, c)
	if err != nil {
		return Person{}, err
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return Person{}, reject(ReasonNoIDToken, "the token response has no ID token: is the scope openid allowed for this client")
	}
	claims, err := p.verifyIDToken(ctx, m, raw)
	if err != nil {
		return Person{}, err
	}
	if err := claims.check(p, a, token.AccessToken); err != nil {
		return Person{}, err
	}
	if err := p.addUserInfo(ctx, m, token, claims.values); err != nil {
		return Person{}, err
	}
	return claims.person(p.config.VerifiedClaim), nil
}

// exchange sends the code to the token endpoint, with the secrets of the browser and of the client.
func (p *Provider) exchange(ctx context.Context, a Attempt, c Callback) (*oauth2.Token, error) {
	if c.Error != "" {
		return nil, reject(ReasonDenied, "the provider reports %s", errorCode(c.Error))
	}
	config, err := p.oauth(ctx)
	if err != nil {
		return nil, err
	}
	token, err := config.Exchange(p.with(ctx), c.Code.Reveal(), oauth2.VerifierOption(a.verifier()))
	if err != nil {
		return nil, tokenError(err)
	}
	return token, nil
}

// oauth returns the endpoints of the provider with the client's registration.
func (p *Provider) oauth(ctx context.Context) (*oauth2.Config, error) {
	endpoint := p.githubEndpoint()
	if p.config.Kind == OpenID {
		m, err := p.metadata(ctx)
		if err != nil {
			return nil, err
		}
		endpoint = m.endpoint()
	}
	return p.registration(endpoint), nil
}

// registration returns the client's registration with the endpoints.
func (p *Provider) registration(endpoint oauth2.Endpoint) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret.Reveal(), Endpoint: endpoint,
		RedirectURL: p.config.RedirectURL, Scopes: p.config.Scopes,
	}
}

// with returns a context with which the libraries use the bounded client.
func (p *Provider) with(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, p.client)
}

// EndSessionURL returns the address at which the person ends the session at the provider; it leads
// back to returnTo, which must be registered there. It returns "" if the provider has no such
// address.
func (p *Provider) EndSessionURL(ctx context.Context, returnTo string) (string, error) {
	if p.config.Kind == GitHub {
		return "", nil
	}
	m, err := p.metadata(ctx)
	if err != nil || m.EndSession == "" {
		return "", err
	}
	return withQuery(m.EndSession, "client_id", p.config.ClientID, "post_logout_redirect_uri", returnTo), nil
}
