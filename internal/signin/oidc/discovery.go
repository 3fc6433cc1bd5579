package oidc

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// A discovery document is read again after refreshAfter. If that fails, the old document is used until
// uselessAfter, and reading is tried again after retryAfter.
const (
	refreshAfter = time.Hour
	uselessAfter = 24 * time.Hour
	retryAfter   = 10 * time.Second
)

// discovery caches the discovery document of one provider.
type discovery struct {
	lock    chan struct{}            // held while the document is read; of capacity 1, so that waiting for it ends with the context
	current atomic.Pointer[metadata] // nil: never read
	tried   time.Time                // when reading last failed
	failure *Error
}

func newDiscovery() *discovery { return &discovery{lock: make(chan struct{}, 1)} }

// cached returns the document if it was read less than an age ago, otherwise nil.
func (d *discovery) cached(now time.Time, age time.Duration) *metadata {
	if m := d.current.Load(); m != nil && now.Sub(m.read) < age {
		return m
	}
	return nil
}

// metadata is the checked part of a discovery document, with the verifiers for the provider's keys.
type metadata struct {
	Authorization   string   `json:"authorization_endpoint"`
	Token           string   `json:"token_endpoint"`
	Keys            string   `json:"jwks_uri"`
	UserInfo        string   `json:"userinfo_endpoint"`
	EndSession      string   `json:"end_session_endpoint"`
	Algorithms      []string `json:"id_token_signing_alg_values_supported"`
	Authentication  []string `json:"token_endpoint_auth_methods_supported"`
	IssuerParameter bool     `json:"authorization_response_iss_parameter_supported"`

	read time.Time
	// Both have their own limit of requests for keys: ID tokens come from the provider, and logout
	// tokens can come from an attacker, who must not delay sign-ins.
	idKeys, logoutKeys keys
}

// metadata returns the provider's metadata, from the cache or from the provider. While one sign-in reads
// the document, others use the cached one or wait for the result, so that they do not queue for a
// provider that does not respond.
func (p *Provider) metadata(ctx context.Context) (*metadata, error) {
	d := p.known
	if m := d.cached(p.config.Now(), refreshAfter); m != nil {
		return m, nil
	}
	select {
	case d.lock <- struct{}{}:
	default:
		if m := d.cached(p.config.Now(), uselessAfter); m != nil {
			return m, nil
		}
		select {
		case d.lock <- struct{}{}:
		case <-ctx.Done():
			return nil, reject(ReasonUnavailable, "wait for the discovery document: %v", ctx.Err())
		}
	}
	defer func() { <-d.lock }()
	failure := p.refresh(ctx)
	if m := d.cached(p.config.Now(), uselessAfter); m != nil {
		return m, nil
	}
	return nil, failure
}

// refresh reads the discovery document, unless the cached one is current or reading failed a moment ago.
// It returns the failure, nil if the cached document is current. The caller must hold the lock.
func (p *Provider) refresh(ctx context.Context) *Error {
	d, now := p.known, p.config.Now()
	switch {
	case d.cached(now, refreshAfter) != nil: // another sign-in has read it
		return nil
	case d.failure != nil && now.Sub(d.tried) < retryAfter:
		return d.failure
	}
	m, failure := p.discover(ctx)
	switch {
	case failure == nil:
		d.current.Store(m)
		d.failure = nil
	case ctx.Err() == nil: // a caller that gave up says nothing about the provider
		// The time after the request: a request can take as long as retryAfter.
		d.failure, d.tried = failure, p.config.Now()
	}
	return failure
}

// discover reads the discovery document for the cache. It keeps the cached keys if the document has
// the same address of keys as before.
func (p *Provider) discover(ctx context.Context) (*metadata, *Error) {
	m, failure := p.readDocument(ctx)
	if failure != nil {
		return nil, failure
	}
	if last := p.known.current.Load(); last != nil && last.Keys == m.Keys {
		m.idKeys, m.logoutKeys = last.idKeys, last.logoutKeys
		return m, nil
	}
	m.idKeys, m.logoutKeys = p.keySet(m.Keys), p.keySet(m.Keys)
	return m, nil
}

// readDocument reads and checks the discovery document. The result has no verifiers for keys.
func (p *Provider) readDocument(ctx context.Context) (*metadata, *Error) {
	document, err := gooidc.NewProvider(p.with(ctx), p.config.Issuer)
	if err != nil {
		if wrong, ok := err.(*gooidc.IssuerMismatchError); ok {
			return nil, reject(ReasonMetadata, "the discovery document names the issuer %q, the configuration %q", wrong.Discovered, wrong.Provided)
		}
		return nil, reject(ReasonUnavailable, "read the discovery document: %v", err)
	}
	m := &metadata{read: p.config.Now()}
	if err := document.Claims(m); err != nil {
		return nil, reject(ReasonMetadata, "decode the discovery document: %v", err)
	}
	for _, required := range []string{m.Authorization, m.Token, m.Keys} {
		if required == "" {
			return nil, reject(ReasonMetadata, "the discovery document lacks authorization_endpoint, token_endpoint or jwks_uri")
		}
	}
	for _, address := range []string{m.Authorization, m.Token, m.Keys, m.UserInfo, m.EndSession} {
		if address != "" && !isSafe(address, p.config.Issuer) {
			return nil, reject(ReasonMetadata, "the discovery document names the address %q, which is not https", address)
		}
	}
	return m, nil
}

// keys is a cache of the keys of a provider. An unknown key makes it read them again, at most once in
// keyInterval.
type keys struct {
	gooidc.KeySet
	requests *spaced
}

// keySet returns the keys at an address.
func (p *Provider) keySet(address string) keys {
	client := *p.client
	requests := &spaced{next: p.client.Transport, now: p.config.Now}
	client.Transport = requests
	return keys{gooidc.NewRemoteKeySet(context.WithValue(context.Background(), oauth2.HTTPClient, &client), address), requests}
}

// isSafe reports whether an address of a discovery document has the scheme of the issuer: https, or
// http of a provider on this machine.
func isSafe(address, issuer string) bool {
	u, err := url.Parse(address)
	from, fromErr := url.Parse(issuer)
	return err == nil && fromErr == nil && u.Host != "" && u.User == nil &&
		(u.Scheme == "https" || u.Scheme == "http" && from.Scheme == "http")
}

// endpoint returns the endpoints of the code flow. By default, a client authenticates with HTTP Basic.
func (m *metadata) endpoint() oauth2.Endpoint {
	style := oauth2.AuthStyleInHeader
	if len(m.Authentication) > 0 && !slices.Contains(m.Authentication, "client_secret_basic") {
		style = oauth2.AuthStyleInParams
	}
	return oauth2.Endpoint{AuthURL: m.Authorization, TokenURL: m.Token, AuthStyle: style}
}

// algorithms returns the algorithms of signatures that are accepted: those that the provider states,
// if they are asymmetric. A secret that client and provider share proves nothing about the provider.
func (m *metadata) algorithms() (out []string) {
	asymmetric := []string{
		gooidc.RS256, gooidc.RS384, gooidc.RS512, gooidc.ES256, gooidc.ES384, gooidc.ES512,
		gooidc.PS256, gooidc.PS384, gooidc.PS512, gooidc.EdDSA,
	}
	for _, name := range m.Algorithms {
		if slices.Contains(asymmetric, name) {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		out = []string{gooidc.RS256}
	}
	return out
}

// getJSON requests a JSON document, with an access token if there is one.
func (p *Provider) getJSON(ctx context.Context, address string, token *oauth2.Token) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	if token != nil {
		token.SetAuthHeader(request)
	}
	return p.client.Do(request)
}
