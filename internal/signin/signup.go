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

// SignUpRequest is what a new person tells.
type SignUpRequest struct {
	Name        string
	AccountName string // of the new account; "" takes Name; not read when joining one
	Email       string
	Password    toksta.Hidden
	Invitation  toksta.Hidden // the code; its zero value is none
}

// SignUp makes a member, with an account unless an invitation names the one
// to join, and signs the person in. What the policy does not allow is
// FORBIDDEN, an address in use CONFLICT.
func (s *Service) SignUp(ctx context.Context, from Origin, req SignUpRequest) (SignedIn, error) {
	code, invited := invitationID(req.Invitation)
	switch {
	case s.Policy == Invited && !invited:
		return SignedIn{}, forbidden("Signing up takes an invitation.")
	case s.Policy != Open && s.Policy != Invited:
		return SignedIn{}, forbidden("Signing up is closed. Ask the vendor for an account.")
	}
	now := s.now()
	// Each account counts, made or not: a failed attempt is no worse than one
	// more account that nobody meant to give away.
	if wait := s.signups.attempt(networkOf(from.Address), now); wait > 0 {
		return SignedIn{}, tooMany(wait)
	}
	m, err := s.draft(ctx, now, memberDraft{Name: req.Name, Email: req.Email, Password: req.Password})
	if err != nil {
		return SignedIn{}, err
	}
	account := toksta.Account{
		ID: toksta.AccountID(toksta.NewID(toksta.PrefixAccount, now)), Plan: s.Plan,
		Status: toksta.StatusActive, StatusSince: now, Cadence: "monthly", CreatedAt: now,
	}
	if account.Name, err = text.Name("account_name", orElse(req.AccountName, req.Name)); err != nil {
		return SignedIn{}, err
	}
	_, err = s.Log.Commit(ctx, memberActor(m, from), func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		mutation := store.Mutation{
			Kind: toksta.ChangeAccountCreated, AccountID: account.ID, Accounts: []toksta.Account{account},
			Detail: map[string]string{"account": account.Name, "plan": string(account.Plan)},
		}
		if invited {
			i, err := s.redeem(ctx, r, code, m.Email)
			if err != nil {
				return store.Mutation{}, err
			}
			accept(i, &mutation)
		}
		m.AccountID = mutation.AccountID
		return join(ctx, r, m, mutation)
	})
	if err != nil {
		return SignedIn{}, taken(err)
	}
	return s.begin(ctx, from, m)
}

// redeem returns an invitation that is good for the address, marked used.
func (s *Service) redeem(ctx context.Context, r store.Reader, code toksta.Digest, email string) (store.Invitation, error) {
	i, err := r.Invitation(ctx, code)
	now := s.now()
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return i, fmt.Errorf("read the invitation: %w", err)
	case err != nil, !i.UsedAt.IsZero(), !now.Before(i.ExpiresAt), i.Email != "" && text.FoldAddress(i.Email) != text.FoldAddress(email):
		return i, forbidden("This invitation is not valid: used, expired or made for another address.")
	}
	// In the same transaction as the member: a code cannot be used twice at
	// once.
	i.UsedAt = now
	return i, nil
}

// accept writes the used invitation in m, and turns m into joining the
// invitation's account where it names one.
func accept(i store.Invitation, m *store.Mutation) {
	m.Invitations = []store.Invitation{i}
	if i.AccountID != "" {
		m.Kind, m.AccountID, m.Accounts = toksta.ChangeMemberCreated, i.AccountID, nil
		m.Detail = map[string]string{}
	}
}

// invitationID is the stored form of an invitation's code.
func invitationID(code toksta.Hidden) (id toksta.Digest, given bool) {
	text := code.Reveal()
	return sha256.Sum256([]byte(text)), text != ""
}

// memberDraft is what a member is made of.
type memberDraft struct {
	Name, Email string
	Password    toksta.Hidden
}

// draft validates d and hashes its password; the account is still missing.
func (s *Service) draft(ctx context.Context, now time.Time, d memberDraft) (toksta.Member, error) {
	m := toksta.Member{ID: toksta.MemberID(toksta.NewID(toksta.PrefixMember, now)), CreatedAt: now}
	var nameErr, emailErr error
	if m.Name, nameErr = text.Name("name", d.Name); reserved(m.Name) {
		nameErr = toksta.Invalid("name", "This name stands for the vendor in the history of keys. Choose another.")
	}
	m.Email, emailErr = validEmail(d.Email)
	err := toksta.InvalidFields(nameErr, emailErr, validPassword(d.Password, m))
	if err != nil {
		return m, err
	}
	// Hashed before the commit: 30 ms are not spent under the store's lock.
	m.PasswordHash, err = s.passwords.hash(ctx, d.Password)
	return m, err
}

// reserved reports whether a member of that name could pass for an actor who is
// no member: those are named in lists and histories by these words.
func reserved(name string) bool {
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

// join adds a new member to a mutation, unless the address is in use.
func join(ctx context.Context, r store.Reader, m toksta.Member, to store.Mutation) (store.Mutation, error) {
	// Under the store's lock: of two people who type one address at once, one
	// is told.
	switch _, err := r.MemberByEmail(ctx, m.Email); {
	case err == nil:
		return store.Mutation{}, store.ErrTaken
	case !errors.Is(err, store.ErrNotFound):
		return store.Mutation{}, fmt.Errorf("look up the address: %w", err)
	}
	to.MemberID, to.Members = m.ID, []toksta.Member{m}
	to.Detail["name"], to.Detail["email"] = m.Name, m.Email
	return to, nil
}

// taken is the caller's form of the store's word for an address in use.
func taken(err error) error {
	if errors.Is(err, store.ErrTaken) {
		return &toksta.Error{Code: toksta.CodeConflict, Message: "Somebody has signed up with this e-mail address. Sign in instead."}
	}
	return err
}

// maxEmail is the longest address that mail can carry.
const maxEmail = 254

// validEmail returns the address without surrounding white space.
func validEmail(email string) (string, error) {
	email = strings.TrimSpace(email)
	parsed, err := mail.ParseAddress(email)
	mailed, domainErr := text.MailAddress(email)
	if err != nil || domainErr != nil || parsed.Address != email || len(mailed) > maxEmail || strings.ContainsFunc(email, unseen) {
		return "", toksta.Invalid("email", "Give an e-mail address such as ada@example.com.")
	}
	return email, nil
}

// unseen are characters that would let one address pose as another.
func unseen(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }

// forbidden is the answer to a sign-up that the policy does not allow. An
// unknown code and one that was used read the same.
func forbidden(message string) error {
	return &toksta.Error{Code: toksta.CodeForbidden, Message: message}
}

// orElse lets a person who works alone leave the account's name out.
func orElse(s, other string) string {
	if strings.TrimSpace(s) == "" {
		return other
	}
	return s
}
