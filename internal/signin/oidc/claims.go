package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// leeway is the accepted difference between the clocks of the provider and of this machine.
const leeway = time.Minute

// maxSubject bounds the provider's id of a person, in bytes (OpenID Connect Core, section 2).
const maxSubject = 255

// Person is the provider's verified statement about a person.
type Person struct {
	Subject  string // the provider's id of the person
	Email    string
	Verified bool // the provider states that the person receives mail at Email
	Name     string
	// Session is the provider's name of its session, "" if it states none.
	Session string
	// AuthenticatedAt is when the person last proved to be present; zero if the provider does not
	// state it.
	AuthenticatedAt time.Time
	claims          map[string]any
}

// Values returns the texts of a claim, which is one text or a list. ok is false if the provider stores
// the claim elsewhere because the list is too long, so that its values are unknown.
func (p Person) Values(claim string) (values []string, ok bool) {
	if elsewhere, _ := p.claims["_claim_names"].(map[string]any); elsewhere[claim] != nil {
		return nil, false
	}
	return texts(p.claims[claim]), true
}

// Methods returns the authentication methods (amr) and the context class (acr) of the sign-in.
func (p Person) Methods() []string { return append(texts(p.claims["amr"]), texts(p.claims["acr"])...) }

// texts returns the strings of a claim, which is one string or a list.
func texts(value any) (out []string) {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
	}
	return out
}

// idToken is an ID token whose signature, issuer, audience and expiry are verified.
type idToken struct {
	*gooidc.IDToken
	values map[string]any
}

// verifyIDToken verifies an ID token. The decision is the library's; the reason in the error is for the
// log.
func (p *Provider) verifyIDToken(ctx context.Context, m *metadata, raw string) (idToken, error) {
	config := &gooidc.Config{ClientID: p.config.ClientID, SupportedSigningAlgs: m.algorithms(), Now: p.lenient}
	verified, err := gooidc.NewVerifier(p.config.Issuer, m.idKeys, config).Verify(ctx, raw)
	if err != nil {
		return idToken{}, p.explain(ctx, m, raw, err)
	}
	t := idToken{IDToken: verified}
	if err := verified.Claims(&t.values); err != nil {
		return idToken{}, reject(ReasonSignature, "decode the ID token: %v", err)
	}
	return t, nil
}

// lenient returns the time with which the library compares expiry: now, less the accepted
// difference of clocks.
func (p *Provider) lenient() time.Time { return p.config.Now().Add(-leeway) }

// explain returns the error of an ID token that the library rejected, with its reason.
func (p *Provider) explain(ctx context.Context, m *metadata, raw string, cause error) *Error {
	if _, expired := errors.AsType[*gooidc.TokenExpiredError](cause); expired {
		return reject(ReasonExpired, "%v", cause)
	}
	signature := &gooidc.Config{SupportedSigningAlgs: m.algorithms(), SkipIssuerCheck: true, SkipClientIDCheck: true, SkipExpiryCheck: true}
	token, err := gooidc.NewVerifier(p.config.Issuer, m.idKeys, signature).Verify(ctx, raw)
	switch {
	case err != nil && m.idKeys.requests.areMissing():
		return reject(ReasonUnavailable, "read the keys of the provider: %v", cause)
	case err != nil:
		return reject(ReasonSignature, "%v", cause)
	case token.Issuer != p.config.Issuer:
		return reject(ReasonIssuer, "%v", cause)
	case !slices.Contains(token.Audience, p.config.ClientID):
		return reject(ReasonAudience, "%v", cause)
	}
	return reject(reasonVerification, "%v", cause)
}

// check verifies the claims that the library leaves to its caller.
func (t idToken) check(p *Provider, a Attempt, accessToken string) error {
	party, _ := t.values["azp"].(string)
	session, _ := t.values["sid"].(string)
	switch {
	case party == "" && len(t.Audience) > 1, party != "" && party != p.config.ClientID:
		return reject(ReasonAuthorizedParty, "the ID token is for %q and was issued to %q", t.Audience, party)
	case t.Nonce != a.nonce():
		return reject(ReasonNonce, "the ID token belongs to another sign-in")
	case t.IssuedAt.IsZero(), t.IssuedAt.After(p.config.Now().Add(leeway)):
		return reject(ReasonIssuedAt, "the ID token was issued at %s", t.IssuedAt.UTC().Format(time.RFC3339))
	case t.Subject == "" || len(t.Subject) > maxSubject || strings.ContainsFunc(t.Subject, isControl):
		return reject(ReasonSubject, "the ID token has no subject, or one of more than %d bytes", maxSubject)
	case len(session) > maxSubject || strings.ContainsFunc(session, isControl): // the back channel could not name it
		return reject(ReasonSubject, "the ID token has a sid of more than %d bytes, or with control characters", maxSubject)
	case t.AccessTokenHash != "" && t.VerifyAccessToken(accessToken) != nil:
		return reject(ReasonAccessTokenHash, "the access token is not the one of the ID token")
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// addUserInfo adds claims that are missing in the ID token from the userinfo endpoint. Claims of the ID
// token, which is signed, are never replaced.
func (p *Provider) addUserInfo(ctx context.Context, m *metadata, token *oauth2.Token, values map[string]any) error {
	missing := func(claim string) bool { return values[claim] == nil }
	if m.UserInfo == "" || !slices.ContainsFunc(append([]string{"email", p.config.VerifiedClaim, "name"}, p.config.Needed...), missing) {
		return nil
	}
	response, err := p.getJSON(ctx, m.UserInfo, token)
	if err != nil {
		return reject(ReasonUnavailable, "read the userinfo: %v", err)
	}
	defer response.Body.Close()
	var info map[string]any
	if err := json.NewDecoder(response.Body).Decode(&info); err != nil {
		return reject(ReasonUnavailable, "decode the userinfo: %v", err)
	}
	if info["sub"] != values["sub"] {
		return reject(ReasonUserInfoSubject, "the userinfo is about another person than the ID token")
	}
	// An address and the statement that it is verified must come from the same document.
	switch complete := !missing("email") && !missing(p.config.VerifiedClaim); {
	case !complete && info["email"] != nil:
		values["email"], values[p.config.VerifiedClaim] = info["email"], info[p.config.VerifiedClaim]
	case !complete:
		delete(info, p.config.VerifiedClaim)
	}
	for claim, value := range info {
		if missing(claim) {
			values[claim] = value
		}
	}
	return nil
}

// person returns the person whom the claims describe. The claim verifiedClaim states whether the
// address is verified.
func (t idToken) person(verifiedClaim string) Person {
	text := func(claim string) string {
		s, _ := t.values[claim].(string)
		return s
	}
	out := Person{
		Subject: t.Subject, Email: text("email"), Name: text("name"), Session: text("sid"), claims: t.values,
	}
	// Providers write the claim as true, "true" or 1.
	switch v := t.values[verifiedClaim].(type) {
	case bool:
		out.Verified = v
	case string:
		out.Verified = v == "true" || v == "1"
	case float64:
		out.Verified = v == 1
	}
	if at, ok := t.values["auth_time"].(float64); ok {
		out.AuthenticatedAt = time.Unix(int64(at), 0)
	}
	return out
}
