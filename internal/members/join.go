package members

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// Offer describes a usable invitation to a person who has its code.
type Offer struct {
	Account   toksta.Account    // to join; zero: signing up makes a new account
	Role      toksta.MemberRole // in Account
	Email     string            // the only address that can use the invitation; "": any
	Inviter   string            // name of the member who made it, "": the vendor
	ExpiresAt time.Time
	// ByMail means that the link was sent to Email, so its user receives mail there.
	ByMail bool
}

// Offer returns the description of the invitation with a code, and does not use it. If the
// invitation cannot be used, the error is FORBIDDEN.
func (s *Service) Offer(ctx context.Context, code toksta.Hidden) (Offer, error) {
	i, err := usable(ctx, s.Store, code, s.now())
	if err != nil {
		return Offer{}, err
	}
	out := Offer{Role: i.Role, Email: i.Email, ExpiresAt: i.ExpiresAt, ByMail: sentByMail(code)}
	if i.AccountID != "" {
		if out.Account, err = s.Store.Account(ctx, i.AccountID); err != nil {
			return Offer{}, fmt.Errorf("read the account of an invitation: %w", err)
		}
	}
	if i.CreatedBy != "" {
		m, err := s.Store.Member(ctx, toksta.MemberID(i.CreatedBy))
		if err != nil {
			return Offer{}, fmt.Errorf("read the author of an invitation: %w", err)
		}
		out.Inviter = m.Name
	}
	return out, nil
}

// Redemption is the use of an invitation by the person with an address.
type Redemption struct {
	Code  toksta.Hidden
	Email string
	Now   time.Time
}

// Redeemed is a used invitation. Verified means that its use proves that the person receives mail
// at the address.
type Redeemed struct {
	Invitation store.Invitation
	Verified   bool
}

// Redeem returns the invitation of a code, marked as used, for the mutation that makes the person a
// member. If the invitation cannot be used with the address, the error is FORBIDDEN.
func Redeem(ctx context.Context, r store.Reader, by Redemption) (Redeemed, error) {
	i, err := usable(ctx, r, by.Code, by.Now)
	if err != nil {
		return Redeemed{}, err
	}
	if i.Email != "" && text.FoldAddress(i.Email) != text.FoldAddress(by.Email) {
		return Redeemed{}, unusable()
	}
	// The mark is committed in the same transaction as the member, so that a code
	// cannot be used twice.
	i.UsedAt = by.Now
	return Redeemed{Invitation: i, Verified: i.Email != "" && sentByMail(by.Code)}, nil
}

// usable returns the invitation of a code. If there is none, or it was used or revoked, has
// expired, or its account was closed or is full, the error is FORBIDDEN.
func usable(ctx context.Context, r store.Reader, code toksta.Hidden, now time.Time) (store.Invitation, error) {
	id, given := digestOf(code)
	if !given {
		return store.Invitation{}, unusable()
	}
	i, err := r.Invitation(ctx, id)
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return i, fmt.Errorf("read the invitation: %w", err)
	case err != nil, !i.UsedAt.IsZero(), !i.RevokedAt.IsZero(), !now.Before(i.ExpiresAt):
		return store.Invitation{}, unusable()
	case i.AccountID == "":
		return i, nil
	}
	a, err := r.Account(ctx, i.AccountID)
	if err != nil {
		return i, fmt.Errorf("read the account of an invitation: %w", err)
	}
	all, err := r.ListAccountMembers(ctx, i.AccountID)
	switch {
	case err != nil:
		return i, fmt.Errorf("count the members of account %s: %w", i.AccountID, err)
	case !a.ClosedAt.IsZero():
		return i, unusable()
	case len(all) >= MaxMembers:
		return i, &toksta.Error{Code: toksta.CodeForbidden, Message: "The account has no room for further members. Ask an admin of the account to remove one."}
	}
	return i, nil
}

// Join makes a signed-in person a member of the account of an invitation, with its role. A person
// who was removed from the account gets the membership back. The error is FORBIDDEN if the
// invitation cannot be used, or was made for another address, and CONFLICT if the person already
// belongs to the account.
func (s *Service) Join(ctx context.Context, by toksta.Actor, code toksta.Hidden) (Changed, error) {
	if by.Kind != toksta.ActorMember {
		return Changed{}, denied()
	}
	now := s.now()
	var out Changed
	receipt, err := s.Log.Commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		m, err := r.Member(ctx, toksta.MemberID(by.ID))
		if err != nil {
			return store.Mutation{}, store.Missing("member", toksta.MemberID(by.ID), err)
		}
		used, err := Redeem(ctx, r, Redemption{Code: code, Email: m.Email, Now: now})
		if err != nil {
			return store.Mutation{}, err
		}
		change, err := s.join(ctx, r, m, used)
		if err == nil {
			out.Member = store.AccountMember{Member: m, Membership: change.Memberships[0]}
			if len(change.Members) > 0 {
				out.Member.Member = change.Members[0]
			}
		}
		return change, err
	})
	out.Receipt = receipt
	return out, err
}

// join returns the mutation that makes m a member of the account of a used invitation.
func (s *Service) join(ctx context.Context, r store.Reader, m toksta.Member, used Redeemed) (store.Mutation, error) {
	i := used.Invitation
	switch {
	case i.AccountID == "":
		return store.Mutation{}, conflict("This invitation is for a new person. You have a sign-in already.")
	case !m.DisabledAt.IsZero():
		return store.Mutation{}, denied()
	case s.VerifiesAddresses && i.Email != "" && !used.Verified && m.VerifiedAt.IsZero():
		return store.Mutation{}, &toksta.Error{
			Code: toksta.CodeForbidden, Message: "This invitation is for one address only. Verify your address first, then open the link again.",
		}
	}
	before, err := r.Membership(ctx, i.AccountID, m.ID)
	switch {
	case err == nil && before.RemovedAt.IsZero():
		return store.Mutation{}, conflict("You already belong to this account.")
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return store.Mutation{}, fmt.Errorf("read the membership of member %s: %w", m.ID, err)
	}
	change := store.Mutation{
		Kind: toksta.ChangeMemberJoined, AccountID: i.AccountID, MemberID: m.ID, Invitations: []store.Invitation{i},
		Memberships: []toksta.Membership{{AccountID: i.AccountID, MemberID: m.ID, Role: i.Role, CreatedAt: i.UsedAt}},
		Detail:      map[string]string{"name": m.Name, "email": m.Email, "role": string(i.Role), "invitation": string(i.ID)},
	}
	if used.Verified && m.VerifiedAt.IsZero() {
		m.VerifiedAt, m.ExpiresAt = i.UsedAt, time.Time{}
		change.Members, change.Detail["verified"] = []toksta.Member{m}, "true"
	}
	return change, nil
}

// unusable returns the same error for an invitation that is unknown, used, revoked, expired or
// made for another address.
func unusable() error {
	return &toksta.Error{Code: toksta.CodeForbidden, Message: "This invitation is not valid: used, revoked, expired or made for another address."}
}

// digestOf returns the stored form of a code; given is false for an empty code.
func digestOf(code toksta.Hidden) (id toksta.Digest, given bool) {
	plain := code.Reveal()
	return sha256.Sum256([]byte(plain)), plain != ""
}

// sentByMail reports whether a code was sent by mail. The caller must have found the code in the
// database, since anybody can write the prefix.
func sentByMail(code toksta.Hidden) bool { return strings.HasPrefix(code.Reveal(), mailed) }
