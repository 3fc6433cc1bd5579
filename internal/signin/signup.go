package signin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// SignUpRequest asks for a new member.
type SignUpRequest struct {
	Name        string
	AccountName string // of the new account; "": Name; ignored if the invitation names an account
	Email       string
	Password    toksta.Hidden
	Invitation  toksta.Hidden // the code; zero: none
	Accepted    bool          // the person accepts Config.Terms
}

// SignUp makes a member and signs the member in. If the invitation names an account,
// the member joins it; otherwise SignUp makes an account. If the policy does not
// allow the sign-up, the error is FORBIDDEN. If the address is in use, the error is
// CONFLICT.
//
// With VerifyBeforeSignIn, the error is FORBIDDEN unless the invitation proves the address: see
// RequestSignUp. With VerifyBeforeKeys, the link that proves the address is mailed, and the
// sign-up ends if it is not used in time.
func (s *Service) SignUp(ctx context.Context, from Origin, req SignUpRequest) (SignedIn, error) {
	if err := s.checkPolicy(req.isInvited()); err != nil {
		return SignedIn{}, err
	}
	// Successful attempts are throttled too: a client must not create accounts in
	// large numbers.
	if err := s.Throttle.Count(ctx, Name{ScopeSignUp, from.Network()}); err != nil {
		return SignedIn{}, err
	}
	in, err := s.enroll(ctx, from, enrollment{SignUpRequest: req})
	if err == nil && in.Member.IsProvisional() {
		// If too many mails are waiting, the person asks for another one on the account page.
		_ = s.mailVerification(from, in.Member)
	}
	return in, err
}

// checkPolicy returns FORBIDDEN if the policy does not allow to sign up with a password.
func (s *Service) checkPolicy(invited bool) error {
	switch {
	case s.PasswordOff:
		return passwordOff()
	case s.Policy == Invited && !invited:
		return forbidden("Signing up requires an invitation.")
	case s.Policy != Open && s.Policy != Invited:
		return forbidden("Signing up is closed. Ask the vendor for an account.")
	}
	return nil
}

// enrollment is a sign-up. Verified is the link that proves the address, which is used once the
// other fields are valid; nil: the address is not proved.
type enrollment struct {
	SignUpRequest
	verified *link
}

// enroll makes a member, with an account or as the invitation says, and signs the member in.
func (s *Service) enroll(ctx context.Context, from Origin, req enrollment) (SignedIn, error) {
	now := s.now()
	accountName, invalid := text.Name("account_name", orElse(req.AccountName, req.Name))
	if strings.TrimSpace(req.AccountName) == "" {
		invalid = nil // it is the person's name, which draftMember validates
	}
	invalid = toksta.InvalidFields(invalid, s.checkConsent(req.SignUpRequest))
	hashes := s.strangers.of(from.Network())
	if req.verified != nil {
		hashes = s.passwords.of(from.Network())
	}
	m, err := s.draftMember(ctx, now, memberDraft{Name: req.Name, Email: req.Email, Password: req.Password, Hashes: hashes, Invalid: invalid})
	if err != nil {
		return SignedIn{}, err
	}
	if s.Terms != "" {
		m.Consent, m.ConsentAt = s.Terms, now
	}
	switch {
	case req.verified != nil:
		m.VerifiedAt = now
		if err := s.use(ctx, *req.verified); err != nil {
			return SignedIn{}, err
		}
	case s.Verification == VerifyBeforeKeys:
		m.ExpiresAt = now.Add(s.UnverifiedLifetime)
	}
	if err := s.freeAddress(ctx, m.Email); err != nil {
		return SignedIn{}, err
	}
	_, err = s.Log.Commit(ctx, memberActor(m, from), func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		mutation := s.newAccount(m, accountName)
		if req.isInvited() {
			used, err := members.Redeem(ctx, r, members.Redemption{Code: req.Invitation, Email: m.Email, Now: now})
			if err != nil {
				return store.Mutation{}, err
			}
			applyInvitation(used, &m, &mutation)
		}
		if s.Verification == VerifyBeforeSignIn && m.VerifiedAt.IsZero() {
			return store.Mutation{}, forbidden("Open the link in the mail to your address to sign up.")
		}
		return addMember(ctx, r, m, mutation)
	})
	if err != nil {
		return SignedIn{}, conflictIfTaken(err)
	}
	return s.startSession(ctx, from, proof{Member: m, Method: MethodPassword})
}

// newAccount returns the mutation that makes an account, of which m is the owner.
func (s *Service) newAccount(m toksta.Member, name string) store.Mutation {
	now := m.CreatedAt
	account := toksta.Account{
		ID: toksta.AccountID(toksta.NewID(toksta.PrefixAccount, now)), Name: name, Plan: s.Plan,
		Status: toksta.StatusActive, StatusSince: now, Cadence: "monthly", CreatedAt: now,
	}
	return store.Mutation{
		Kind: toksta.ChangeAccountCreated, AccountID: account.ID, Accounts: []toksta.Account{account},
		Detail:      map[string]string{"account": account.Name, "plan": string(account.Plan)},
		Memberships: []toksta.Membership{{AccountID: account.ID, MemberID: m.ID, Role: toksta.MemberOwner, CreatedAt: now}},
	}
}

// checkConsent returns an error if the person does not accept the terms.
func (s *Service) checkConsent(req SignUpRequest) error {
	if s.Terms == "" || req.Accepted {
		return nil
	}
	return toksta.Invalid("consent", "Accept this to create an account.")
}

// isInvited reports whether the request has the code of an invitation.
func (r SignUpRequest) isInvited() bool { return r.Invitation.Reveal() != "" }

// applyInvitation adds the used invitation to mutation. If the invitation names an account,
// the mutation creates no account and the member m joins the named account.
func applyInvitation(used members.Redeemed, m *toksta.Member, mutation *store.Mutation) {
	i := used.Invitation
	mutation.Invitations = []store.Invitation{i}
	if used.Verified {
		m.VerifiedAt, m.ExpiresAt = i.UsedAt, time.Time{}
	}
	if i.AccountID != "" {
		mutation.Kind, mutation.AccountID, mutation.Accounts = toksta.ChangeMemberCreated, i.AccountID, nil
		mutation.Detail = map[string]string{"role": string(i.Role), "invitation": string(i.ID)}
		if used.Verified {
			mutation.Detail["verified"] = "true"
		}
		mutation.Memberships[0].AccountID, mutation.Memberships[0].Role = i.AccountID, i.Role
	}
}

// memberDraft contains the fields of a new member.
type memberDraft struct {
	Name, Email string
	Password    toksta.Hidden
	Hashes      source
	// Invalid is the error of another field of the same form, which is reported together
	// with the errors of the member. nil: none.
	Invalid error
}

// draftMember validates d and returns a member with a password hash, but without an
// account.
func (s *Service) draftMember(ctx context.Context, now time.Time, d memberDraft) (toksta.Member, error) {
	m := toksta.Member{ID: toksta.MemberID(toksta.NewID(toksta.PrefixMember, now)), CreatedAt: now}
	var nameErr, emailErr error
	m.Name, nameErr = validMemberName(d.Name, "")
	m.Email, emailErr = text.Email(d.Email)
	err := toksta.InvalidFields(nameErr, emailErr, validPassword(d.Password, m), d.Invalid)
	if err != nil {
		return m, err
	}
	// The hash takes 30 ms, so it is computed before the store's lock is taken.
	m.PasswordHash, err = d.Hashes.hash(ctx, d.Password)
	return m, err
}

// isReserved reports whether a name could be mistaken for the vendor's: lists and the
// history of keys show other actors with these words.
func isReserved(name string) bool {
	letters := strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKC.String(name))
	return slices.Contains([]string{
		string(toksta.ActorOperator), string(toksta.ActorSystem), "restore", "import", "vendor", "thevendor", "toksta",
	}, letters)
}

// addMember adds m to a mutation, or returns ErrTaken if the address is in use.
func addMember(ctx context.Context, r store.Reader, m toksta.Member, to store.Mutation) (store.Mutation, error) {
	// Under the store's lock, only one of two simultaneous sign-ups with the same
	// address succeeds.
	switch _, err := r.MemberByEmail(ctx, m.Email); {
	case err == nil:
		return store.Mutation{}, store.ErrTaken
	case !errors.Is(err, store.ErrNotFound):
		return store.Mutation{}, fmt.Errorf("check whether the address is in use: %w", err)
	}
	to.MemberID, to.Members = m.ID, []toksta.Member{m}
	to.Detail["name"], to.Detail["email"] = m.Name, m.Email
	if m.Consent != "" {
		to.Detail["consent"] = m.Consent
	}
	return to, nil
}

// conflictIfTaken replaces store.ErrTaken by a CONFLICT error for the caller.
func conflictIfTaken(err error) error {
	if errors.Is(err, store.ErrTaken) {
		return &toksta.Error{Code: toksta.CodeConflict, Message: "This e-mail address is already in use. Sign in instead."}
	}
	return err
}

// forbidden returns a FORBIDDEN error with a message for the person.
func forbidden(message string) error {
	return &toksta.Error{Code: toksta.CodeForbidden, Message: message}
}

// orElse returns s, or other if s is blank.
func orElse(s, other string) string {
	if strings.TrimSpace(s) == "" {
		return other
	}
	return s
}
