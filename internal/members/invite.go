package members

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// DefaultInvitation is the default validity of an invitation.
const DefaultInvitation = 7 * 24 * time.Hour

// The limits of an account. A further member or invitation is rejected.
const (
	MaxMembers     = 100 // not removed
	MaxInvitations = 50  // open
)

// hourlyInvitations is the number of invitations that an account can make in an hour, and that a
// member can make in all accounts together: invitations send mail to addresses of the caller's
// choice. It is counted in the change log, so it holds over all nodes and restarts.
const hourlyInvitations = 20

// InviteRequest asks for an invitation.
type InviteRequest struct {
	Account toksta.AccountID  // to join; "": signing up makes a new account, for operators only
	Email   string            // the only address that may use it; "": any, for operators only
	Role    toksta.MemberRole // "": owner, for operators only
	Valid   time.Duration     // from now; 0: the default
	// ByMail sends the link to the address instead of returning it. Only then the use of the link
	// proves that the person receives mail at the address.
	ByMail bool
}

// Invited is a new invitation. Code is empty if the link was sent by mail, otherwise it cannot be
// shown again.
type Invited struct {
	Invitation store.Invitation
	Code       toksta.Hidden
	Receipt    toksta.Receipt
}

// Mailer sends mails to invited people.
type Mailer interface {
	// Invite sends the link of an invitation, or puts the mail into a queue.
	Invite(ctx context.Context, l Letter) error
}

// Letter is the content of the mail to an invited person. The names were typed by members.
type Letter struct {
	To, Account string
	Inviter     string // name of the member who invites, "": the operator
	Role        toksta.MemberRole
	Code        toksta.Hidden
	ExpiresAt   time.Time
}

// mailed is the prefix of codes that were sent by mail. A code is stored as a hash of the whole,
// so a person who has another code cannot add the prefix.
const mailed = "m-"

// Invite makes an invitation, which one person can use once. A member needs a role that may invite,
// and for the role owner the role owner. An earlier open invitation of the same address to the
// account is revoked in the same change.
func (s *Service) Invite(ctx context.Context, by toksta.Actor, req InviteRequest) (Invited, error) {
	req, err := s.completeInvite(by, req)
	if err != nil {
		return Invited{}, err
	}
	// The code has at least 128 random bits, so a SHA-256 without a salt is
	// enough to store it.
	code := rand.Text()
	if req.ByMail {
		code = mailed + code
	}
	now := s.now()
	out := Invited{Code: toksta.Hide(code), Invitation: store.Invitation{
		ID: toksta.InvitationID(toksta.NewID(toksta.PrefixInvitation, now)), AccountID: req.Account, Email: req.Email,
		Role: req.Role, CreatedAt: now, ExpiresAt: now.Add(req.Valid),
	}}
	out.Invitation.Code, _ = digestOf(out.Code)
	if by.Kind == toksta.ActorMember {
		out.Invitation.CreatedBy = by.ID
	}
	var account toksta.Account
	out.Receipt, err = s.Log.Commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		change := store.Mutation{
			Kind: toksta.ChangeInvitationCreated, AccountID: req.Account, Invitations: []store.Invitation{out.Invitation},
			Detail: map[string]string{
				"invitation": string(out.Invitation.ID), "email": req.Email, "role": string(req.Role),
				"expires_at": out.Invitation.ExpiresAt.Format(time.RFC3339),
			},
		}
		if req.Account == "" {
			return change, nil
		}
		if _, err := permit(ctx, r, by, right{req.Account, permissionToInvite(req.Role)}); err != nil {
			return change, err
		}
		if account, err = r.Account(ctx, req.Account); err != nil {
			return change, store.Missing("account", req.Account, err)
		}
		replaced, err := s.roomFor(ctx, r, by, out.Invitation)
		change.Invitations = append(change.Invitations, replaced...)
		return change, err
	})
	if err != nil || !req.ByMail {
		return out, err
	}
	letter := Letter{To: req.Email, Account: account.Name, Role: req.Role, Code: out.Code, ExpiresAt: out.Invitation.ExpiresAt}
	if by.Kind == toksta.ActorMember {
		letter.Inviter = by.Name
	}
	out.Code = toksta.Hidden{}
	if err := s.Mail.Invite(ctx, letter); err != nil {
		written := &toksta.Error{Code: toksta.CodeUnavailable, Message: "The invitation was made, but its mail could not be sent. Invite the address again."}
		return out, fmt.Errorf("%w: %w", written, err)
	}
	return out, nil
}

// completeInvite validates a request and returns it with defaults.
func (s *Service) completeInvite(by toksta.Actor, req InviteRequest) (InviteRequest, error) {
	byMember := by.Kind == toksta.ActorMember
	var roleErr, emailErr, validErr error
	switch {
	case req.Role != "" || byMember:
		roleErr = ValidRole(req.Role)
	default:
		req.Role = toksta.MemberOwner
	}
	if req.Email = strings.TrimSpace(req.Email); req.Email != "" || byMember || req.ByMail {
		req.Email, emailErr = text.Email(req.Email)
	}
	if req.Valid < 0 {
		validErr = toksta.Invalid("valid", "The validity of an invitation must not be negative.")
	}
	req.Valid = cmp.Or(req.Valid, s.Lifetime, DefaultInvitation)
	if err := toksta.InvalidFields(roleErr, emailErr, validErr); err != nil {
		return req, err
	}
	switch {
	case byMember && req.Account == "":
		return req, denied()
	case req.ByMail && s.Mail == nil:
		return req, toksta.Invalid("by_mail", "This server sends no mail. Make a link, and give it to the person yourself.")
	case req.ByMail && req.Account == "":
		return req, toksta.Invalid("by_mail", "Only an invitation to an account is sent by mail.")
	}
	return req, nil
}

// roomFor returns the invitations that a new one replaces, marked as revoked. The error is CONFLICT
// if the address belongs to a member, or if the account has too many members or invitations, and
// RATE_LIMITED if too many invitations were made within an hour.
func (s *Service) roomFor(ctx context.Context, r store.Reader, by toksta.Actor, i store.Invitation) (replaced []store.Invitation, err error) {
	if err := s.checkMembers(ctx, r, i); err != nil {
		return nil, err
	}
	all, err := r.ListInvitations(ctx, i.AccountID)
	if err != nil {
		return nil, fmt.Errorf("list the invitations of account %s: %w", i.AccountID, err)
	}
	open := 0
	for _, other := range all {
		switch {
		case i.Email != "" && text.FoldAddress(other.Email) == text.FoldAddress(i.Email):
			other.RevokedAt = i.CreatedAt
			replaced = append(replaced, other)
		case i.CreatedAt.Before(other.ExpiresAt):
			open++
		}
	}
	if open >= MaxInvitations {
		return nil, conflict(fmt.Sprintf("The account has %d open invitations, the most that is possible. Revoke one first.", MaxInvitations))
	}
	if by.Kind != toksta.ActorMember {
		return replaced, nil
	}
	for _, q := range []store.ChangeSearch{{ChangeQuery: store.ChangeQuery{Account: i.AccountID}}, {Actor: by.ID}} {
		q.Kind, q.Since = toksta.ChangeInvitationCreated, i.CreatedAt.Add(-time.Hour)
		if err := checkRate(ctx, r, q); err != nil {
			return nil, err
		}
	}
	return replaced, nil
}

// checkMembers returns an error if the address of the invitation belongs to a member of the
// account, or if the account has the most members that are possible.
func (s *Service) checkMembers(ctx context.Context, r store.Reader, i store.Invitation) error {
	all, err := r.ListAccountMembers(ctx, i.AccountID)
	if err != nil {
		return fmt.Errorf("list the members of account %s: %w", i.AccountID, err)
	}
	if len(all) >= MaxMembers {
		return conflict(fmt.Sprintf("The account has %d members, the most that is possible. Remove one first.", MaxMembers))
	}
	if i.Email != "" && slices.ContainsFunc(all, func(m store.AccountMember) bool { return text.FoldAddress(m.Email) == text.FoldAddress(i.Email) }) {
		return toksta.Invalid("email", "This address belongs to a member of the account.")
	}
	return nil
}

// checkRate returns RATE_LIMITED if q selects hourlyInvitations changes.
func checkRate(ctx context.Context, r store.Reader, q store.ChangeSearch) error {
	q.Limit = hourlyInvitations
	for n := 0; ; {
		page, err := r.FindChanges(ctx, q)
		if err != nil {
			return fmt.Errorf("count the invitations of the last hour: %w", err)
		}
		if n += len(page.Rows); n >= hourlyInvitations {
			return &toksta.Error{
				Code: toksta.CodeRateLimited, Reason: toksta.ReasonRateLimited,
				Message: fmt.Sprintf("%d people were invited within the last hour, the most that is possible. Try again in an hour.", hourlyInvitations),
				Details: map[string]any{"retry_after": int(time.Hour / time.Second)},
			}
		}
		if q.Before = page.Next; q.Before == 0 {
			return nil
		}
	}
}

// InvitationRef names an invitation of an account.
type InvitationRef struct {
	Account    toksta.AccountID
	Invitation toksta.InvitationID
}

// Invitations returns the open invitations to an account that have not expired, oldest first.
func (s *Service) Invitations(ctx context.Context, account toksta.AccountID) ([]store.Invitation, error) {
	all, err := s.Store.ListInvitations(ctx, account)
	now := s.now()
	return slices.DeleteFunc(all, func(i store.Invitation) bool { return !now.Before(i.ExpiresAt) }), err
}

// RevokeInvitation revokes an open invitation: its link no longer works. The error is NOT_FOUND if
// the account has no such invitation, or it was used or revoked.
func (s *Service) RevokeInvitation(ctx context.Context, by toksta.Actor, ref InvitationRef) (toksta.Receipt, error) {
	now := s.now()
	return s.Log.Commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		if _, err := permit(ctx, r, by, right{ref.Account, toksta.PermitMembers}); err != nil {
			return store.Mutation{}, err
		}
		open, err := r.ListInvitations(ctx, ref.Account)
		if err != nil {
			return store.Mutation{}, fmt.Errorf("list the invitations of account %s: %w", ref.Account, err)
		}
		n := slices.IndexFunc(open, func(i store.Invitation) bool { return i.ID == ref.Invitation && i.ID != "" })
		if n < 0 {
			return store.Mutation{}, toksta.NotFoundID("invitation", string(ref.Invitation))
		}
		open[n].RevokedAt = now
		return store.Mutation{
			Kind: toksta.ChangeInvitationRevoked, AccountID: ref.Account, Invitations: open[n : n+1],
			Detail: map[string]string{"invitation": string(open[n].ID), "email": open[n].Email, "role": string(open[n].Role)},
		}, nil
	})
}
