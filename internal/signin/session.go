package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Session is one signed-in browser, for people.
type Session struct {
	CreatedAt time.Time // of the sign-in with the password
	SeenAt    time.Time // to within a few minutes
	ExpiresAt time.Time
	Address   string
	Agent     string
	Current   bool // in a list: the one that asked

	id toksta.Digest
}

// cookieLen is the length of a session's random id.
const cookieLen = 32

// seenEvery is how often a session in use is written back: after a hundredth of
// the time that it may be idle, and at least every 5 minutes. With a longer interval a
// session in use would look idle.
func (s *Service) seenEvery() time.Duration { return min(5*time.Minute, s.Idle/100) }

// begin starts a session of m under a fresh id.
func (s *Service) begin(ctx context.Context, from Origin, m toksta.Member) (SignedIn, error) {
	account, err := s.Store.Account(ctx, m.AccountID)
	if err != nil {
		return SignedIn{}, fmt.Errorf("read the account of member %s: %w", m.ID, err)
	}
	// 256 random bits cannot be searched: SHA-256 without a salt keeps them as
	// it keeps a key's secret.
	var raw [cookieLen]byte
	rand.Read(raw[:])
	now := s.now()
	row := store.Session{
		ID: sha256.Sum256(raw[:]), MemberID: m.ID, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(s.Lifetime),
		Address: memberActor(m, from).Address, Agent: from.Agent,
	}
	if err := s.Sessions.PutSession(ctx, row); err != nil {
		return SignedIn{}, fmt.Errorf("begin a session: %w", err)
	}
	if err := s.reconsider(ctx, m, row.ID); err != nil {
		return SignedIn{}, err
	}
	return SignedIn{
		Identity: Identity{Member: m, Account: account, Session: shown(row)},
		Cookie:   toksta.Hide(base64.RawURLEncoding.EncodeToString(raw[:])),
	}, nil
}

// reconsider ends a session just begun when the member's password was changed
// or the member disabled since it was proved. Whoever changes one of them ends
// sessions afterwards: either that finds this session, or this finds the
// change.
func (s *Service) reconsider(ctx context.Context, proved toksta.Member, session toksta.Digest) error {
	m, err := s.Store.Member(ctx, proved.ID)
	if err != nil {
		return fmt.Errorf("read the session's member: %w", err)
	}
	if m.PasswordHash == proved.PasswordHash && m.DisabledAt.IsZero() {
		return nil
	}
	if err := s.end(ctx, store.SessionSet{ID: session}); err != nil {
		return err
	}
	return wrong()
}

// Authenticate returns who a cookie belongs to. Anything but a live session
// of a member who may sign in is UNAUTHORIZED.
func (s *Service) Authenticate(ctx context.Context, cookie toksta.Hidden) (Identity, error) {
	id, ok := sessionID(cookie)
	if !ok {
		return Identity{}, signedOut()
	}
	now := s.now()
	row, err := s.Sessions.Session(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Identity{}, signedOut()
	case err != nil:
		return Identity{}, fmt.Errorf("read the session: %w", err)
	case !s.live(row, now):
		return Identity{}, signedOut()
	}
	m, err := s.Store.Member(ctx, row.MemberID)
	if err != nil {
		return Identity{}, fmt.Errorf("read the session's member: %w", err)
	}
	if !m.DisabledAt.IsZero() {
		return Identity{}, signedOut()
	}
	account, err := s.Store.Account(ctx, m.AccountID)
	if err != nil {
		return Identity{}, fmt.Errorf("read the session's account: %w", err)
	}
	// Not at every request: that would be a write for every page.
	if now.Sub(row.SeenAt) >= s.seenEvery() {
		row.SeenAt = now
		switch err := s.Sessions.TouchSession(ctx, id, now); {
		case errors.Is(err, store.ErrNotFound): // ended since it was read
			return Identity{}, signedOut()
		case err != nil:
			return Identity{}, fmt.Errorf("keep the session: %w", store.SideWrite(err))
		}
	}
	return Identity{Member: m, Account: account, Session: shown(row)}, nil
}

// live reports whether a session is neither too old nor too long unused.
func (s *Service) live(row store.Session, now time.Time) bool {
	return now.Before(row.ExpiresAt) && now.Sub(row.SeenAt) < s.Idle
}

// ListSessions returns the live sessions of the identity's member, newest
// first.
func (s *Service) ListSessions(ctx context.Context, id Identity) ([]Session, error) {
	now := s.now()
	rows, err := s.Sessions.ListSessions(ctx, id.Member.ID, now)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	var out []Session
	for _, row := range rows {
		if s.live(row, now) {
			one := shown(row)
			one.Current = row.ID == id.Session.id
			out = append(out, one)
		}
	}
	return out, nil
}

// SignOut ends the session of a cookie; one that has none is no error.
func (s *Service) SignOut(ctx context.Context, cookie toksta.Hidden) error {
	id, ok := sessionID(cookie)
	if !ok {
		return nil
	}
	return s.end(ctx, store.SessionSet{ID: id})
}

// SignOutEverywhere ends all sessions of the identity's member, sparing the
// one that asks when keep is true.
func (s *Service) SignOutEverywhere(ctx context.Context, id Identity, keep bool) error {
	which := store.SessionSet{Member: id.Member.ID}
	if keep {
		which.Keep = id.Session.id
	}
	return s.end(ctx, which)
}

// end deletes sessions; those that are gone already are no error.
func (s *Service) end(ctx context.Context, which store.SessionSet) error {
	if err := s.Sessions.EndSessions(ctx, which); err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	return nil
}

// sweepEvery is how often sessions past their end are deleted.
const sweepEvery = time.Hour

// Run deletes sessions past their end, until ctx ends. A failure is left to
// the next round: an ended session admits nobody whether deleted or not.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		_ = s.Sessions.EndSessions(ctx, store.SessionSet{Before: s.now()})
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// sessionID is the stored form of a cookie.
func sessionID(cookie toksta.Hidden) (toksta.Digest, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(cookie.Reveal())
	if err != nil || len(raw) != cookieLen {
		return toksta.Digest{}, false
	}
	return sha256.Sum256(raw), true
}

// signedOut is one answer for every cookie that does not sign in: unknown,
// ended, idle or of a disabled member.
func signedOut() error {
	return &toksta.Error{Code: toksta.CodeUnauthorized, Message: "Sign in to continue."}
}

// shown is a stored session as people see it; its id stays in this package.
func shown(row store.Session) Session {
	return Session{
		CreatedAt: row.CreatedAt, SeenAt: row.SeenAt, ExpiresAt: row.ExpiresAt,
		Address: row.Address, Agent: row.Agent, id: row.ID,
	}
}
