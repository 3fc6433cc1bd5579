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
	Account toksta.AccountID // to join; "": the person makes a new account
	Email   string           // only this address may use it; "": any
	Valid   time.Duration    // from now; 0: a week
}

// Invited is an invitation and its code, which nothing can show again.
type Invited struct {
	Code      toksta.Hidden
	ExpiresAt time.Time
	Receipt   toksta.Receipt
}

// DefaultInvitation is how long an invitation is good for when nothing else
// is said.
const DefaultInvitation = 7 * 24 * time.Hour

// Invite makes a one-time code for a sign-up.
func (s *Service) Invite(ctx context.Context, by toksta.Actor, req InviteRequest) (Invited, error) {
	now := s.now()
	if req.Valid < 0 {
		return Invited{}, toksta.Invalid("valid", "An invitation is valid for some time from now on.")
	}
	req.Email = strings.TrimSpace(req.Email)
	_, domainErr := text.MailAddress(req.Email)
	if at := strings.LastIndexByte(req.Email, '@'); req.Email != "" && (at < 1 || at == len(req.Email)-1 || domainErr != nil) {
		return Invited{}, toksta.Invalid("email", "Give an e-mail address such as ada@example.com, or none.")
	}
	if req.Valid == 0 {
		req.Valid = DefaultInvitation
	}
	// 128 random bits or more in base 32: nobody finds one by trying, so that
	// a plain SHA-256 keeps it.
	code := rand.Text()
	invitation := store.Invitation{
		Code: sha256.Sum256([]byte(code)), AccountID: req.Account, Email: req.Email,
		ExpiresAt: now.Add(req.Valid),
	}
	receipt, err := s.Log.Commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		if req.Account != "" {
			if _, err := r.Account(ctx, req.Account); err != nil {
				return store.Mutation{}, store.Missing("account", err)
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
