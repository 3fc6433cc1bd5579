package signin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Verification states when a person who signs up must have proved to receive mail at the address.
type Verification string

// The values of Verification. An unknown value is treated as VerifyOff.
const (
	VerifyOff          Verification = "off"
	VerifyBeforeKeys   Verification = "before_keys"   // see members.Log
	VerifyBeforeSignIn Verification = "before_signin" // before there is a member
)

// The paths of the pages to which the links of a sign-up lead.
const (
	SignUpLinkPath = "/signup/verify"
	VerifyPath     = "/account/verify"
)

// verifies reports whether new members must prove their addresses.
func (s *Service) verifies() bool {
	return s.Verification == VerifyBeforeSignIn || s.Verification == VerifyBeforeKeys
}

// SignUpStart asks for the link with which a person signs up.
type SignUpStart struct {
	Email      string
	Invitation toksta.Hidden // the code; zero: none
}

// RequestSignUp mails a link with which the person at the address signs up. If the address belongs
// to a member, the mail says so. The response is the same, also in its duration. Until the link is
// used, only its ticket is stored, so no address can be occupied, and a stranger's name or
// password never reaches the person who opens the link. If the policy or the invitation does not
// allow the sign-up, the error is FORBIDDEN.
func (s *Service) RequestSignUp(ctx context.Context, from Origin, req SignUpStart) error {
	invited := SignUpRequest{Invitation: req.Invitation}.isInvited()
	if err := s.checkPolicy(invited); err != nil {
		return err
	}
	email, err := s.checkMailed(ctx, from, req.Email)
	if err != nil {
		return err
	}
	if invited {
		if _, err := members.Redeem(ctx, s.Store, members.Redemption{Code: req.Invitation, Email: email, Now: s.now()}); err != nil {
			return err
		}
	}
	return s.compose(func(ctx context.Context) (mail.Message, error) {
		if err := s.freeAddress(ctx, email); err != nil {
			return mail.Message{}, err
		}
		m, err := s.Store.MemberByEmail(ctx, email)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return s.signUpLetter(ctx, from, SignUpStart{Email: email, Invitation: req.Invitation})
		case err != nil:
			return mail.Message{}, fmt.Errorf("read the member by address: %w", err)
		case !m.DisabledAt.IsZero():
			return mail.Message{}, nil
		}
		l := letter(from, m.Email, s.PagesURL+"/signin")
		l.Name = m.Name
		return s.Letters.AddressInUse(l), nil
	})
}

// signUpLetter returns the mail with the link to sign up. It contains nothing that the person who
// asked for it wrote, except the address.
func (s *Service) signUpLetter(ctx context.Context, from Origin, req SignUpStart) (mail.Message, error) {
	address, err := s.issue(ctx, SignUpLinkPath, link{
		Ticket:   store.Ticket{Purpose: purposeSignUp, ExpiresAt: s.now().Add(s.UnverifiedLifetime)},
		linkData: linkData{Email: req.Email},
	})
	if err != nil {
		return mail.Message{}, err
	}
	if code := req.Invitation.Reveal(); code != "" {
		address += "&" + url.Values{"invitation": {code}}.Encode()
	}
	l := letter(from, req.Email, address)
	l.ValidFor = s.UnverifiedLifetime
	return s.Letters.VerifyAddress(l), nil
}

// SignUpAddress returns the address of a person who opened the link to sign up, and does not use
// the link. If it is not valid, the error is FORBIDDEN.
func (s *Service) SignUpAddress(ctx context.Context, code toksta.Hidden) (string, error) {
	l, err := s.readLink(ctx, purposeSignUp, code)
	return l.Email, err
}

// SignUpByLink uses a link to sign up: it makes a member with the address to which the link was
// mailed, not the address of the request, and signs the member in. An invalid field does not use
// the link. The errors are those of SignUp; for a link that is not valid, the error is FORBIDDEN.
func (s *Service) SignUpByLink(ctx context.Context, from Origin, code toksta.Hidden, req SignUpRequest) (SignedIn, error) {
	l, err := s.readLink(ctx, purposeSignUp, code)
	if err != nil {
		return SignedIn{}, err
	}
	if err := s.checkPolicy(req.isInvited()); err != nil {
		return SignedIn{}, err
	}
	req.Email = l.Email
	return s.enroll(ctx, from, enrollment{SignUpRequest: req, verified: &l})
}

// RequestVerification mails the link with which a signed-in member proves the address.
func (s *Service) RequestVerification(ctx context.Context, from Origin, id Identity) error {
	if err := denyBound(id); err != nil {
		return err
	}
	if !id.Member.VerifiedAt.IsZero() {
		return &toksta.Error{Code: toksta.CodeConflict, Message: "Your address is confirmed already."}
	}
	if _, err := s.checkMailed(ctx, from, id.Member.Email); err != nil {
		return err
	}
	return s.mailVerification(from, id.Member)
}

// mailVerification mails the link with which m proves the address.
func (s *Service) mailVerification(from Origin, m toksta.Member) error {
	return s.compose(func(ctx context.Context) (mail.Message, error) {
		address, err := s.issue(ctx, VerifyPath, link{
			Ticket:   store.Ticket{Purpose: purposeVerify, MemberID: m.ID, ExpiresAt: s.now().Add(s.UnverifiedLifetime)},
			linkData: linkData{Email: m.Email},
		})
		if err != nil {
			return mail.Message{}, err
		}
		l := letter(from, m.Email, address)
		l.ValidFor = s.UnverifiedLifetime
		return s.Letters.VerifyAddress(l), nil
	})
}

// CheckVerification returns FORBIDDEN if the code is not that of a link with which the signed-in
// member proves the address. It does not use the link.
func (s *Service) CheckVerification(ctx context.Context, id Identity, code toksta.Hidden) error {
	_, err := s.readOwn(ctx, purposeVerify, id, code)
	return err
}

// VerifyByLink uses the link that proves the address of the signed-in member. The session is
// required: a person who did not sign up and opens the link must not confirm a stranger's password.
// That person asks for a new password, which replaces it. If the link is not valid, or is for
// another member, the error is FORBIDDEN.
func (s *Service) VerifyByLink(ctx context.Context, from Origin, id Identity, code toksta.Hidden) error {
	l, err := s.useOwn(ctx, purposeVerify, id, code)
	if err != nil {
		return err
	}
	_, err = s.Log.Commit(ctx, id.Actor(from), func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		m, err := l.member(ctx, r)
		if err != nil {
			return store.Mutation{}, err
		}
		s.verify(&m)
		return store.Mutation{
			Kind: toksta.ChangeMemberVerified, AccountID: id.Account.ID, MemberID: m.ID,
			Detail: map[string]string{"email": m.Email}, Members: []toksta.Member{m},
		}, nil
	})
	return err
}

// verify records that the person receives mail at the address of m. The sign-up no longer
// expires.
func (s *Service) verify(m *toksta.Member) {
	if m.VerifiedAt.IsZero() {
		m.VerifiedAt = s.now()
	}
	m.ExpiresAt = time.Time{}
}

// proveAddress verifies the address of m for a person who opened a link without a session. If m is
// provisional, a stranger can have signed up with the address: the second factors are removed by
// the mutation. The caller replaces or removes the password, and ends all sessions.
func (s *Service) proveAddress(ctx context.Context, r store.Reader, m *toksta.Member) (store.Mutation, error) {
	if !m.IsProvisional() {
		s.verify(m)
		return store.Mutation{}, nil
	}
	s.verify(m)
	return s.withoutFactors(ctx, r, m.ID)
}
