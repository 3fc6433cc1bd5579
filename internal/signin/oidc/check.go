package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"golang.org/x/oauth2"
)

// RedirectURL returns the address that must be registered at the provider.
func (p *Provider) RedirectURL() string { return p.config.RedirectURL }

// Check tests the provider and the client's registration without a person: it reads the discovery
// document and the keys, or requests the API of GitHub, and sends a random code to the token
// endpoint. It uses no cached document and changes none. The error is an [Error].
func (p *Provider) Check(ctx context.Context) error {
	endpoint := p.githubEndpoint()
	if p.config.Kind == GitHub {
		if err := p.checkAPI(ctx); err != nil {
			return err
		}
	} else {
		m, failure := p.readDocument(ctx)
		if failure != nil {
			return failure
		}
		if err := p.checkKeys(ctx, m.Keys); err != nil {
			return err
		}
		endpoint = m.endpoint()
	}
	return p.checkClient(ctx, endpoint)
}

// checkAPI requests the API of GitHub. A server in private mode denies a request without a token,
// which proves as well that it can be reached.
func (p *Provider) checkAPI(ctx context.Context) error {
	response, err := p.getJSON(ctx, p.githubAPI()+"/meta", nil)
	if err == nil {
		return response.Body.Close()
	}
	if status, ok := errors.AsType[statusError](err); ok && (status == http.StatusUnauthorized || status == http.StatusForbidden) {
		return nil
	}
	return reject(ReasonUnavailable, "request the API: %v", err)
}

// checkKeys reads the keys at an address, without the limit of requests of the cached ones.
func (p *Provider) checkKeys(ctx context.Context, address string) error {
	response, err := p.getJSON(ctx, address, nil)
	if err != nil {
		return reject(ReasonUnavailable, "read the keys of the provider: %v", err)
	}
	defer response.Body.Close()
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(response.Body).Decode(&set); err != nil {
		return reject(ReasonMetadata, "decode the keys of the provider: %v", err)
	}
	if len(set.Keys) == 0 {
		return reject(ReasonMetadata, "the provider states no keys")
	}
	return nil
}

// rejectedCodes are the codes with which a token endpoint rejects the code and not the client. The last one is of GitHub.
var rejectedCodes = []string{"invalid_grant", "invalid_request", "bad_verification_code"}

// checkClient sends a random code to the token endpoint. The endpoint authenticates the client before
// it checks the code (RFC 6749, section 4.1.3), so a wrong client secret has another error. A provider
// that checks the code first passes with a wrong secret.
func (p *Provider) checkClient(ctx context.Context, endpoint oauth2.Endpoint) error {
	a := NewAttempt()
	_, err := p.registration(endpoint).Exchange(p.with(ctx), a.State(), oauth2.VerifierOption(a.verifier()))
	if err == nil {
		return reject(ReasonCode, "the token endpoint accepts a code that it did not issue")
	}
	failed, ok := errors.AsType[*oauth2.RetrieveError](err)
	if ok && failed.Response.StatusCode < http.StatusInternalServerError && slices.Contains(rejectedCodes, failed.ErrorCode) {
		return nil
	}
	return tokenError(err)
}
