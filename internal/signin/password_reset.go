package signin

import (
	"context"
	"errors"
	"time"

	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// ResetPath is the path of the page to which the link for a new password leads.
const ResetPath = "/signin/reset"

// ResetGraceLifetime is the time after a reset in which guesses by others do not delay the person in
// the browser of the reset.
const ResetGraceLifetime = time.Hour

// purposeResetGrace is the purpose of the ticket of a browser in which a member set a password by a link.
const purposeResetGrace = "reset.grace"

// ResetRequest asks for a link for a new password.
type ResetRequest struct {
	Email string
	Next  string // the page to open after the sign-in that follows
}

// ResetDone is the result of a new password by a link.
type ResetDone struct {
	// Grace is the value of a cookie for ResetGraceLifetime, with which guesses by others do not delay the
	// sign-in: see Origin.Grace.
	Grace toksta.Hidden
	Next  string // the page to open after the sign-in
}

// RequestReset mails a link for a new password to the member with this address. For an unknown
// address it does the same, also in its duration, and no mail is sent. Earlier links stay valid,
// so that requests by other people do not disturb the member.
func (s *Service) RequestReset(ctx context.Context, from Origin, req ResetRequest) error {
	if s.PasswordOff {
		return passwordOff()
	}
	email, err := s.checkMailed(ctx, from, req.Email)
	if err != nil {
		return err
	}
	return s.mailTo(email, func(ctx context.Context, m toksta.Member) (mail.Message, error) {
		address, err := s.issue(ctx, ResetPath, link{
			Ticket:   store.Ticket{Purpose: purposeReset, MemberID: m.ID, ExpiresAt: s.now().Add(LinkLifetime)},
			linkData: linkData{Email: m.Email, Password: passwordMark(m), Page: req.Next},
		})
		if err != nil {
			return mail.Message{}, err
		}
		l := letter(from, m.Email, address)
		l.Name = m.Name
		return s.Letters.ResetPassword(l), nil
	})
}

// ResetAddress returns the address of the member whose password the link changes, and does not
// use the link. If the link is not valid, the error is FORBIDDEN.
func (s *Service) ResetAddress(ctx context.Context, code toksta.Hidden) (string, error) {
	l, err := s.readLink(ctx, purposeReset, code)
	if err != nil {
		return "", err
	}
	m, err := l.member(ctx, s.Store)
	return m.Email, err
}

// ResetByLink uses a link and sets the password of its member. It ends all sessions and all other
// links of the member, and starts no session: the person signs in with the new password, and so
// also with the second factor. The mail has proved the address, which is verified now. An invalid
// password does not use the link.
func (s *Service) ResetByLink(ctx context.Context, from Origin, code, next toksta.Hidden) (ResetDone, error) {
	if s.PasswordOff {
		return ResetDone{}, passwordOff()
	}
	l, err := s.readLink(ctx, purposeReset, code)
	if err != nil {
		return ResetDone{}, err
	}
	m, err := l.member(ctx, s.Store)
	if err != nil {
		return ResetDone{}, err
	}
	if err := validPassword(next, m); err != nil {
		return ResetDone{}, err
	}
	hash, err := s.passwords.of(string(m.ID)).hash(ctx, next)
	if err != nil {
		return ResetDone{}, err
	}
	if err := s.use(ctx, l); err != nil {
		return ResetDone{}, err
	}
	_, err = s.Log.Commit(ctx, memberActor(m, from), func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		m, err := l.member(ctx, r)
		if err != nil {
			return store.Mutation{}, err
		}
		account, err := historyOf(ctx, r, m.ID, "")
		if err != nil {
			return store.Mutation{}, err
		}
		change, err := s.proveAddress(ctx, r, &m)
		m.PasswordHash = hash
		change.Kind, change.AccountID, change.MemberID = toksta.ChangeMemberPasswordSet, account, m.ID
		change.Members, change.Detail = []toksta.Member{m}, map[string]string{"email": m.Email, "by": "link"}
		return change, err
	})
	if err != nil {
		return ResetDone{}, err
	}
	// The sessions end also if the browsers cannot be forgotten.
	if err := errors.Join(s.endAccess(ctx, m.ID), s.forgetBrowsers(ctx, from.Browser, m.ID)); err != nil {
		return ResetDone{}, err
	}
	grace, err := s.putTicket(ctx, store.Ticket{
		Purpose: purposeResetGrace, MemberID: m.ID, ExpiresAt: s.now().Add(ResetGraceLifetime),
	}, struct{}{})
	return ResetDone{Grace: grace, Next: l.Page}, ifNotFound(err, invalidLink()) // erased
}
