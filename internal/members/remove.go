package members

import (
	"context"
	"fmt"
	"strconv"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// KeyChoice states what happens to the keys that a removed member made.
type KeyChoice string

// The choices. To rotate the keys, keep them and rotate each: a rotation reveals a new secret, which
// a person must put into a program.
const (
	KeepKeys   KeyChoice = "keep"
	RevokeKeys KeyChoice = "revoke" // in the same change as the removal
)

// RemoveRequest removes a member from an account.
type RemoveRequest struct {
	Ref
	Keys KeyChoice
	// WithoutOwner allows an operator to leave the account without an owner who can sign in.
	WithoutOwner bool
}

// Removed is a removed member.
type Removed struct {
	Changed
	// Kept are the live keys that the member made and that still work. Revoked are those that the
	// removal revoked.
	Kept, Revoked []toksta.Key
}

// Remove takes a member out of an account. When it returns, no change by this member in the account
// commits on any node, and the sessions that show the account are ended. Sessions of the person in
// other accounts continue. With RevokeKeys, no node admits a key that the member made. The last
// owner cannot be removed: the error is CONFLICT.
//
// A repeated Remove changes nothing, and ends the sessions again.
func (s *Service) Remove(ctx context.Context, by toksta.Actor, req RemoveRequest) (Removed, error) {
	if req.Keys != KeepKeys && req.Keys != RevokeKeys {
		return Removed{}, toksta.Invalid("keys", "Choose whether the keys of this member are kept or revoked: keep, revoke.")
	}
	if by.ID == string(req.Member) && by.Kind == toksta.ActorMember {
		return Removed{}, conflict("You cannot remove yourself. Leave the account instead.")
	}
	var out Removed
	changed, err := s.edit(ctx, by, target{Ref: req.Ref, withoutOwner: req.WithoutOwner}, func(ctx context.Context, r store.Reader, m *store.AccountMember) (store.Mutation, error) {
		made, err := s.keysBy(ctx, r, req.Ref)
		if err != nil {
			return store.Mutation{}, err
		}
		out.Kept, out.Revoked = made, nil
		change := store.Mutation{Kind: toksta.ChangeMemberRemoved, Detail: map[string]string{"keys": strconv.Itoa(len(made)) + " kept"}}
		if req.Keys == RevokeKeys {
			for i := range made {
				made[i].RevokedAt = s.now()
			}
			out.Kept, out.Revoked, change.Keys = nil, made, made
			change.Detail["keys"] = strconv.Itoa(len(made)) + " revoked"
		}
		m.Membership.RemovedAt = s.now()
		return change, s.withdraw(ctx, r, m.Membership, &change)
	})
	out.Changed = changed
	if err != nil {
		return out, err
	}
	return out, s.endSessions(ctx, store.SessionSet{Member: req.Member, Account: req.Account})
}

// Leave takes the actor, a member, out of an account. The keys that the member made keep working.
// A session that still shows the account ends with its next request.
// The last owner cannot leave: the error is CONFLICT.
func (s *Service) Leave(ctx context.Context, by toksta.Actor, account toksta.AccountID) (Changed, error) {
	if by.Kind != toksta.ActorMember {
		return Changed{}, denied()
	}
	ref := Ref{Account: account, Member: toksta.MemberID(by.ID)}
	return s.edit(ctx, by, target{Ref: ref, self: true}, func(ctx context.Context, r store.Reader, m *store.AccountMember) (store.Mutation, error) {
		if !m.CanAct() {
			return store.Mutation{}, denied()
		}
		change := store.Mutation{Kind: toksta.ChangeMemberLeft}
		m.Membership.RemovedAt = s.now()
		return change, s.withdraw(ctx, r, m.Membership, &change)
	})
}

// KeysBy returns the live keys of the account that a member made, oldest first.
func (s *Service) KeysBy(ctx context.Context, ref Ref) ([]toksta.Key, error) {
	return s.keysBy(ctx, s.Store, ref)
}

func (s *Service) keysBy(ctx context.Context, r store.Reader, ref Ref) ([]toksta.Key, error) {
	now := s.now()
	var out []toksta.Key
	for k, err := range store.EachKey(ctx, r, store.KeyQuery{Account: ref.Account}) {
		if err != nil {
			return nil, fmt.Errorf("list the keys of member %s: %w", ref.Member, err)
		}
		if k.CreatedByID == ref.Member && k.State(now) == toksta.KeyLive {
			out = append(out, k)
		}
	}
	return out, nil
}
