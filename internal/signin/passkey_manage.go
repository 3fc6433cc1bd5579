package signin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/toksta/toksta/internal/signin/passkey"
	"github.com/toksta/toksta/internal/signin/totp"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/text"
	"github.com/toksta/toksta/sdk/toksta"
)

// MaxPasskeys is the maximum number of passkeys of a member.
const MaxPasskeys = 20

// BeginAddPasskey returns a challenge for a new passkey of a signed-in member.
func (s *Service) BeginAddPasskey(ctx context.Context, id Identity, browser toksta.Hidden) (PasskeyChallenge, error) {
	if err := denyBound(id); err != nil {
		return PasskeyChallenge{}, err
	}
	if err := s.hasPasskeys(); err != nil {
		return PasskeyChallenge{}, err
	}
	owner, err := s.ownerOf(ctx, id.Member)
	switch {
	case err != nil:
		return PasskeyChallenge{}, err
	case len(owner.Passkeys) >= MaxPasskeys:
		return PasskeyChallenge{}, tooManyPasskeys()
	}
	c, err := s.Passkeys.BeginRegistration(owner)
	if err != nil {
		return PasskeyChallenge{}, err
	}
	return s.keepChallenge(ctx, browser, store.Ticket{Purpose: purposePasskeyAdd, MemberID: id.Member.ID}, c)
}

// AddPasskey adds the passkey that a browser made for the challenge of BeginAddPasskey, and replaces
// the session by a new one. If a second factor is required and the member has no recovery codes,
// the result has some.
func (s *Service) AddPasskey(ctx context.Context, from Origin, id Identity, req PasskeyResponse) (NewFactor, error) {
	if err := denyBound(id); err != nil {
		return NewFactor{}, err
	}
	name, err := text.Name("name", cmp.Or(req.Name, from.Agent, "Passkey"))
	if err != nil {
		return NewFactor{}, err
	}
	state, err := s.takeChallenge(ctx, req, store.Ticket{Purpose: purposePasskeyAdd, MemberID: id.Member.ID})
	if err != nil {
		return NewFactor{}, err
	}
	made, err := s.Passkeys.FinishRegistration(passkey.Person{Handle: string(id.Member.ID)}, state, req.Response)
	if errors.Is(err, passkey.ErrRejected) {
		return NewFactor{}, fmt.Errorf("%w (%w)", rejectedPasskey(), err)
	}
	if err != nil {
		return NewFactor{}, err
	}
	now := s.now()
	added := store.Passkey{
		ID: toksta.NewID("pass_", now), MemberID: id.Member.ID, Credential: made.ID, PublicKey: made.PublicKey, SignCount: made.SignCount,
		BackupEligible: made.BackupEligible, BackedUp: made.BackedUp, AAGUID: made.AAGUID, Transports: made.Transports, Name: name, CreatedAt: now,
	}
	codes, err := s.storePasskey(ctx, from, id, added)
	if err != nil {
		return NewFactor{}, err
	}
	in, err := s.renew(ctx, from, id, proof{Member: id.Member, Factor: FactorPasskey})
	return NewFactor{SignedIn: in, Codes: codes}, err
}

// storePasskey commits a new passkey and returns the recovery codes that the member gets with it.
func (s *Service) storePasskey(ctx context.Context, from Origin, id Identity, added store.Passkey) (codes []toksta.Hidden, err error) {
	_, err = s.Log.Commit(ctx, id.Actor(from), func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		state, err := r.FactorState(ctx, id.Member.ID)
		switch {
		case err != nil:
			return store.Mutation{}, err
		case state.Passkeys >= MaxPasskeys:
			return store.Mutation{}, tooManyPasskeys()
		}
		m := store.Mutation{
			Kind: toksta.ChangeFactorAdded, AccountID: id.Account.ID, MemberID: id.Member.ID, Passkeys: []store.Passkey{added},
			Detail: map[string]string{"factor": string(FactorPasskey), "name": added.Name},
		}
		if codes = nil; s.RequireFactor && state.RecoveryCodes == 0 {
			var hashes []toksta.Digest
			codes, hashes = totp.NewRecoveryCodes()
			m.RecoveryCodes = recoveryRows(id.Member.ID, hashes)
		}
		return m, nil
	})
	if errors.Is(err, store.ErrTaken) {
		return nil, toksta.Invalid("passkey", "This passkey is registered already.")
	}
	return codes, err
}

// tooManyPasskeys returns the error for a member who has the maximum number of passkeys.
func tooManyPasskeys() error {
	return &toksta.Error{Code: toksta.CodeConflict, Message: fmt.Sprintf("You have %d passkeys. Remove one before you add another.", MaxPasskeys)}
}

// ListPasskeys returns the passkeys of a signed-in member, the oldest first.
func (s *Service) ListPasskeys(ctx context.Context, id Identity) ([]store.Passkey, error) {
	if err := denyBound(id); err != nil {
		return nil, err
	}
	return s.Store.ListPasskeys(ctx, id.Member.ID)
}

// RenamePasskey gives a passkey of the member another name. If the member has no such passkey, the
// error is NOT_FOUND.
func (s *Service) RenamePasskey(ctx context.Context, from Origin, id Identity, renamed store.Passkey) error {
	if err := denyBound(id); err != nil {
		return err
	}
	name, err := text.Name("name", renamed.Name)
	if err != nil {
		return err
	}
	_, err = s.Log.Commit(ctx, id.Actor(from), func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		p, _, err := ownPasskey(ctx, r, id, renamed.ID)
		if err != nil || p.Name == name {
			return store.Mutation{}, err
		}
		detail := map[string]string{"passkey": p.Name + " → " + name}
		p.Name = name
		return store.Mutation{
			Kind: toksta.ChangeMemberProfileSet, AccountID: id.Account.ID, MemberID: id.Member.ID, Passkeys: []store.Passkey{p}, Detail: detail,
		}, nil
	})
	return err
}

// RemovePasskey removes a passkey of the member, and ends as RemoveApp. If
// the member has no such passkey, the error is NOT_FOUND; if it is the last way to sign in, CONFLICT.
func (s *Service) RemovePasskey(ctx context.Context, from Origin, id Identity, passkeyID string) error {
	if err := denyBound(id); err != nil {
		return err
	}
	_, err := s.Log.Commit(ctx, id.Actor(from), func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		p, state, err := ownPasskey(ctx, r, id, passkeyID)
		if err != nil {
			return store.Mutation{}, err
		}
		if err := s.keepsAWay(ctx, r, id.Member.ID, state); err != nil {
			return store.Mutation{}, err
		}
		m := store.Mutation{MemberID: id.Member.ID}
		if state.Passkeys == 1 && !state.TOTP {
			if m, err = s.replaceCodes(ctx, r, id.Member.ID, nil); err != nil {
				return m, err
			}
		}
		m.Kind, m.AccountID, m.Passkeys = toksta.ChangeFactorRemoved, id.Account.ID, []store.Passkey{removed(p, s.now())}
		m.Detail = map[string]string{"factor": string(FactorPasskey), "name": p.Name}
		return m, nil
	})
	if err != nil {
		return err
	}
	return s.afterRemoval(ctx, id)
}

// keepsAWay returns CONFLICT if a member with these factors has no other way to sign in than one passkey.
func (s *Service) keepsAWay(ctx context.Context, r store.Reader, member toksta.MemberID, state store.FactorState) error {
	if s.Passkeys == nil {
		return nil // no passkey signs in
	}
	all, err := r.ListIdentities(ctx, member)
	if err != nil {
		return err
	}
	can, err := s.canSignIn(ctx, r, member, ways{all, state.Passkeys - 1})
	if err == nil && !can {
		err = s.lastWay("remove")
	}
	return err
}

// ownPasskey returns a passkey of a member by its id, with the state of the member's factors.
func ownPasskey(ctx context.Context, r store.Reader, id Identity, passkeyID string) (store.Passkey, store.FactorState, error) {
	all, err := r.ListPasskeys(ctx, id.Member.ID)
	if err != nil {
		return store.Passkey{}, store.FactorState{}, err
	}
	i := slices.IndexFunc(all, func(p store.Passkey) bool { return p.ID == passkeyID })
	if i < 0 {
		return store.Passkey{}, store.FactorState{}, toksta.NotFoundID("passkey", passkeyID)
	}
	state, err := r.FactorState(ctx, id.Member.ID)
	return all[i], state, err
}
