// Package signin signs people up and in, for the account pages. Each way to sign in ends with a
// proof of identity, which admit turns into a session, or into a pending sign-in that waits for a
// second factor. The pages get the [Identity] of a session's cookie and act as that member.
//
// The package is not part of the request path and does not use keys. It stores passwords as
// argon2id hashes, and cookies and the codes of links as SHA-256. None of the three is ever logged
// or part of an error.
//
// Files of one subject have a common prefix:
//   - signin: the configuration and the service, and the record of each sign-in in the change log.
//   - admit: proofs, sessions and pending sign-ins; recheck: proofs that were taken away during the
//     sign-in; session: the sessions of browsers, the account that a session shows, and their end.
//   - signup: sign-up, its link by mail, and the end of a sign-up whose address was not verified;
//     member: members that the operator creates; profile: name and address.
//   - password, links_signin, passkey, provider, vendor: the ways to sign in, each with its setup.
//   - factor: second factors.
//   - links: links in mails; tickets: all single-use secrets; draft: forms that are kept while
//     a person signs in.
//   - throttle: limits on attempts; browser: the browsers of a member, in which attempts of
//     strangers do not delay the member.
//
// The packages below signin know no database: totp has the codes of authenticator apps, passkey has
// WebAuthn, and oidc has the protocols of providers.
package signin

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/toksta/toksta/internal/mail"
	"github.com/toksta/toksta/internal/signin/passkey"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Policy states which people may sign up.
type Policy string

// The policies. An unknown policy is treated as Closed.
const (
	Open    Policy = "open"    // no invitation needed; with one, the person joins its account
	Invited Policy = "invited" // only with an invitation
	Closed  Policy = "closed"  // sign-up is disabled; the operator creates members
)

// Config configures a Service. Log, Trail, Store, Sessions, Tickets, Factors, Clock, Catalog and
// Now are required.
type Config struct {
	Log      store.Log
	Trail    store.Mutator // commits the records of sign-ins, without waiting for nodes
	Store    store.Reader
	Sessions store.Sessions
	Tickets  store.Tickets
	Factors  store.FactorUses
	Attempts store.Attempts
	Browsers store.Browsers
	Clock    store.Clock // orders the sign-ins and the sign-outs of providers
	Catalog  *toksta.Catalog
	Now      func() time.Time

	// Mail sends the mails with links, which Letters writes; nil: no mail is sent.
	Mail    Mail
	Letters *mail.Letters
	// PagesURL is the address of the account pages, with which links in mails start. It is
	// configured, because the Host of a request could be an attacker's.
	PagesURL string
	// Links offers links to sign in. It needs Mail.
	Links bool

	// Product is the name of the vendor's product, which authenticator apps show.
	Product string
	Policy  Policy
	Plan    toksta.PlanID // of an account made by signing up; "": the catalog's free plan
	// Terms are the terms that a person must accept to sign up, as they are recorded;
	// "": none.
	Terms string

	// Verification states when a new member must have proved the address. It needs Mail.
	Verification Verification
	// UnverifiedLifetime is the time in which the address must be proved; 0: a day.
	UnverifiedLifetime time.Duration

	// Recent is the time after a sign-in or a confirmation in which a person can ask for a new
	// address without the password; 0: never.
	Recent time.Duration

	Lifetime time.Duration // maximum age of a session; 0: 30 days
	Idle     time.Duration // a session ends after this time without a request; 0: 7 days
	// Passkeys is the relying party of passkeys; nil: people cannot use passkeys.
	Passkeys *passkey.Party
	// RequireFactor requires a second factor or a passkey of all people.
	RequireFactor bool
	// Providers are the sign-in providers, in the order of their buttons.
	Providers []Provider
	// PasswordOff disables passwords: signing in and up with one, and setting one.
	PasswordOff bool
	// Parallel is the maximum number of simultaneous hashes for strangers, and the same for people
	// who are signed in or known, with 19 MiB each; 0: half of the processors, at most 4.
	Parallel int
}

// Service signs people up, in and out. Its methods are safe for concurrent
// use.
type Service struct {
	Config
	// Throttle limits attempts, also those of other services.
	Throttle *Throttle
	// passwords hashes for people who are signed in or have a link, for known browsers and for the
	// operator; strangers hashes for all others. So a flood of sign-ins delays only strangers.
	passwords, strangers *hasher
	signIns              *signIns
}

// New returns a service. The caller must start Run, which deletes expired sessions.
func New(c Config) *Service {
	c.Plan = cmp.Or(c.Plan, c.Catalog.FreePlan)
	c.Lifetime = cmp.Or(c.Lifetime, 30*24*time.Hour)
	c.Idle = cmp.Or(c.Idle, 7*24*time.Hour)
	c.UnverifiedLifetime = cmp.Or(c.UnverifiedLifetime, 24*time.Hour)
	c.Parallel = cmp.Or(c.Parallel, parallelHashes())
	return &Service{
		Config:    c,
		Throttle:  NewThrottle(c.Attempts, c.Now),
		signIns:   &signIns{backoff: backoff{free: 60, limit: time.Minute, expiry: time.Hour}},
		passwords: newHasher(c.Parallel, 0),
		strangers: newHasher(c.Parallel, strangerWait),
	}
}

// Origin is the client of a request.
type Origin struct {
	Address netip.Addr
	Agent   string
	// Browser is the cookie that a sign-in set in the browser; see SignedIn. Zero: none.
	Browser toksta.Hidden
	// Grace is the cookie that a new password by a link set in the browser; see ResetDone. Zero: none.
	Grace toksta.Hidden
}

// Network returns the network that one person could control, as a name of ScopeNetwork: the
// IPv4 /24 or the IPv6 /56. All clients without an address share one network.
func (o Origin) Network() string {
	bits, a := 56, o.Address.Unmap()
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return "unknown"
	}
	return p.String()
}

// Identity is a signed-in member, with account and session.
type Identity struct {
	Member toksta.Member
	// Account is the account that the session shows; zero if the member belongs to none.
	Account toksta.Account
	// Role is the member's role in Account, "" without one.
	Role    toksta.MemberRole
	Session Session
	// Needs is the step that the person must do before all else.
	Needs Need
}

// Need is a step that the vendor requires of a signed-in person.
type Need string

// The needs. They arise only with Config.RequireFactor.
const (
	NeedsNothing Need = ""
	NeedsFactor  Need = "factor" // the person has no second factor and must set one up
	NeedsProof   Need = "proof"  // the session began without the second factor that the person has
)

// Actor returns the member as the actor of a change.
func (i Identity) Actor(o Origin) toksta.Actor { return memberActor(i.Member, o) }

// SignedIn is a new session with its cookie, whose value cannot be read again.
type SignedIn struct {
	Identity
	Cookie toksta.Hidden
	// Browser is the value of a cookie for BrowserLifetime, by which the member's browser is
	// known at the next sign-in. It gives no rights. Zero: the browser keeps the one that it has.
	Browser toksta.Hidden

	browser    toksta.Digest // id of the stored browser; zero: unchanged
	newBrowser bool          // the member signed in before, but only with other browsers
}

// recordSignIn adds a sign-in, with its factor and the number of failures before, to the change log, and
// rechecks the proof in the same transaction: no record of an erased person follows the erasure. It does not
// wait for nodes, because a sign-in changes no rights.
func (s *Service) recordSignIn(ctx context.Context, from Origin, in SignedIn, p proof) error {
	m := in.Member
	detail := map[string]string{"email": m.Email, "method": string(in.Session.Method)}
	if p.Factor != "" {
		detail["factor"] = string(p.Factor)
	}
	if p.Provider != "" {
		detail["provider"] = p.Provider
	}
	if p.Failures > 0 {
		detail["failed_before"] = strconv.Itoa(p.Failures)
	}
	if in.newBrowser {
		detail["new_browser"] = "true"
	}
	_, err := s.Trail.Commit(ctx, memberActor(m, from), func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		return store.Mutation{Kind: toksta.ChangeMemberSignedIn, AccountID: in.Account.ID, MemberID: m.ID, Detail: detail}, recheck(ctx, r, p, in.Account.ID)
	})
	if err != nil && toksta.ErrorCode(err) != toksta.CodeUnauthorized {
		return fmt.Errorf("record the sign-in of %s: %w", m.ID, err)
	}
	return err
}

// renew replaces the session of id by a new one after the proof p, whose CreatedAt is now. p has
// the member and the factor. With a new id, a stolen copy of the old cookie does not become recent.
func (s *Service) renew(ctx context.Context, from Origin, id Identity, p proof) (SignedIn, error) {
	p.Method, p.Account, p.Bound = id.Session.Method, id.Account.ID, id.Session.Bound
	p.Provider, p.ProviderSession, p.FactorAt = id.Session.provider, id.Session.providerSession, id.Session.FactorAt
	// Whatever ends the old session before the new one exists must end both. A password alone suffices for a
	// new session, so a form that is sent twice at once does not sign the person out.
	if p.Factor != "" || p.Provider != "" {
		p.Replaces = id.Session.id
	}
	in, err := s.startSession(ctx, from, p)
	if err != nil {
		return SignedIn{}, err
	}
	return in, s.endSessions(ctx, store.SessionSet{ID: id.Session.id})
}

// memberActor returns m as the actor of a change, with the origin of the request.
func memberActor(m toksta.Member, o Origin) toksta.Actor {
	a := toksta.Actor{Kind: toksta.ActorMember, ID: string(m.ID), Name: m.Name, Agent: o.Agent}
	if o.Address.IsValid() {
		a.Address = o.Address.String()
	}
	return a
}

func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }
