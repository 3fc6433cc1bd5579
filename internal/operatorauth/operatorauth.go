// Package operatorauth authenticates requests of the operator API that come over the
// network, by the operator key in their Authorization field.
//
// It does no I/O: it reads the node's own copy of the operator keys, under the node's
// lease, so that a revoked key is rejected on every node once its revocation returns.
// It knows no operations; package operator compares the roles of the key with them.
package operatorauth

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/toksta/toksta/sdk/httpauth"
	"github.com/toksta/toksta/sdk/toksta"
)

// Lease reports whether this node may decide; see changefeed.Feed.Valid.
type Lease interface{ Valid(now time.Time) bool }

// Keys is the node's copy of the operator keys; see index.Index.
type Keys interface {
	Operator(d toksta.Digest) (toksta.OperatorGrant, bool)
}

// Authenticator authenticates requests. It is safe for concurrent use.
type Authenticator struct {
	lease    Lease
	keys     Keys
	now      func() time.Time
	failures *failures
}

// New returns an authenticator without any failures. now is time.Now; the lease needs its
// monotonic clock.
func New(lease Lease, keys Keys, now func() time.Time) *Authenticator {
	return &Authenticator{lease: lease, keys: keys, now: now, failures: newFailures()}
}

// Attempt is the result of one authentication. For a rejected request it has the known
// part, for the log.
type Attempt struct {
	Digest toksta.Digest        // of the credential; zero if there is no well-formed one
	Key    toksta.OperatorGrant // zero if the key is unknown
	Until  time.Time            // of a RATE_LIMITED attempt: the end of the limit
}

// Authenticate returns the operator key of a request with these Authorization fields, from
// this client address. Each error is a *toksta.Error:
//
//   - UNAUTHORIZED with one message for every cause; only its reason, which is for the
//     log, differs;
//   - RATE_LIMITED instead of it after several failures from the client's network;
//   - UNAVAILABLE if the node holds no valid lease.
//
// A valid key is never limited, even if its network sends guesses: secrets have 192 random
// bits, so guesses fail anyway, and the limit only bounds their cost and their records.
func (a *Authenticator) Authenticate(authorization []string, from netip.Addr) (Attempt, error) {
	now := a.now()
	digest, err := httpauth.Credential(authorization)
	if err != nil {
		return a.reject(Attempt{}, reasonOf(err), from, now)
	}
	if !a.lease.Valid(now) {
		return Attempt{Digest: digest}, toksta.Reject(toksta.ReasonLeaseExpired).Err()
	}
	key, known := a.keys.Operator(digest)
	out := Attempt{Digest: digest, Key: key}
	switch {
	case !known:
		return a.reject(out, toksta.ReasonKeyUnknown, from, now)
	case key.Revoked:
		return a.reject(out, toksta.ReasonKeyRevoked, from, now)
	case key.Expired(now):
		return a.reject(out, toksta.ReasonKeyExpired, from, now)
	case !key.AdmitsAddress(from):
		return a.reject(out, toksta.ReasonAddressNotAllowed, from, now)
	}
	return out, nil
}

// reject counts a failure and returns its error. A request without a credential is not an
// attempt.
func (a *Authenticator) reject(out Attempt, reason toksta.Reason, from netip.Addr, now time.Time) (Attempt, error) {
	if reason != toksta.ReasonKeyMissing {
		if out.Until = a.failures.count(networkOf(from), now); !out.Until.IsZero() {
			return out, tooManyFailures(out.Until.Sub(now))
		}
	}
	return out, &toksta.Error{
		Code: toksta.CodeUnauthorized, Reason: reason,
		Message: "A valid operator key is required: Authorization: Bearer " + toksta.OperatorSecretPrefix + "…",
	}
}

// reasonOf returns the reason of an error of httpauth.Credential.
func reasonOf(err error) toksta.Reason {
	if e, ok := errors.AsType[*toksta.Error](err); ok {
		return e.Reason
	}
	return toksta.ReasonKeyMalformed
}

// tooManyFailures returns the error of a failure beyond the limit, which ends after wait.
func tooManyFailures(wait time.Duration) error {
	seconds := int(math.Ceil(wait.Seconds()))
	return &toksta.Error{
		Code: toksta.CodeRateLimited, Reason: toksta.ReasonRateLimited,
		Message: fmt.Sprintf("Too many failed attempts from this network. Try again in %d s with a valid operator key.", seconds),
		Details: map[string]any{"retry_after": seconds},
	}
}

// networkOf returns the network that one person could control: the IPv4 /24 or the IPv6
// /56. All clients without an address share the zero value.
func networkOf(a netip.Addr) netip.Prefix {
	bits := 56
	if a = a.Unmap().WithZone(""); a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
