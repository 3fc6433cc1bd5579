// Package signin is who a person is: signing up, signing in with e-mail and
// password, the browser's session, changing the password.
//
// It stands in front of the account pages: they turn a cookie into an
// [Identity] here and act as its member from then on. It is not on the path
// of API calls, and keys mean nothing to it. A password is known as its
// argon2id hash, a cookie and an invitation as their SHA-256; none of the
// three is ever logged or part of an error.
package signin

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Policy is who may sign up.
type Policy string

// The policies. An unknown one is closed.
const (
	Open    Policy = "open"    // anybody; an invitation joins its account
	Invited Policy = "invited" // only with an invitation
	Closed  Policy = "closed"  // nobody; the operator creates members
)

// Config is what a Service is made of. Log, Trail, Store, Sessions, Catalog and
// Now are required.
type Config struct {
	Log      store.Log
	Trail    store.Mutator // records sign-ins, which no node has to know of
	Store    store.Reader
	Sessions store.Sessions
	Catalog  *toksta.Catalog
	Now      func() time.Time

	Policy Policy
	Plan   toksta.PlanID // of an account made by signing up; "": the catalogue's free plan

	Lifetime time.Duration // of a session at most; 0: 30 days
	Idle     time.Duration // of a session without a request; 0: 7 days
	// Bounds the memory that a flood of sign-ins can take.
	Parallel int // passwords hashed at once, 19 MiB each; 0: 4
}

// Service signs people up, in and out. Its methods are safe for concurrent
// use.
type Service struct {
	Config
	passwords *hasher
	addresses *throttle
	networks  *throttle
	signups   *throttle // by network, apart: making accounts must not lock anybody out
	successes *throttle // by member: bounds the records of sign-ins
	members   *throttle // signed in, asked for the password again
}

// New returns a service; Run sweeps what it leaves behind.
func New(c Config) *Service {
	c.Plan = cmp.Or(c.Plan, c.Catalog.FreePlan)
	c.Lifetime = cmp.Or(c.Lifetime, 30*24*time.Hour)
	c.Idle = cmp.Or(c.Idle, 7*24*time.Hour)
	return &Service{
		Config:    c,
		passwords: newHasher(cmp.Or(c.Parallel, 4)),
		// An address is delayed less than a network: its owner must get in
		// even while somebody guesses.
		addresses: newThrottle(backoff{free: 5, limit: time.Minute, expiry: time.Hour}),
		networks:  newThrottle(backoff{free: 20, limit: 15 * time.Minute, expiry: time.Hour}),
		signups:   newThrottle(backoff{free: 10, limit: 15 * time.Minute, expiry: time.Hour}),
		successes: newThrottle(backoff{free: 60, limit: time.Minute, expiry: time.Hour}),
		members:   newThrottle(backoff{free: 5, limit: time.Minute, expiry: time.Hour}),
	}
}

// Origin is where a request comes from.
type Origin struct {
	Address netip.Addr
	Agent   string
}

// Identity is a signed-in person.
type Identity struct {
	Member  toksta.Member
	Account toksta.Account
	Session Session
}

// Actor returns the identity as the one who asks for a change.
func (i Identity) Actor(o Origin) toksta.Actor { return memberActor(i.Member, o) }

// SignedIn is a new session: the cookie's value goes to the browser once.
type SignedIn struct {
	Identity
	Cookie toksta.Hidden
}

// SignIn begins a session for the member with that address and password. An
// unknown address, a wrong password and a disabled member have one answer,
// UNAUTHORIZED, after the same work. Too many failures are RATE_LIMITED with
// the detail retry_after, in seconds. A *Failed among the errors says to the log
// whose sign-in it was.
//
// Each sign-in is in the audit trail before its session begins. A failed one is
// not: anybody could fill the trail. The next success says how many failed.
func (s *Service) SignIn(ctx context.Context, from Origin, email string, password toksta.Hidden) (SignedIn, error) {
	m, failures, err := s.prove(ctx, from, email, password)
	if err != nil {
		return SignedIn{}, err
	}
	if wait := s.successes.attempt(string(m.ID), s.now()); wait > 0 {
		return SignedIn{}, tooMany(wait)
	}
	if err := s.record(ctx, from, m, failures); err != nil {
		return SignedIn{}, err
	}
	return s.begin(ctx, from, m)
}

// record writes a sign-in of m, after some failures, into the audit trail. No
// node waits for it: it changes no right.
func (s *Service) record(ctx context.Context, from Origin, m toksta.Member, failures int) error {
	detail := map[string]string{"email": m.Email}
	if failures > 0 {
		detail["failed_before"] = strconv.Itoa(failures)
	}
	_, err := s.Trail.Commit(ctx, memberActor(m, from), func(context.Context, store.Reader) (store.Mutation, error) {
		return store.Mutation{Kind: toksta.ChangeMemberSignedIn, AccountID: m.AccountID, MemberID: m.ID, Detail: detail}, nil
	})
	if err != nil {
		return fmt.Errorf("record the sign-in of %s: %w", m.ID, err)
	}
	return nil
}

// Confirm asks a signed-in person for the password again and replaces the
// session by a new one, whose CreatedAt is now. Failed sign-ins do not delay it,
// only its own failures do.
func (s *Service) Confirm(ctx context.Context, from Origin, id Identity, password toksta.Hidden) (SignedIn, error) {
	m, err := s.proveAgain(ctx, id, password)
	if err != nil {
		return SignedIn{}, err
	}
	// A new id: whoever saw the old cookie does not become recent with it.
	in, err := s.begin(ctx, from, m)
	if err != nil {
		return SignedIn{}, err
	}
	return in, s.end(ctx, store.SessionSet{ID: id.Session.id})
}

// memberActor is a member acting from somewhere.
func memberActor(m toksta.Member, o Origin) toksta.Actor {
	a := toksta.Actor{Kind: toksta.ActorMember, ID: string(m.ID), Name: m.Name, Agent: o.Agent}
	if o.Address.IsValid() {
		a.Address = o.Address.String()
	}
	return a
}

func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }
