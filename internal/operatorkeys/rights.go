package operatorkeys

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// checkRights returns FORBIDDEN if the actor is an operator key and key has more rights than
// it: another role, another network, or a later expiry. The actor's key is read in the
// decision: if it was revoked since the request was authenticated, it gets no secret.
func (s *Service) checkRights(ctx context.Context, r store.Reader, by toksta.Actor, key toksta.OperatorKey) error {
	if !strings.HasPrefix(by.ID, toksta.PrefixOperatorKey) {
		return nil // through the socket
	}
	own, err := r.OperatorKey(ctx, toksta.OperatorKeyID(by.ID))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return forbidden("There is no operator key with the id under which this request was made.")
	case err != nil:
		return fmt.Errorf("read the operator key of the request: %w", err)
	case own.State(s.now()) != toksta.KeyLive:
		return forbidden("The operator key of this request is no longer live.")
	}
	return exceeds(own, key)
}

// exceeds returns FORBIDDEN, with the rights that key has beyond own, or nil.
func exceeds(own, key toksta.OperatorKey) error {
	if !slices.Contains(own.Roles, toksta.RoleManage) {
		for _, role := range key.Roles {
			if !slices.Contains(own.Roles, role) {
				return forbidden(fmt.Sprintf("Your operator key has no role %s, so it gets no secret of a key with this role.", role))
			}
		}
	}
	if !within(key.Networks, own.Networks) {
		return forbidden(fmt.Sprintf("Your operator key is limited to the networks %s, so it gets only secrets of keys that are limited to these networks or parts of them.",
			networkText(own.Networks)))
	}
	if !own.ExpiresAt.IsZero() && (key.ExpiresAt.IsZero() || key.ExpiresAt.After(own.ExpiresAt)) {
		return forbidden(fmt.Sprintf("Your operator key expires at %s, so it gets only secrets of keys that expire no later.", timeText(own.ExpiresAt)))
	}
	return nil
}

// within reports whether every address of the networks is in one of the limits. An empty
// list stands for all addresses.
func within(networks, limits []netip.Prefix) bool {
	if len(limits) == 0 {
		return true
	}
	outside := func(n netip.Prefix) bool {
		return !slices.ContainsFunc(limits, func(l netip.Prefix) bool { return l.Bits() <= n.Bits() && l.Contains(n.Addr()) })
	}
	return len(networks) > 0 && !slices.ContainsFunc(networks, outside)
}

// forbidden returns the FORBIDDEN error for a secret that the actor must not get.
func forbidden(message string) error {
	return &toksta.Error{
		Code: toksta.CodeForbidden, Message: message,
		Hint: "use an operator key with more rights, or the socket of the server",
	}
}
