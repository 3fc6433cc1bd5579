package signin

import (
	"context"
	"errors"
	"fmt"

	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// AddressPath is the path of the page to which the link for a new address leads.
const AddressPath = "/account/profile/address"

// mailAddress mails a link to the address that a member wants to have. If it belongs to another
// member, no mail is sent, and the response is the same.
func (s *Service) mailAddress(ctx context.Context, from Origin, m toksta.Member, to string) error {
	if _, err := s.checkMailed(ctx, from, to); err != nil {
		return err
	}
	return s.compose(func(ctx context.Context) (mail.Message, error) {
		other, err := s.Store.MemberByEmail(ctx, to)
		switch {
		case err == nil && other.ID != m.ID:
			return mail.Message{}, nil
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return mail.Message{}, fmt.Errorf("check whether the address is in use: %w", err)
		}
		address, err := s.issue(ctx, AddressPath, link{
			Ticket:   store.Ticket{Purpose: purposeAddress, MemberID: m.ID, ExpiresAt: s.now().Add(LinkLifetime)},
			linkData: linkData{Email: m.Email, Next: to},
		})
		if err != nil {
			return mail.Message{}, err
		}
		return s.Letters.ConfirmAddress(letter(from, to, address)), nil
	})
}

// NextAddress returns the address that the signed-in member gets by a link, and does not use the
// link. If the link is not valid, or is for another member, the error is FORBIDDEN.
func (s *Service) NextAddress(ctx context.Context, id Identity, code toksta.Hidden) (string, error) {
	l, err := s.readOwn(ctx, purposeAddress, id, code)
	return l.Next, err
}

// ChangeAddressByLink uses a link and gives the signed-in member the address to which it was mailed.
// The session is required: a mistyped address belongs to a stranger, whom the link must not give the
// sign-in. The change ends all other sessions, and the links to the old address.
func (s *Service) ChangeAddressByLink(ctx context.Context, from Origin, id Identity, code toksta.Hidden) error {
	l, err := s.useOwn(ctx, purposeAddress, id, code)
	if err != nil {
		return err
	}
	_, err = s.Log.Commit(ctx, id.Actor(from), func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		m, err := l.member(ctx, r)
		if err != nil {
			return store.Mutation{}, err
		}
		change, err := changeProfile(ctx, r, toksta.Member{ID: m.ID, Name: m.Name, Email: l.Next})
		if err != nil || change.Kind == "" {
			return change, err
		}
		change.AccountID = id.Account.ID
		s.verify(&change.Members[0])
		return change, nil
	})
	if errors.Is(err, store.ErrTaken) {
		return forbidden("This address belongs to another person.")
	}
	if err != nil {
		return err
	}
	if err := s.Tickets.DeleteTickets(ctx, store.TicketSet{Member: id.Member.ID}); err != nil {
		return fmt.Errorf("end the links of member %s: %w", id.Member.ID, err)
	}
	return s.SignOutEverywhere(ctx, id, true)
}
