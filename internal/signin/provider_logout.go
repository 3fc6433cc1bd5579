package signin

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/toksta/toksta/internal/signin/oidc"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// purposeLogout is the purpose of the ticket that remembers a logout token until it expires.
const purposeLogout = "signin.logout"

// ProviderLogout ends the sessions that a logout token of a provider names, on every node when it
// returns, and the sign-ins that were begun before. The error is BAD_REQUEST if the token is not valid or
// was used. The token counts as used once the sessions have ended, so that the provider can repeat it after
// another error.
func (s *Service) ProviderLogout(ctx context.Context, name string, token toksta.Hidden) error {
	p, err := s.provider(name)
	if err != nil {
		return err
	}
	l, err := p.Protocol.VerifyLogout(ctx, token)
	if err != nil {
		return p.logoutFailure(err)
	}
	used := store.Ticket{ID: sha256.Sum256([]byte(purposeLogout + " " + p.Name + " " + l.ID)), Purpose: purposeLogout, ExpiresAt: l.ExpiresAt}
	// A replayed token would end sessions that started later.
	switch _, err := s.Tickets.Ticket(ctx, used.ID); {
	case err == nil:
		return badLogout("used_logout_token")
	case !errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("check a logout token of %s: %w", p.Name, err)
	}
	if err := s.markEnded(ctx, p, l); err != nil {
		return err
	}
	if err := s.endNamed(ctx, p, l); err != nil {
		return err
	}
	if err := s.Tickets.KeepLatestTicket(ctx, used); err != nil {
		return fmt.Errorf("remember a logout token of %s: %w", p.Name, err)
	}
	return nil
}

// endNamed ends the sessions that a logout token names.
func (s *Service) endNamed(ctx context.Context, p Provider, l oidc.Logout) error {
	if l.Session != "" {
		if err := s.endSessions(ctx, store.SessionSet{Provider: p.Name, ProviderSession: l.Session}); err != nil {
			return err
		}
	}
	if l.Subject == "" {
		return nil
	}
	i, err := s.Store.Identity(ctx, p.Name, l.Subject)
	switch {
	case errors.Is(err, store.ErrNotFound): // a person who never signed in here, or was unlinked
		return nil
	case err != nil:
		return fmt.Errorf("read an identity of %s: %w", p.Name, err)
	case l.Session == "":
		return s.endSessions(ctx, store.SessionSet{Member: i.MemberID, Provider: p.Name})
	}
	return s.endUnnamed(ctx, i)
}

// endUnnamed ends the sessions of a member for which the provider stated no name: the ended one can be any
// of them.
func (s *Service) endUnnamed(ctx context.Context, i store.Identity) error {
	all, err := s.Sessions.ListSessions(ctx, i.MemberID, s.now())
	if err != nil {
		return fmt.Errorf("list the sessions of member %s: %w", i.MemberID, err)
	}
	for _, row := range all {
		if row.Provider != i.Provider || row.ProviderSession != "" {
			continue
		}
		if err := s.endSessions(ctx, store.SessionSet{ID: row.ID}); err != nil {
			return err
		}
	}
	return nil
}

// logoutFailure returns the error of a logout token that could not be verified.
func (p Provider) logoutFailure(err error) error {
	cause, ok := errors.AsType[*oidc.Error](err)
	if !ok {
		return err
	}
	out := badLogout(toksta.Reason(cause.Reason))
	if cause.Reason == oidc.ReasonUnavailable {
		out.Code = toksta.CodeUnavailable
	}
	return fmt.Errorf("%w (%s: %w)", out, p.Name, err)
}

func badLogout(reason toksta.Reason) *toksta.Error {
	return &toksta.Error{Code: toksta.CodeBadRequest, Reason: reason, Message: "The logout token is not valid."}
}

// SignedOutPath is the path of the page to which a provider sends the browser after a sign-out.
const SignedOutPath = "/signin/out"

// ProviderSignOut ends the session of the cookie, and returns the departure to the page of the provider
// that ends its session, if a provider that the vendor configured so started the session. Our session
// ends first: a provider that does not respond must not prevent it, also if the person gives up waiting.
func (s *Service) ProviderSignOut(ctx context.Context, cookie toksta.Hidden) (to Departure, leaves bool, err error) {
	id, signedIn := s.Authenticate(ctx, cookie)
	if err := s.SignOut(ctx, cookie); err != nil || signedIn != nil {
		return Departure{}, false, err
	}
	p, err := s.provider(id.Session.provider)
	if err != nil || !p.SignsOut {
		return Departure{}, false, nil
	}
	address, err := p.Protocol.EndSessionURL(ctx, s.PagesURL+SignedOutPath)
	return Departure{Label: p.Label, URL: address}, err == nil && address != "", nil
}
