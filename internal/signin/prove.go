package signin

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// Failed is a sign-in that was rejected. It says nothing but what the error
// within it says; Member and Account are for the log.
type Failed struct {
	Member  toksta.MemberID // whose address was given; "" for an unknown one
	Account toksta.AccountID
	err     error
}

// Error returns the text of the error within.
func (f *Failed) Error() string { return f.err.Error() }

// Unwrap returns the error for the caller.
func (f *Failed) Unwrap() error { return f.err }

// prove returns the member whose address and password these are, and how many
// attempts at the address failed before. Every attempt costs one hash, or none at
// all when it is throttled, whatever is known of the address.
func (s *Service) prove(ctx context.Context, from Origin, email string, password toksta.Hidden) (m toksta.Member, failures int, err error) {
	now := s.now()
	email = strings.TrimSpace(email)
	email = strings.ToValidUTF8(email[:min(len(email), maxEmail)], "") // a character may have been cut in two
	address, network := text.FoldAddress(email), networkOf(from.Address)
	// The network first: an attempt that it stops does not slow the address's
	// owner down.
	if wait := s.networks.attempt(network, now); wait > 0 {
		return m, 0, tooMany(wait)
	}
	if wait := s.addresses.attempt(address, now); wait > 0 {
		return m, 0, tooMany(wait)
	}
	if m, err = s.check(ctx, email, password); err != nil {
		return m, 0, err
	}
	// The address starts afresh; the network gets only this attempt back, or
	// an own account would make guessing at others free.
	failures = s.addresses.reset(address) - 1
	s.networks.undo(network)
	return m, max(failures, 0), nil
}

// proveAgain is prove for somebody who is signed in. The attempts are counted
// apart: strangers who guess at the address, or share the network, must not
// keep its owner from revoking a key.
func (s *Service) proveAgain(ctx context.Context, id Identity, password toksta.Hidden) (toksta.Member, error) {
	name := string(id.Member.ID)
	if wait := s.members.attempt(name, s.now()); wait > 0 {
		return toksta.Member{}, tooMany(wait)
	}
	m, err := s.check(ctx, id.Member.Email, password)
	if err == nil {
		s.members.reset(name)
	}
	return m, err
}

// check looks the member up and compares the password, at the cost of one hash.
func (s *Service) check(ctx context.Context, email string, password toksta.Hidden) (toksta.Member, error) {
	m, err := s.Store.MemberByEmail(ctx, email)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return toksta.Member{}, fmt.Errorf("look up the member: %w", err)
	}
	may := err == nil && m.PasswordHash != "" && m.DisabledAt.IsZero()
	hash := m.PasswordHash
	// The hash is computed all the same, against one that nothing matches:
	// how long the answer takes says nothing of who exists.
	if !may {
		hash = nobody
	}
	matches, err := s.passwords.matches(ctx, hash, password)
	switch {
	case err != nil:
		return toksta.Member{}, fmt.Errorf("check the password of %s: %w", m.ID, err)
	case !matches || !may:
		return toksta.Member{}, &Failed{Member: m.ID, Account: m.AccountID, err: wrong()}
	}
	return m, nil
}

// wrong is the one answer to credentials that do not sign anybody in.
func wrong() error {
	return &toksta.Error{Code: toksta.CodeUnauthorized, Message: "The e-mail address or the password is wrong."}
}

// tooMany says when to come back, rounded up: coming back then works.
func tooMany(wait time.Duration) error {
	seconds := int(math.Ceil(wait.Seconds()))
	duration := fmt.Sprintf("%d seconds", seconds)
	if seconds == 1 {
		duration = "1 second"
	}
	return &toksta.Error{
		Code: toksta.CodeRateLimited, Reason: toksta.ReasonRateLimited,
		Message: "Too many attempts. Try again in " + duration + ".",
		Details: map[string]any{"retry_after": seconds},
	}
}

// networkOf is what one person can be expected to control: an IPv4 /24 or an
// IPv6 /56. Clients without an address share one.
func networkOf(a netip.Addr) string {
	bits := 56
	if a = a.Unmap(); a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return "unknown"
	}
	return p.String()
}
