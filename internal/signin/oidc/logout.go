package oidc

import (
	"context"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"

	"github.com/toksta/toksta/sdk/toksta"
)

// Logout is the provider's verified message that a session, or all sessions of a person, ended there.
type Logout struct {
	Subject string // "" if only Session is stated
	Session string // "": all sessions of the person
	// ID names the message, which is valid until ExpiresAt. The caller must accept it once.
	ID        string
	ExpiresAt time.Time
}

// maxLogoutAge bounds the time between the issue of a logout token and its arrival, and so the time for
// which its ID must be remembered.
const maxLogoutAge = 5 * time.Minute

// VerifyLogout verifies a logout token of OpenID Connect Back-Channel Logout 1.0. The error is an
// [Error].
func (p *Provider) VerifyLogout(ctx context.Context, token toksta.Hidden) (Logout, error) {
	if p.config.Kind == GitHub {
		return Logout{}, reject(ReasonUnsupportedToken, "GitHub sends no logout tokens")
	}
	m, err := p.metadata(ctx)
	if err != nil {
		return Logout{}, err
	}
	raw := token.Reveal()
	config := &gooidc.Config{ClientID: p.config.ClientID, SupportedSigningAlgs: m.algorithms(), Now: p.lenient}
	t, err := gooidc.NewVerifier(p.config.Issuer, m.logoutKeys, config).VerifyLogout(ctx, raw)
	switch {
	case err != nil && m.logoutKeys.requests.areMissing():
		return Logout{}, reject(ReasonUnavailable, "read the keys of the provider: %v", err)
	case err != nil:
		return Logout{}, reject(ReasonLogoutToken, "%v", err)
	}
	now := p.config.Now()
	if t.IssuedAt.After(now.Add(leeway)) || now.Sub(t.IssuedAt) > maxLogoutAge {
		return Logout{}, reject(ReasonIssuedAt, "the logout token was issued at %s", t.IssuedAt.UTC().Format(time.RFC3339))
	}
	if len(t.Subject) > maxSubject || len(t.TokenID) > maxSubject || len(t.SessionID) > maxSubject {
		return Logout{}, reject(ReasonLogoutToken, "a claim has more than %d bytes", maxSubject)
	}
	return Logout{Subject: t.Subject, Session: t.SessionID, ID: t.TokenID, ExpiresAt: t.IssuedAt.Add(maxLogoutAge + leeway)}, nil
}
