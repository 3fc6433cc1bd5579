package signin

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// SignInLinkPath is the path of the page to which a link to sign in leads.
const SignInLinkPath = "/signin/link/open"

// LinkRequest asks for a link to sign in.
type LinkRequest struct {
	Email string
	Next  string // the page to open after the sign-in
	// Binding is the cookie that an earlier request returned in the same browser; zero: none.
	Binding toksta.Hidden
}

// RequestSignInLink mails a link to sign in to the member with this address. For an unknown address
// it does the same, also in its duration, and no mail is sent. The link works only with the
// returned cookie, which the caller sets in the browser: a person who opens a link that a
// stranger asked for, or passes it on, starts no session.
//
// Requests count by address and network. In a browser in which the member signed in before, they
// count by browser, so that requests of strangers do not delay the member there.
func (s *Service) RequestSignInLink(ctx context.Context, from Origin, req LinkRequest) (toksta.Hidden, error) {
	if !s.CanMail() || !s.Links {
		return toksta.Hidden{}, forbidden("Links to sign in are not offered.")
	}
	email, err := text.Email(req.Email)
	if err != nil {
		return toksta.Hidden{}, err
	}
	m, err := s.Store.MemberByEmail(ctx, email)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return toksta.Hidden{}, fmt.Errorf("read the member by address: %w", err)
	}
	// Links for passwords have another name: with those of a stranger, the member can go on.
	names, err := s.guessNames(ctx, from, m.ID, Name{ScopeMailNetwork, from.Network()}, Name{ScopeMail, "sign in " + text.FoldAddress(email)})
	if err != nil {
		return toksta.Hidden{}, err
	}
	if err := s.Throttle.Count(ctx, names...); err != nil {
		return toksta.Hidden{}, err
	}
	binding, id := req.Binding, toksta.Digest{}
	if given, ok := secretID(binding); ok {
		id = given // earlier links of this browser keep working
	} else {
		binding, id = newSecret()
	}
	return binding, s.mailTo(email, func(ctx context.Context, m toksta.Member) (mail.Message, error) {
		address, err := s.issue(ctx, SignInLinkPath, link{
			Ticket:   store.Ticket{Purpose: purposeSignIn, MemberID: m.ID, ExpiresAt: s.now().Add(LinkLifetime)},
			linkData: linkData{Email: m.Email, Binding: hex.EncodeToString(id[:]), Page: req.Next, Password: passwordMark(m)},
		})
		if err != nil {
			return mail.Message{}, err
		}
		l := letter(from, m.Email, address)
		l.Name = m.Name
		return s.Letters.SignInLink(l), nil
	})
}

// LinkCookies are the cookies of a browser that opened a link to sign in: the code of the link, and
// the binding that the browser got when it asked for the link.
type LinkCookies struct{ Code, Binding toksta.Hidden }

// SignInAddress returns the address of the member whom the link signs in, and does not use the
// link. If it is not valid, or was asked for by another browser, the error is FORBIDDEN.
func (s *Service) SignInAddress(ctx context.Context, c LinkCookies) (string, error) {
	l, err := s.readSignInLink(ctx, c)
	if err != nil {
		return "", err
	}
	m, err := l.member(ctx, s.Store)
	return m.Email, err
}

func (s *Service) readSignInLink(ctx context.Context, c LinkCookies) (link, error) {
	l, err := s.readLink(ctx, purposeSignIn, c.Code)
	if err != nil {
		return l, err
	}
	id, ok := secretID(c.Binding)
	if !ok || hex.EncodeToString(id[:]) != l.Binding {
		return l, forbidden("Open the link in the browser in which you asked for it. To sign in with this browser, ask for a link here.")
	}
	return l, nil
}

// SignInByLink uses a link to sign in and returns the page to open. If the address was not verified
// before, a stranger can have set the password: it is removed, and all sessions end.
func (s *Service) SignInByLink(ctx context.Context, from Origin, c LinkCookies) (a Admission, next string, err error) {
	l, err := s.readSignInLink(ctx, c)
	if err != nil {
		return Admission{}, "", err
	}
	m, err := l.member(ctx, s.Store)
	if err != nil {
		return Admission{}, "", err
	}
	if err := s.use(ctx, l); err != nil {
		return Admission{}, "", err
	}
	if m.VerifiedAt.IsZero() {
		if m, err = s.takeOver(ctx, from, l); err != nil {
			return Admission{}, "", err
		}
	}
	a, err = s.admit(ctx, from, proof{Member: m, Method: MethodLink})
	return a, l.Page, err
}

// takeOver gives the sign-in to the person who proved the address without a session, for the first
// time. It returns the changed member.
func (s *Service) takeOver(ctx context.Context, from Origin, l link) (toksta.Member, error) {
	m, err := l.member(ctx, s.Store)
	if err != nil {
		return m, err
	}
	_, err = s.Log.Commit(ctx, memberActor(m, from), func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		if m, err = l.member(ctx, r); err != nil {
			return store.Mutation{}, err
		}
		account, err := historyOf(ctx, r, m.ID, "")
		if err != nil {
			return store.Mutation{}, err
		}
		detail := map[string]string{"email": m.Email, "by": "link"}
		if m.PasswordHash != "" {
			m.PasswordHash, detail["password"] = "", "removed"
		}
		change, err := s.proveAddress(ctx, r, &m)
		change.Kind, change.AccountID, change.MemberID = toksta.ChangeMemberVerified, account, m.ID
		change.Members, change.Detail = []toksta.Member{m}, detail
		return change, err
	})
	if err != nil {
		return m, err
	}
	return m, s.endAccess(ctx, m.ID)
}
