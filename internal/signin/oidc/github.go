package oidc

import (
	"context"
	"encoding/json"
	"strconv"

	"golang.org/x/oauth2"
)

// githubEndpoint returns the endpoints of GitHub, or of a GitHub Enterprise Server.
func (p *Provider) githubEndpoint() oauth2.Endpoint {
	return oauth2.Endpoint{
		AuthURL: p.config.Issuer + "/login/oauth/authorize", TokenURL: p.config.Issuer + "/login/oauth/access_token",
		AuthStyle: oauth2.AuthStyleInParams,
	}
}

// githubAPI returns the address of the REST API.
func (p *Provider) githubAPI() string {
	if p.config.Issuer == "https://github.com" {
		return "https://api.github.com"
	}
	return p.config.Issuer + "/api/v3"
}

// finishGitHub exchanges the code and reads the person from the API. GitHub signs no statement: the
// connection to the API proves its origin, and the code verifier that the code is this browser's.
func (p *Provider) finishGitHub(ctx context.Context, a Attempt, c Callback) (Person, error) {
	if c.Issuer != "" && c.Issuer != p.config.Issuer && c.Issuer != p.config.Issuer+"/login/oauth" {
		return Person{}, reject(ReasonIssuerParameter, "the response names the issuer %q", c.Issuer)
	}
	token, err := p.exchange(ctx, a, c)
	if err != nil {
		return Person{}, err
	}
	var user struct {
		ID    int64  `json:"id"`
		Login string `json:"login"`
		Name  string `json:"name"`
	}
	if err := p.githubGet(ctx, token, "/user", &user); err != nil {
		return Person{}, err
	}
	if user.ID <= 0 {
		return Person{}, reject(ReasonSubject, "the user has no id")
	}
	var addresses []struct {
		Email    string `json:"email"`
		Primary  bool   `json:"primary"`
		Verified bool   `json:"verified"`
	}
	if err := p.githubGet(ctx, token, "/user/emails", &addresses); err != nil {
		return Person{}, err
	}
	// The login can be renamed and taken by another person; the id cannot.
	out := Person{Subject: strconv.FormatInt(user.ID, 10), Name: user.Name}
	if out.Name == "" {
		out.Name = user.Login
	}
	for _, e := range addresses {
		if e.Primary {
			out.Email, out.Verified = e.Email, e.Verified
		}
	}
	return out, nil
}

// githubGet decodes a document of the API into target.
func (p *Provider) githubGet(ctx context.Context, token *oauth2.Token, path string, target any) error {
	response, err := p.getJSON(ctx, p.githubAPI()+path, token)
	if err != nil {
		return reject(ReasonUnavailable, "read %s of the API: %v", path, err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(target); err != nil {
		return reject(ReasonUnavailable, "decode %s of the API: %v", path, err)
	}
	return nil
}
