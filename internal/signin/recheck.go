package signin

import (
	"context"
	"errors"
	"fmt"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// A sign-in reads the person and the proof, and writes its session later. In between, the proof can be
// taken away: the password is changed, the identity unlinked, the person disabled or erased. Each of these
// changes commits first, and then ends the sessions. A sign-in writes its session first, and then reads
// the proof again. So whatever the order of the four steps, either the change finds the session, or the
// sign-in finds the change and discards the session.

// recheck returns UNAUTHORIZED if the proof p no longer holds, for a session that shows the account.
func recheck(ctx context.Context, r store.Reader, p proof, account toksta.AccountID) error {
	m, err := r.Member(ctx, p.Member.ID)
	switch {
	case err != nil:
		return fmt.Errorf("read the member of a sign-in again: %w", err)
	case !m.DisabledAt.IsZero(), m.PasswordHash != p.Member.PasswordHash, m.Email != p.Member.Email:
		if p.Method == MethodPassword {
			return wrongCredentials() // as if the change had come first
		}
		return endedMeanwhile()
	}
	if account != "" {
		if _, err := r.Role(ctx, account, m.ID); err != nil {
			return ifNotFound(err, endedMeanwhile())
		}
	}
	return recheckWay(ctx, r, p)
}

// recheckWay returns UNAUTHORIZED if the passkey, or the identity at a provider, of the proof p was
// removed.
func recheckWay(ctx context.Context, r store.Reader, p proof) error {
	if len(p.Passkey) > 0 {
		if _, err := r.Passkey(ctx, p.Passkey); err != nil {
			return ifNotFound(err, endedMeanwhile())
		}
	}
	if p.Subject == "" {
		return nil
	}
	i, err := r.Identity(ctx, p.Provider, p.Subject)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && i.MemberID != p.Member.ID:
		return endedMeanwhile()
	case err != nil:
		return fmt.Errorf("read the identity of a sign-in again: %w", err)
	}
	return nil
}

// recheckSessions returns UNAUTHORIZED if the session at the provider has ended since the sign-in was
// begun, or if the session that the new one replaces has ended.
func (s *Service) recheckSessions(ctx context.Context, p proof) error {
	if err := s.checkLogouts(ctx, p); err != nil || p.Replaces == (toksta.Digest{}) {
		return err
	}
	if _, err := s.Sessions.Session(ctx, p.Replaces); err != nil {
		return ifNotFound(err, notSignedIn())
	}
	return nil
}

// discard deletes a session whose sign-in was rejected because of cause, which it returns. The browser
// did not get the cookies. The browser does not stay known either: guesses of a thief of a changed password
// would otherwise be throttled as those of the member. discard also works for a client that has disconnected.
func (s *Service) discard(ctx context.Context, in SignedIn, cause error) error {
	ctx = context.WithoutCancel(ctx)
	var failures []error
	if in.Session.id != (toksta.Digest{}) {
		failures = append(failures, s.endSessions(ctx, store.SessionSet{ID: in.Session.id}))
	}
	if in.browser != (toksta.Digest{}) {
		failures = append(failures, s.Browsers.DeleteBrowsers(ctx, store.BrowserSet{Member: in.Member.ID, ID: in.browser}))
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("%w (discard its session: %w)", cause, err)
	}
	return cause
}

// endedMeanwhile returns the error for a sign-in whose proof was taken away while it was in progress.
func endedMeanwhile() error {
	return &toksta.Error{
		Code: toksta.CodeUnauthorized, Reason: "ended_meanwhile", Message: "This sign-in ended before it was complete. Start again.",
	}
}
