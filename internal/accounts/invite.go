package accounts

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// InviteRequest lets one person sign up.
type InviteRequest struct {
	Account toksta.AccountID // to join; "": signing up makes a new account
	Email   string           // the only address that may use it; "": any
	Valid   time.Duration    // from now; 0: a week
}

// Invited is an invitation with its code, which cannot be shown again.
type Invited struct {
	Code      toksta.Hidden
	ExpiresAt time.Time
	Receipt   toksta.Receipt
}

// DefaultInvitation is the default validity of an invitation.
const DefaultInvitation = 7 * 24 * time.Hour

// Invite makes a one-time code for a sign-up.
func (s *Service) Invite(ctx context.Context, by toksta.Actor, req InviteRequest) (Invited, error) {
	now := s.now()
	if req.Valid < 0 {
		return Invited{}, toksta.Invalid("valid", "The validity of an invitation must not be negative.")
	}
	req.Email = strings.TrimSpace(req.Email)
	_, domainErr := text.MailAddress(req.Email)
	if at := strings.LastIndexByte(req.Email, '@'); req.Email != "" && (at < 1 || at == len(req.Email)-1 || domainErr != nil) {
		return Invited{}, toksta.Invalid("email", "Give an e-mail address such as ada@example.com, or none.")
	}
	if req.Valid == 0 {
		req.Valid = DefaultInvitation
	}
	// The code has at least 128 random bits, so a SHA-256 without a salt is
	// enough to store it.
	code := rand.Text()
	invitation := store.Invitation{
		Code: sha256.Sum256([]byte(code)), AccountID: req.Account, Email: req.Email,
		ID: toksta.InvitationID(toksta.NewID(toksta.PrefixInvitation, now)), Role: toksta.MemberOwner, CreatedAt: now,
		ExpiresAt: now.Add(req.Valid),
	}
	receipt, err := s.Log.Commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		if req.Account != "" {
			if _, err := r.Account(ctx, req.Account); err != nil {
				return store.Mutation{}, store.Missing("account", req.Account, err)
			}
		}
		return store.Mutation{
			Kind: toksta.ChangeInvitationCreated, AccountID: req.Account,
			Detail:      map[string]string{"email": req.Email, "expires_at": invitation.ExpiresAt.Format(time.RFC3339)},
			Invitations: []store.Invitation{invitation},
		}, nil
	})
	if err != nil {
		return Invited{}, err
	}
	return Invited{Code: toksta.Hide(code), ExpiresAt: invitation.ExpiresAt, Receipt: receipt}, nil
}
