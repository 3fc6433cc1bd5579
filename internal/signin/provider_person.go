package signin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/members"
	"github.com/toksta/toksta/internal/signin/oidc"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// visitor is a person, identified by a provider.
type visitor struct {
	Provider
	oidc.Person
	begun   time.Time     // see attemptData
	request SignUpRequest // its Invitation and Accepted, if the visitor signs up
}

// FactorProvider is the second factor that a provider verified.
const FactorProvider Factor = "provider"

// factor returns FactorProvider if the provider verified a second factor, as far as the vendor trusts
// it.
func (v visitor) factor() Factor {
	if v.TrustsFactor || slices.ContainsFunc(v.Methods(), func(m string) bool { return slices.Contains(v.FactorValues, m) }) {
		return FactorProvider
	}
	return ""
}

// identity returns the row that links the visitor to a member. A person can often choose the address
// at the provider freely: a text that is no address is left out.
func (s *Service) identity(v visitor, m toksta.MemberID) store.Identity {
	email, err := text.Email(v.Email)
	if err != nil {
		email = ""
	}
	return store.Identity{Provider: v.Provider.Name, Subject: v.Subject, MemberID: m, Email: email, CreatedAt: s.now()}
}

// signInVisitor signs in the member of the visitor's identity. A visitor without an identity is linked
// to the member with the same verified address, or signs up.
func (s *Service) signInVisitor(ctx context.Context, from Origin, v visitor) (Admission, error) {
	known, err := s.Store.Identity(ctx, v.Provider.Name, v.Subject)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Admission{}, fmt.Errorf("read an identity of %s: %w", v.Provider.Name, err)
	}
	if err != nil {
		if known, err = s.welcome(ctx, from, v); err != nil {
			return Admission{}, err
		}
	}
	m, err := s.Store.Member(ctx, known.MemberID)
	switch {
	case err != nil:
		return Admission{}, fmt.Errorf("read the member of an identity: %w", err)
	case !m.DisabledAt.IsZero():
		return Admission{}, v.rejection("member_disabled")
	}
	if err := s.followRules(ctx, v, known); err != nil {
		return Admission{}, err
	}
	return s.admit(ctx, from, proof{
		Member: m, Method: MethodProvider, Factor: v.factor(),
		Provider: v.Provider.Name, ProviderSession: v.Session, Subject: v.Subject, Begun: v.begun,
	})
}

// welcome makes an identity for a visitor without one. It decides in one transaction, so that of
// two simultaneous sign-ins of a person, the second one finds the identity of the first one.
func (s *Service) welcome(ctx context.Context, from Origin, v visitor) (store.Identity, error) {
	email, err := text.Email(v.Email)
	switch {
	case !v.Verified || err != nil:
		return store.Identity{}, v.refusal("address_not_verified",
			"%[1]s has not verified your e-mail address, so it cannot be used here. Verify it at %[1]s. "+
				"If you have another way to sign in, use it, and then link %[1]s on the page “Sign-in and sessions”.")
	case len(v.Domains) > 0 && !slices.ContainsFunc(v.Domains, func(d string) bool { return isInDomain(email, d) }):
		return store.Identity{}, v.refusal("domain_not_allowed", "People with your address cannot sign in with %s. Sign in another way, or ask the vendor.")
	}
	v.Email = email
	if err := s.freeAddress(ctx, email); err != nil {
		return store.Identity{}, err
	}
	m, err := s.Store.MemberByEmail(ctx, email)
	switch {
	case err == nil:
		return s.linkByAddress(ctx, from, v, m)
	case !errors.Is(err, store.ErrNotFound):
		return store.Identity{}, fmt.Errorf("read the member by address: %w", err)
	}
	return s.signUpVisitor(ctx, from, v)
}

// linkByAddress links a visitor to the member with the same address. Both sides must have proved that
// they receive mail there. Otherwise, an attacker with a sign-up here under the address of another
// person would get that person's sign-in, or the reverse. A member with an identity of the provider is
// not linked to a second one: the provider may have given the address to another person. A sign-up that
// was not verified so far gives way to the visitor.
func (s *Service) linkByAddress(ctx context.Context, from Origin, v visitor, m toksta.Member) (store.Identity, error) {
	if m.IsProvisional() {
		return s.signUpVisitor(ctx, from, v)
	}
	known, err := s.Store.ListIdentities(ctx, m.ID)
	switch {
	case err != nil:
		return store.Identity{}, fmt.Errorf("list the identities of member %s: %w", m.ID, err)
	case !m.DisabledAt.IsZero():
		return store.Identity{}, v.rejection("member_disabled")
	case m.VerifiedAt.IsZero():
		return store.Identity{}, v.refusal("member_not_verified",
			"Your address has a sign-in here that was never verified. Use it, or set a new password by mail. Then link %s on the page “Sign-in and sessions”.")
	case slices.ContainsFunc(known, func(i store.Identity) bool { return i.Provider == v.Provider.Name }):
		return store.Identity{}, v.refusal("another_subject",
			"Your address belongs to a sign-in that is linked to another person at %s. Sign in another way, or ask the vendor.")
	}
	out := s.identity(v, m.ID)
	return out, s.link(ctx, from, m, out)
}

// linkVisitor links a visitor to the member of a session.
func (s *Service) linkVisitor(ctx context.Context, from Origin, id Identity, v visitor) error {
	if err := denyBound(id); err != nil {
		return err
	}
	return s.link(ctx, from, id.Member, s.identity(v, id.Member.ID))
}

// link commits an identity of a member. The error is CONFLICT if the person at the provider is linked
// to another member, or the member to another person. A link that exists is no error.
func (s *Service) link(ctx context.Context, from Origin, m toksta.Member, i store.Identity) error {
	_, err := s.Log.Commit(ctx, memberActor(m, from), func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		current, err := r.Member(ctx, m.ID)
		switch {
		case err != nil:
			return store.Mutation{}, err
		case current.Email != m.Email, !current.VerifiedAt.Equal(m.VerifiedAt), !current.DisabledAt.IsZero(): // changed since the check
			return store.Mutation{}, notSignedIn()
		}
		switch other, err := r.Identity(ctx, i.Provider, i.Subject); {
		case err == nil && other.MemberID == m.ID:
			return store.Mutation{}, nil
		case err == nil:
			return store.Mutation{}, &toksta.Error{Code: toksta.CodeConflict, Message: "This person is linked to another sign-in here. Unlink it there first."}
		case !errors.Is(err, store.ErrNotFound):
			return store.Mutation{}, err
		}
		all, err := r.ListIdentities(ctx, m.ID)
		if err != nil {
			return store.Mutation{}, err
		}
		if slices.ContainsFunc(all, func(other store.Identity) bool { return other.Provider == i.Provider }) {
			return store.Mutation{}, &toksta.Error{Code: toksta.CodeConflict, Message: "You are linked to another person there. Unlink it first."}
		}
		account, err := historyOf(ctx, r, m.ID, "")
		return store.Mutation{
			Kind: toksta.ChangeIdentityLinked, AccountID: account, MemberID: m.ID, Identities: []store.Identity{i},
			Detail: map[string]string{"provider": i.Provider, "email": i.Email},
		}, err
	})
	return err
}

// signUpVisitor makes a member, whose address the provider has verified. The member joins the accounts
// of the rules. If none matches, the policy decides as for a sign-up with a password.
func (s *Service) signUpVisitor(ctx context.Context, from Origin, v visitor) (store.Identity, error) {
	mapped, err := s.mappedRoles(ctx, v)
	if err != nil {
		return store.Identity{}, err
	}
	// The rules make no accounts, and the whole team of an account can be in one network.
	if len(mapped) == 0 {
		if err := s.Throttle.Count(ctx, Name{ScopeSignUp, from.Network()}); err != nil {
			return store.Identity{}, err
		}
	}
	switch {
	case len(mapped) > 0:
	case v.SignUp == Invited && !v.request.isInvited():
		return store.Identity{}, v.refusal("not_invited", "Signing up with %s requires an invitation. Open the link in your invitation, and use %[1]s there.")
	case v.SignUp != Open && v.SignUp != Invited:
		return store.Identity{}, v.refusal("sign_up_closed", "You have no sign-in here, and signing up with %s is closed. Ask the vendor for an account.")
	}
	if err := s.checkConsent(v.request); err != nil {
		return store.Identity{}, err
	}
	if err := s.endProvisional(ctx, v.Email); err != nil {
		return store.Identity{}, err
	}
	now := s.now()
	m := toksta.Member{
		ID: toksta.MemberID(toksta.NewID(toksta.PrefixMember, now)), Name: visitorName(v), Email: v.Email, VerifiedAt: now, CreatedAt: now,
	}
	if s.Terms != "" {
		m.Consent, m.ConsentAt = s.Terms, now
	}
	out := s.identity(v, m.ID)
	_, err = s.Log.Commit(ctx, memberActor(m, from), func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		mutation, err := s.newMember(ctx, r, m, newVisitor{v, mapped})
		if err != nil {
			return store.Mutation{}, err
		}
		out.Granted = grantedIn(mutation, mapped)
		mutation.Identities = []store.Identity{out}
		mutation.Detail["provider"] = v.Provider.Name
		return addMember(ctx, r, m, mutation)
	})
	return out, conflictIfTaken(err)
}

// endProvisional ends an unverified sign-up with an address that a provider has verified. Otherwise, a
// stranger could keep a person out by signing up with the person's address.
func (s *Service) endProvisional(ctx context.Context, email string) error {
	m, err := s.Store.MemberByEmail(ctx, email)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && !m.IsProvisional():
		return nil
	case err != nil:
		return fmt.Errorf("read the member by address: %w", err)
	}
	return s.endSignUp(ctx, m.ID, m.ExpiresAt)
}

// newVisitor is a visitor who signs up, with the roles that the rules map to, by account.
type newVisitor struct {
	visitor
	mapped map[toksta.AccountID]toksta.MemberRole
}

// newMember returns the mutation that makes m a member of the accounts of the mapped roles, of the
// account of an invitation, or of a new account.
func (s *Service) newMember(ctx context.Context, r store.Reader, m toksta.Member, v newVisitor) (store.Mutation, error) {
	out := store.Mutation{Kind: toksta.ChangeMemberCreated, Detail: map[string]string{}}
	for _, account := range sortedAccounts(v.mapped) {
		room, err := members.HasRoom(ctx, r, account)
		if err != nil {
			return out, err
		}
		if !room {
			return out, forbidden("Your account has no room for further members, or is closed. Ask an admin of the account.")
		}
		out.Memberships = append(out.Memberships, toksta.Membership{AccountID: account, MemberID: m.ID, Role: v.mapped[account], CreatedAt: m.CreatedAt})
	}
	if len(out.Memberships) > 0 {
		out.AccountID, out.Detail["role"] = out.Memberships[0].AccountID, string(out.Memberships[0].Role)
		return out, nil
	}
	out = s.newAccount(m, m.Name)
	if !v.request.isInvited() {
		return out, nil
	}
	used, err := members.Redeem(ctx, r, members.Redemption{Code: v.request.Invitation, Email: m.Email, Now: m.CreatedAt})
	if err != nil {
		return out, err
	}
	applyInvitation(used, &m, &out)
	return out, nil
}

// visitorName returns the name that the provider states or, if it cannot be used, the first part of the
// address.
func visitorName(v visitor) string {
	local, _, _ := strings.Cut(v.Email, "@")
	for _, name := range []string{v.Person.Name, local} {
		if name, err := validMemberName(name, ""); err == nil {
			return name
		}
	}
	return "Member"
}

// isInDomain reports whether an address belongs to a domain, not to a domain below it.
func isInDomain(email, domain string) bool {
	_, have, _ := strings.Cut(text.FoldAddress(email), "@")
	_, want, _ := strings.Cut(text.FoldAddress("x@"+domain), "@")
	return have == want
}

// refusal returns the error for an authentic visitor who may not sign in. The message has a %s for the
// provider.
func (v visitor) refusal(reason toksta.Reason, message string) error {
	return &toksta.Error{Code: toksta.CodeForbidden, Reason: reason, Message: fmt.Sprintf(message, v.Label)}
}
