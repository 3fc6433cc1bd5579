package signin

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

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
func (s *Service) SignUp(ctx context.Context, from Origin, req SignUpRequest) (SignedIn, error) {
	code, invited := invitationID(req.Invitation)
	switch {
	case s.Policy == Invited && !invited:
		return SignedIn{}, forbidden("Signing up requires an invitation.")
	case s.Policy != Open && s.Policy != Invited:
		return SignedIn{}, forbidden("Signing up is closed. Ask the vendor for an account.")
	}
	now := s.now()
	// Successful attempts are throttled too: a client must not create accounts in
	// large numbers.
	if err := s.Throttle.Count(ctx, Name{ScopeSignUp, from.Network()}); err != nil {
		return SignedIn{}, err
	}
	accountName, invalid := text.Name("account_name", orElse(req.AccountName, req.Name))
	if strings.TrimSpace(req.AccountName) == "" {
		invalid = nil // it is the person's name, which draftMember validates
	}
	invalid = toksta.InvalidFields(invalid, s.checkConsent(req))
	m, err := s.draftMember(ctx, now, memberDraft{Name: req.Name, Email: req.Email, Password: req.Password, Invalid: invalid})
	if err != nil {
		return SignedIn{}, err
	}
	if s.Terms != "" {
		m.Consent, m.ConsentAt = s.Terms, now
	}
	account := toksta.Account{
		ID: toksta.AccountID(toksta.NewID(toksta.PrefixAccount, now)), Name: accountName, Plan: s.Plan,
		Status: toksta.StatusActive, StatusSince: now, Cadence: "monthly", CreatedAt: now,
	}
	_, err = s.Log.Commit(ctx, memberActor(m, from), func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		mutation := store.Mutation{
			Kind: toksta.ChangeAccountCreated, AccountID: account.ID, Accounts: []toksta.Account{account},
			Detail:      map[string]string{"account": account.Name, "plan": string(account.Plan)},
			Memberships: []toksta.Membership{{AccountID: account.ID, MemberID: m.ID, Role: toksta.MemberOwner, CreatedAt: now}},
		}
		if invited {
			i, err := s.redeem(ctx, r, code, m.Email)
			if err != nil {
				return store.Mutation{}, err
			}
			applyInvitation(i, &mutation)
		}
		return addMember(ctx, r, m, mutation)
	})
	if err != nil {
		return SignedIn{}, conflictIfTaken(err)
	}
	return s.startSession(ctx, from, entry{Member: m, Method: MethodPassword})
}

// checkConsent returns an error if the person does not accept the terms.
func (s *Service) checkConsent(req SignUpRequest) error {
	if s.Terms == "" || req.Accepted {
		return nil
	}
	return toksta.Invalid("consent", "Accept this to create an account.")
}

// redeem returns the invitation, marked as used. If it is not valid for the address,
// the error is FORBIDDEN.
func (s *Service) redeem(ctx context.Context, r store.Reader, code toksta.Digest, email string) (store.Invitation, error) {
	i, err := s.usable(ctx, r, code)
	switch {
	case err != nil:
		return i, err
	case i.Email != "" && text.FoldAddress(i.Email) != text.FoldAddress(email):
		return i, unusable()
	}
	// The mark is committed in the same transaction as the member, so that a code
	// cannot be used twice.
	i.UsedAt = s.now()
	return i, nil
}

// usable returns the invitation of a code. If there is none, or it was used or has
// expired, the error is FORBIDDEN.
func (s *Service) usable(ctx context.Context, r store.Reader, code toksta.Digest) (store.Invitation, error) {
	i, err := r.Invitation(ctx, code)
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return i, fmt.Errorf("read the invitation: %w", err)
	case err != nil, !i.UsedAt.IsZero(), !i.RevokedAt.IsZero(), !s.now().Before(i.ExpiresAt):
		return i, unusable()
	}
	return i, nil
}

// unusable returns the same error for an invitation that is unknown, used, expired or
// made for another address.
func unusable() error {
	return forbidden("This invitation is not valid: used, expired or made for another address.")
}

// Invitation describes a usable invitation to the person who has its code.
type Invitation struct {
	Account string // name of the account that the person joins; "": a new one
	Email   string // the only address that can use it; "": any
}

// Invitation returns the description of the invitation with this code. If it cannot be
// used, the error is FORBIDDEN. A code is random, so it cannot be guessed here.
func (s *Service) Invitation(ctx context.Context, code toksta.Hidden) (Invitation, error) {
	id, given := invitationID(code)
	if !given {
		return Invitation{}, unusable()
	}
	i, err := s.usable(ctx, s.Store, id)
	if err != nil || i.AccountID == "" {
		return Invitation{Email: i.Email}, err
	}
	a, err := s.Store.Account(ctx, i.AccountID)
	if err != nil {
		return Invitation{}, fmt.Errorf("read the account of an invitation: %w", err)
	}
	return Invitation{Account: a.Name, Email: i.Email}, nil
}

// applyInvitation adds the used invitation to m. If the invitation names an account,
// m creates no account and the member joins the named account.
func applyInvitation(i store.Invitation, m *store.Mutation) {
	m.Invitations = []store.Invitation{i}
	if i.AccountID != "" {
		m.Kind, m.AccountID, m.Accounts = toksta.ChangeMemberCreated, i.AccountID, nil
		m.Detail = map[string]string{"role": string(i.Role)}
		m.Memberships[0].AccountID, m.Memberships[0].Role = i.AccountID, i.Role
	}
}

// invitationID returns the stored form of a code; ok is false for an empty code.
func invitationID(code toksta.Hidden) (id toksta.Digest, ok bool) {
	text := code.Reveal()
	return sha256.Sum256([]byte(text)), text != ""
}

// memberDraft contains the fields of a new member.
type memberDraft struct {
	Name, Email string
	Password    toksta.Hidden
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
	m.Email, emailErr = validEmail(d.Email)
	err := toksta.InvalidFields(nameErr, emailErr, validPassword(d.Password, m), d.Invalid)
	if err != nil {
		return m, err
	}
	// The hash takes 30 ms, so it is computed before the store's lock is taken.
	m.PasswordHash, err = s.passwords.hash(ctx, d.Password)
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

// maxEmail is the maximum length of an address in SMTP (RFC 5321).
const maxEmail = 254

// validEmail validates an address and returns it without surrounding white space.
func validEmail(email string) (string, error) {
	email = strings.TrimSpace(email)
	parsed, err := mail.ParseAddress(email)
	mailed, domainErr := text.MailAddress(email)
	if err != nil || domainErr != nil || parsed.Address != email || len(mailed) > maxEmail || strings.ContainsFunc(email, isInvisible) {
		return "", toksta.Invalid("email", "Give an e-mail address such as ada@example.com.")
	}
	return email, nil
}

// isInvisible reports whether r is a space or invisible: two addresses that differ
// only in r look the same.
func isInvisible(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }

// forbidden returns the error of a sign-up that the policy or the invitation does not
// allow.
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
