package signin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/signin/totp"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// setUpLifetime is the time in which a person must confirm an authenticator app.
const setUpLifetime = time.Hour

// AppSetUp has the secret of an authenticator app that is being set up, twice: as the address in
// the QR code, and as the text that a person can type.
type AppSetUp struct {
	URI, Secret toksta.Hidden
}

// SetUpApp returns the secret for a member's authenticator app, the same one for an hour, so that a
// reloaded page shows the code that was scanned. It counts only after ConfirmApp. If the member
// has a confirmed app, the error is CONFLICT, and the secret of that app is never shown again.
func (s *Service) SetUpApp(ctx context.Context, id Identity) (AppSetUp, error) {
	if err := denyBound(id); err != nil {
		return AppSetUp{}, err
	}
	t, err := s.Store.TOTP(ctx, id.Member.ID)
	now := s.now()
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return AppSetUp{}, fmt.Errorf("read the authenticator app of member %s: %w", id.Member.ID, err)
	case err == nil && !t.ConfirmedAt.IsZero():
		return AppSetUp{}, hasApp()
	case err != nil || now.Sub(t.CreatedAt) >= setUpLifetime:
		t = store.TOTP{MemberID: id.Member.ID, Secret: totp.NewSecret(), CreatedAt: now}
		err := s.Factors.PutTOTP(ctx, t)
		if errors.Is(err, store.ErrNotFound) {
			return AppSetUp{}, hasApp()
		}
		if err != nil {
			return AppSetUp{}, fmt.Errorf("store the authenticator app of member %s: %w", id.Member.ID, err)
		}
	}
	return AppSetUp{URI: totp.URI(t.Secret, s.Product, id.Member.Email), Secret: t.Secret}, nil
}

// hasApp returns the error for the set-up of a second authenticator app: a member has at most one.
func hasApp() error {
	return &toksta.Error{Code: toksta.CodeConflict, Message: "You have an authenticator app. Remove it before you set up another one."}
}

// NewFactor is the result of a changed factor: a new session, since the person proved the factor,
// and the recovery codes, which cannot be read again.
type NewFactor struct {
	SignedIn
	Codes []toksta.Hidden // none if the person keeps those of before
}

// ConfirmApp makes the authenticator app count if the code is one of it, and returns the member's
// recovery codes. Codes of before no longer work. The session gets a new id.
func (s *Service) ConfirmApp(ctx context.Context, from Origin, id Identity, typed toksta.Hidden) (NewFactor, error) {
	if err := denyBound(id); err != nil {
		return NewFactor{}, err
	}
	code, now := cleanCode(typed), s.now()
	codes, hashes := totp.NewRecoveryCodes()
	_, err := s.Log.Commit(ctx, id.Actor(from), func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		t, err := r.TOTP(ctx, id.Member.ID)
		switch {
		case errors.Is(err, store.ErrNotFound), err == nil && t.ConfirmedAt.IsZero() && now.Sub(t.CreatedAt) >= setUpLifetime:
			return store.Mutation{}, toksta.Invalid("code", "The time to set up the app is over. Scan the new code.")
		case err != nil:
			return store.Mutation{}, err
		case !t.ConfirmedAt.IsZero():
			return store.Mutation{}, hasApp()
		}
		step, ok, err := totp.Verify(t.Secret, code, now)
		switch {
		case err != nil:
			return store.Mutation{}, err
		case !ok:
			return store.Mutation{}, wrongCode()
		}
		t.ConfirmedAt, t.LastStep = now, step
		m, err := s.replaceCodes(ctx, r, t.MemberID, recoveryRows(t.MemberID, hashes))
		m.Kind, m.AccountID, m.TOTPs = toksta.ChangeFactorAdded, id.Account.ID, []store.TOTP{t}
		m.Detail = map[string]string{"factor": string(FactorTOTP)}
		return m, err
	})
	if err != nil {
		return NewFactor{}, err
	}
	in, err := s.renew(ctx, from, id, proof{Member: id.Member, Factor: FactorTOTP})
	return NewFactor{SignedIn: in, Codes: codes}, err
}

// RenewRecoveryCodes replaces all recovery codes of a member who has a factor.
func (s *Service) RenewRecoveryCodes(ctx context.Context, from Origin, id Identity) ([]toksta.Hidden, error) {
	if err := denyBound(id); err != nil {
		return nil, err
	}
	codes, hashes := totp.NewRecoveryCodes()
	_, err := s.Log.Commit(ctx, id.Actor(from), func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		state, err := r.FactorState(ctx, id.Member.ID)
		switch {
		case err != nil:
			return store.Mutation{}, err
		case !state.HasFactor():
			return store.Mutation{}, &toksta.Error{Code: toksta.CodeConflict, Message: "Recovery codes replace a passkey or an authenticator app. Add one first."}
		}
		m, err := s.replaceCodes(ctx, r, id.Member.ID, recoveryRows(id.Member.ID, hashes))
		m.Kind, m.AccountID = toksta.ChangeFactorAdded, id.Account.ID
		m.Detail = map[string]string{"factor": string(FactorRecovery)}
		return m, err
	})
	if err != nil {
		return nil, err
	}
	return codes, nil
}

// RemoveApp removes the authenticator app of the member, and the recovery codes if it was the last
// factor. If factors are required, the removal of the last one ends all sessions of the member.
func (s *Service) RemoveApp(ctx context.Context, from Origin, id Identity) error {
	if err := denyBound(id); err != nil {
		return err
	}
	_, err := s.Log.Commit(ctx, id.Actor(from), func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		state, err := r.FactorState(ctx, id.Member.ID)
		switch {
		case err != nil:
			return store.Mutation{}, err
		case !state.TOTP:
			return store.Mutation{}, toksta.NotFound("authenticator app")
		}
		var m store.Mutation
		if state.Passkeys == 0 {
			m, err = s.replaceCodes(ctx, r, id.Member.ID, nil)
		}
		m.Kind, m.AccountID, m.MemberID = toksta.ChangeFactorRemoved, id.Account.ID, id.Member.ID
		m.Detail = map[string]string{"factor": string(FactorTOTP)}
		m.TOTPs = []store.TOTP{{MemberID: id.Member.ID}}
		return m, err
	})
	if err != nil {
		return err
	}
	return s.afterRemoval(ctx, id)
}

// afterRemoval ends all sessions of a member who has no factor left, if one is required: the factor
// that was proved in them no longer counts.
func (s *Service) afterRemoval(ctx context.Context, id Identity) error {
	if !s.RequireFactor {
		return nil
	}
	state, err := s.factorState(ctx, id.Member.ID)
	if err != nil || state.HasFactor() {
		return err
	}
	return s.endSessions(ctx, store.SessionSet{Member: id.Member.ID})
}

// ResetFactors removes all passkeys, the authenticator app and the recovery codes of a member, for
// the operator, and ends all sessions of the member. If the member has none of them, it is no error.
func (s *Service) ResetFactors(ctx context.Context, by toksta.Actor, member toksta.MemberID) error {
	_, err := s.Log.Commit(ctx, by, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		if _, err := r.Member(ctx, member); err != nil {
			return store.Mutation{}, store.Missing("member", member, err)
		}
		m, err := s.withoutFactors(ctx, r, member)
		if err != nil {
			return store.Mutation{}, err
		}
		if len(m.Passkeys)+len(m.TOTPs)+len(m.RecoveryCodes) == 0 {
			return store.Mutation{}, nil
		}
		m.Kind, m.Detail = toksta.ChangeFactorRemoved, map[string]string{"factor": "all"}
		m.AccountID, err = historyOf(ctx, r, member, "")
		return m, err
	})
	if err != nil {
		return err
	}
	return s.endSessions(ctx, store.SessionSet{Member: member})
}

// withoutFactors returns a mutation that removes all passkeys, the authenticator app and the recovery
// codes of a member.
func (s *Service) withoutFactors(ctx context.Context, r store.Reader, member toksta.MemberID) (store.Mutation, error) {
	passkeys, err := r.ListPasskeys(ctx, member)
	if err != nil {
		return store.Mutation{}, err
	}
	m, err := s.replaceCodes(ctx, r, member, nil)
	if err != nil {
		return store.Mutation{}, err
	}
	for _, p := range passkeys {
		m.Passkeys = append(m.Passkeys, removed(p, s.now()))
	}
	// A row of an app is written only if there is one: the change would otherwise create it.
	switch _, err := r.TOTP(ctx, member); {
	case err == nil:
		m.TOTPs = []store.TOTP{{MemberID: member}}
	case !errors.Is(err, store.ErrNotFound):
		return store.Mutation{}, err
	}
	return m, nil
}

// removed returns the row of a removed passkey, without its key and its name.
func removed(p store.Passkey, now time.Time) store.Passkey {
	p.RemovedAt, p.Name, p.PublicKey = now, "", []byte{}
	return p
}

// replaceCodes returns a mutation of the member that marks the unused recovery codes as used and
// adds others.
func (s *Service) replaceCodes(ctx context.Context, r store.Reader, member toksta.MemberID, others []store.RecoveryCode) (store.Mutation, error) {
	codes, err := r.ListRecoveryCodes(ctx, member)
	if err != nil {
		return store.Mutation{}, err
	}
	for i := range codes {
		codes[i].UsedAt = s.now()
	}
	return store.Mutation{MemberID: member, RecoveryCodes: append(codes, others...)}, nil
}

// recoveryRows returns the rows of new recovery codes.
func recoveryRows(member toksta.MemberID, hashes []toksta.Digest) (out []store.RecoveryCode) {
	for _, h := range hashes {
		out = append(out, store.RecoveryCode{MemberID: member, Hash: h})
	}
	return out
}
