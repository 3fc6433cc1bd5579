package signin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// expiryBatch is the number of sign-ups that one sweep ends.
const expiryBatch = 1000

// expireSignUps ends the sign-ups whose address was not verified in time.
func (s *Service) expireSignUps(ctx context.Context) error {
	if !s.verifies() {
		return nil
	}
	expired, err := s.Store.ListExpiredSignUps(ctx, s.now(), expiryBatch)
	if err != nil {
		return fmt.Errorf("list the expired sign-ups: %w", err)
	}
	var errs []error
	for _, m := range expired {
		errs = append(errs, s.expire(ctx, m.ID))
	}
	return errors.Join(errs...)
}

// freeAddress ends the sign-up with an address if its time is over. The sweep would do so later.
func (s *Service) freeAddress(ctx context.Context, email string) error {
	if !s.verifies() {
		return nil
	}
	m, err := s.Store.MemberByEmail(ctx, email)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("read the member by address: %w", err)
	case m.IsProvisional() && !s.now().Before(m.ExpiresAt):
		return s.expire(ctx, m.ID)
	}
	return nil
}

// expire ends a sign-up whose time is over.
func (s *Service) expire(ctx context.Context, member toksta.MemberID) error {
	return s.endSignUp(ctx, member, s.now())
}

// endSignUp ends a sign-up that expires at due or before. Afterwards its address is free, the person
// can no longer sign in, and an account without other members is closed. endSignUp changes nothing if
// the address was verified meanwhile, or if such an account has keys, which were made while
// signup.verification was off.
func (s *Service) endSignUp(ctx context.Context, member toksta.MemberID, due time.Time) error {
	receipt, err := s.Log.Commit(ctx, toksta.Actor{Kind: toksta.ActorSystem, Name: "sign-up"}, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		m, err := r.Member(ctx, member)
		now := s.now()
		if err != nil || m.Email == "" || !m.IsProvisional() || due.Before(m.ExpiresAt) {
			return store.Mutation{}, err
		}
		m.Email, m.Name, m.PasswordHash, m.DisabledAt = "", "", "", now
		change := store.Mutation{Kind: toksta.ChangeMemberExpired, MemberID: member, Members: []toksta.Member{m}}
		memberships, err := r.ListMemberships(ctx, member)
		if err != nil {
			return store.Mutation{}, err
		}
		for _, place := range memberships {
			if inUse, err := leave(ctx, r, ended{place, now}, &change); err != nil || inUse {
				return store.Mutation{}, err
			}
		}
		return change, nil
	})
	switch {
	case err != nil:
		return fmt.Errorf("end the sign-up of member %s: %w", member, err)
	case receipt.Change.Seq == 0:
		return nil
	}
	return s.endAccess(ctx, member)
}

// ended is a membership with the time at which it ends.
type ended struct {
	toksta.Membership
	at time.Time
}

// leave adds the end of a membership to change and, if the account has no other member, the end of
// the account. If the account has keys, it adds nothing, and inUse is true.
func leave(ctx context.Context, r store.Reader, place ended, change *store.Mutation) (inUse bool, err error) {
	all, err := r.ListAccountMembers(ctx, place.AccountID)
	if err != nil {
		return false, err
	}
	if len(all) == 1 {
		live, err := r.CountLiveKeys(ctx, place.AccountID, place.at)
		if err != nil || live > 0 {
			return live > 0, err
		}
		a, err := r.Account(ctx, place.AccountID)
		if err != nil {
			return false, err
		}
		a.ClosedAt = place.at
		change.Accounts = append(change.Accounts, a)
	}
	if change.AccountID == "" {
		change.AccountID = place.AccountID
	}
	place.RemovedAt = place.at
	change.Memberships = append(change.Memberships, place.Membership)
	return false, nil
}
