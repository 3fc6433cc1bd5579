package signin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// Mail sends mails in the background: see mail.Queue.
type Mail interface {
	Post(m mail.Message)
	Compose(write func(context.Context) (mail.Message, error)) bool
}

// LinkLifetime is the time in which a link in a mail can be used.
const LinkLifetime = 15 * time.Minute

// The purposes of links in mails.
const (
	purposeReset   = "reset"
	purposeSignUp  = "signup"
	purposeVerify  = "verify"
	purposeAddress = "address"
	purposeSignIn  = "signin.link"
)

// link is a ticket whose code is in a mail.
type link struct {
	store.Ticket
	linkData
}

// linkData is the part of a link that its ticket stores as JSON.
type linkData struct {
	// Email is the address of the member. The link ends when the member has another one.
	Email string `json:"email"`
	// Next is the address that a link of purposeAddress gives the member, and to which it was
	// mailed.
	Next string `json:"next,omitempty"`
	// Binding is the SHA-256, in hex, of the cookie of the browser that asked for a link to sign in.
	Binding string `json:"binding,omitempty"`
	// Page is the page to open after a sign-in by the link, or with the password that it sets.
	Page string `json:"page,omitempty"`
	// Password identifies the password at the time of the request, for a link that sets a password or
	// signs in; "": another link. It ends when the password is changed: a person who does so can suspect
	// a reader of the mails.
	Password string `json:"password,omitempty"`
}

// CanMail reports whether mails with links can be sent.
func (s *Service) CanMail() bool { return s.Mail != nil }

// issue stores l under a new code, and returns the address of the page at path with this code.
func (s *Service) issue(ctx context.Context, path string, l link) (string, error) {
	code, err := s.putTicket(ctx, l.Ticket, l.linkData)
	if err != nil {
		return "", err
	}
	return s.PagesURL + path + "?code=" + code.Reveal(), nil
}

// readLink returns the link of a code without using it. If it is unknown, used, expired, or for
// another purpose, the error is FORBIDDEN.
func (s *Service) readLink(ctx context.Context, purpose string, code toksta.Hidden) (l link, err error) {
	l.Ticket, err = s.readTicket(ctx, purpose, code, &l.linkData)
	return l, ifNotFound(err, invalidLink())
}

// readOwn returns the link of a code without using it. If it is not valid for the purpose, or is for
// another member than the signed-in one, the error is FORBIDDEN.
func (s *Service) readOwn(ctx context.Context, purpose string, id Identity, code toksta.Hidden) (link, error) {
	l, err := s.readLink(ctx, purpose, code)
	if err == nil && l.MemberID != id.Member.ID {
		err = invalidLink()
	}
	return l, err
}

// useOwn uses the link of a code for the signed-in member. The errors are those of readOwn; in a bound
// session, the error is FORBIDDEN too.
func (s *Service) useOwn(ctx context.Context, purpose string, id Identity, code toksta.Hidden) (link, error) {
	if err := denyBound(id); err != nil {
		return link{}, err
	}
	l, err := s.readOwn(ctx, purpose, id, code)
	if err != nil {
		return l, err
	}
	return l, s.use(ctx, l)
}

// use uses the link. Of several simultaneous calls, one succeeds; for the others, the error is
// FORBIDDEN.
func (s *Service) use(ctx context.Context, l link) error {
	return ifNotFound(s.useTicket(ctx, l.Ticket), invalidLink())
}

// member returns the member of the link. If the person is disabled, or has another address or another
// password than at the time of the request, the error is FORBIDDEN. It is checked again in the transaction of a
// change, with the reader of the transaction.
func (l link) member(ctx context.Context, r store.Reader) (toksta.Member, error) {
	m, err := r.Member(ctx, l.MemberID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return m, invalidLink()
	case err != nil:
		return m, fmt.Errorf("read the member of a link: %w", err)
	case !m.DisabledAt.IsZero(), text.FoldAddress(m.Email) != text.FoldAddress(l.Email):
		return m, invalidLink()
	case l.Password != "" && l.Password != passwordMark(m):
		return m, invalidLink()
	}
	return m, nil
}

// invalidLink returns the same error for a link that is unknown, used, expired or for another
// purpose.
func invalidLink() error {
	return forbidden("This link was used before, or it has expired. Ask for a new one.")
}

// mailTo looks a member up by address in the background, and sends the mail of write to the
// stored address. The caller's response must not depend on the member, so mailTo is the
// same for an unknown address, also in its duration; then no mail is sent.
func (s *Service) mailTo(email string, write func(context.Context, toksta.Member) (mail.Message, error)) error {
	return s.compose(func(ctx context.Context) (mail.Message, error) {
		m, err := s.Store.MemberByEmail(ctx, email)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return mail.Message{}, nil
		case err != nil:
			return mail.Message{}, fmt.Errorf("read the member by address: %w", err)
		case !m.DisabledAt.IsZero():
			return mail.Message{}, nil
		}
		return write(ctx, m)
	})
}

// compose writes and sends a mail in the background. If too many mails are waiting, the error is
// RATE_LIMITED.
func (s *Service) compose(write func(context.Context) (mail.Message, error)) error {
	unlessErased := func(ctx context.Context) (mail.Message, error) {
		m, err := write(ctx)
		if errors.Is(err, store.ErrNotFound) { // the person was erased meanwhile
			return mail.Message{}, nil
		}
		return m, err
	}
	if !s.Mail.Compose(unlessErased) {
		return tooManyAttempts(time.Minute)
	}
	return nil
}

// letter returns the values that all mails with a link share.
func letter(from Origin, to, link string) mail.LinkLetter {
	l := mail.LinkLetter{To: to, Link: link, ValidFor: LinkLifetime, Browser: from.Agent}
	if from.Address.IsValid() {
		l.Address = from.Address.String()
	}
	return l
}

// checkMailed validates an address to which a mail is requested, and counts the request.
func (s *Service) checkMailed(ctx context.Context, from Origin, email string) (string, error) {
	if !s.CanMail() {
		return "", forbidden("No mail can be sent. Ask the vendor.")
	}
	email, err := text.Email(email)
	if err != nil {
		return "", err
	}
	return email, s.Throttle.Count(ctx, Name{ScopeMailNetwork, from.Network()}, Name{ScopeMail, text.FoldAddress(email)})
}
