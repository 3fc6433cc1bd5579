package signin

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// Session is the session of one browser, as the pages show it.
type Session struct {
	CreatedAt   time.Time // of the sign-in
	ConfirmedAt time.Time // when the person last proved to be present, by signing in or confirming
	FactorAt    time.Time // when the person last proved a second factor or a passkey; zero: never
	SeenAt      time.Time // accurate to seenInterval
	ExpiresAt   time.Time
	Method      Method
	Bound       bool // to the account: created by the vendor's back end
	Address     string
	Agent       string
	// Handle names the session among those of its member. It is no secret.
	Handle string
	// Account is the account that the session shows, without a name outside of a list.
	Account toksta.Account
	Current bool // in a list: the session of the request

	id                        toksta.Digest
	provider, providerSession string
}

// Provider returns the name of the sign-in provider, "" if the person did not use one.
func (s Session) Provider() string { return s.provider }

// Method is a way to sign in.
type Method string

// The ways to sign in.
const (
	MethodPassword Method = "password"
	MethodLink     Method = "link" // by a link in a mail
	MethodPasskey  Method = "passkey"
	MethodProvider Method = "provider" // by the vendor's or another sign-in provider
	MethodVendor   Method = "vendor"   // by the vendor's back end
	MethodEmbedded Method = "embedded" // by the vendor's back end, in a frame of its page
)

// isVendor reports whether the vendor's back end has signed the person in.
func (m Method) isVendor() bool { return m == MethodVendor || m == MethodEmbedded }

// proof is the result of a way to sign in: the person, and the session to start.
type proof struct {
	Member toksta.Member
	Method Method
	// Account is the account that the session shows first; "": the last one that the person
	// can use. A Bound session cannot leave it.
	Account toksta.AccountID
	Bound   bool
	// Lifetime shortens the session; 0: as configured.
	Lifetime time.Duration
	// Provider and ProviderSession name the session at a sign-in provider, Subject the person there, and
	// Begun is the database's time at which the person was sent there.
	Provider, ProviderSession, Subject string
	Begun                              time.Time
	// Passkey is the id of the used credential; empty: another proof.
	Passkey []byte
	// Replaces is the session that must still exist; zero: none.
	Replaces toksta.Digest
	Failures int // rejected attempts before this one, for the change log
	// Factor is the second factor, "" for none.
	Factor Factor
	// FactorAt is when the person proved a factor in the session that this one replaces.
	FactorAt time.Time
}

// seenInterval returns the interval after which SeenAt of a used session is updated:
// a hundredth of the idle time, at most 5 minutes. With a longer interval, a used
// session could end as an idle one.
func (s *Service) seenInterval() time.Duration { return min(5*time.Minute, s.Idle/100) }

// startSession starts a session with a new id. If the proof p was taken away meanwhile, the error is
// UNAUTHORIZED: see recheck.
func (s *Service) startSession(ctx context.Context, from Origin, p proof) (SignedIn, error) {
	in, err := s.putSession(ctx, from, p)
	if err == nil {
		err = recheck(ctx, s.Store, p, in.Account.ID)
	}
	if err != nil {
		return SignedIn{}, s.discard(ctx, in, err)
	}
	return in, nil
}

// putSession stores a session and its browser. If the session at the provider has ended, or the session that
// it replaces, the error is UNAUTHORIZED. The caller must recheck the proof then, and discard the session
// after any error.
func (s *Service) putSession(ctx context.Context, from Origin, p proof) (in SignedIn, err error) {
	if in.Identity, err = s.placeOfProof(ctx, p); err != nil {
		return in, err
	}
	cookie, sid := newSecret()
	now := s.now()
	if p.Factor != "" || p.Method == MethodPasskey && p.FactorAt.IsZero() {
		p.FactorAt = now
	}
	row := store.Session{
		ID: sid, MemberID: p.Member.ID, AccountID: in.Account.ID, Bound: p.Bound,
		Method: string(p.Method), Provider: p.Provider, ProviderSession: p.ProviderSession,
		CreatedAt: now, ConfirmedAt: now, FactorAt: p.FactorAt, SeenAt: now, ExpiresAt: now.Add(min(cmp.Or(p.Lifetime, s.Lifetime), s.Lifetime)),
		Address: memberActor(p.Member, from).Address, Agent: from.Agent,
	}
	in.Member, in.Session, in.Cookie = p.Member, sessionOf(row), cookie
	if err := s.Sessions.PutSession(ctx, row); err != nil {
		return in, ifNotFound(fmt.Errorf("store the session: %w", err), endedMeanwhile()) // erased
	}
	if !p.Method.isVendor() { // otherwise, the vendor's pages know the browser
		browser, err := s.remember(ctx, from, p.Member.ID)
		if err != nil {
			return in, ifNotFound(err, endedMeanwhile()) // erased
		}
		in.Browser, in.browser, in.newBrowser = browser.cookie, browser.id, browser.isNew
	}
	return in, s.recheckSessions(ctx, p)
}

// placeOfProof returns the account that a new session shows, with the member's role in it. A bound session
// without its account is UNAUTHORIZED.
func (s *Service) placeOfProof(ctx context.Context, p proof) (Identity, error) {
	place, err := s.roleIn(ctx, p.Account, p.Member.ID)
	switch {
	case err != nil || place.Role != "":
		return place, err
	case p.Bound:
		return place, notSignedIn()
	}
	return s.firstPlace(ctx, p.Member.ID)
}

// Authenticate returns the identity for a cookie. If there is no live session, if it is for
// frames, or if the member is disabled, the error is UNAUTHORIZED.
func (s *Service) Authenticate(ctx context.Context, cookie toksta.Hidden) (Identity, error) {
	return s.authenticate(ctx, cookie, false)
}

// AuthenticateEmbedded does the same for the cookie of a session in a frame of the vendor's
// page. No other session is valid there.
func (s *Service) AuthenticateEmbedded(ctx context.Context, cookie toksta.Hidden) (Identity, error) {
	return s.authenticate(ctx, cookie, true)
}

func (s *Service) authenticate(ctx context.Context, cookie toksta.Hidden, embedded bool) (Identity, error) {
	id, ok := secretID(cookie)
	if !ok {
		return Identity{}, notSignedIn()
	}
	now := s.now()
	row, err := s.Sessions.Session(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Identity{}, notSignedIn()
	case err != nil:
		return Identity{}, fmt.Errorf("read the session: %w", err)
	case !s.isLive(row, now), embedded != (Method(row.Method) == MethodEmbedded):
		return Identity{}, notSignedIn()
	}
	m, err := s.Store.Member(ctx, row.MemberID)
	if err != nil {
		return Identity{}, fmt.Errorf("read the session's member: %w", err)
	}
	if !m.DisabledAt.IsZero() {
		return Identity{}, notSignedIn()
	}
	place, err := s.placeOf(ctx, row)
	if err != nil {
		return Identity{}, err
	}
	// The interval avoids a write for each page.
	if isFound := row.AccountID != place.Account.ID; isFound || now.Sub(row.SeenAt) >= s.seenInterval() {
		touch := store.Session{ID: id, SeenAt: now}
		if isFound {
			touch.AccountID = place.Account.ID
		}
		switch err := s.Sessions.TouchSession(ctx, touch); {
		case errors.Is(err, store.ErrNotFound): // the session was ended after it was read
			return Identity{}, notSignedIn()
		case err != nil:
			return Identity{}, fmt.Errorf("update the session's last use: %w", store.SideWrite(err))
		}
	}
	place.Member, place.Session = m, sessionOf(row)
	place.Needs, err = s.need(ctx, place)
	return place, err
}

// isLive reports whether a session is neither expired nor idle.
func (s *Service) isLive(row store.Session, now time.Time) bool {
	return now.Before(row.ExpiresAt) && now.Sub(row.SeenAt) < s.Idle
}

// ListSessions returns the live sessions of the identity's member, newest
// first.
func (s *Service) ListSessions(ctx context.Context, id Identity) ([]Session, error) {
	if err := denyBound(id); err != nil {
		return nil, err
	}
	now := s.now()
	rows, err := s.Sessions.ListSessions(ctx, id.Member.ID, now)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	var out []Session
	names := map[toksta.AccountID]toksta.Account{"": {}}
	for _, row := range rows {
		if !s.isLive(row, now) {
			continue
		}
		session := sessionOf(row)
		session.Current = row.ID == id.Session.id
		if _, known := names[row.AccountID]; !known {
			if names[row.AccountID], err = s.Store.Account(ctx, row.AccountID); err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, fmt.Errorf("read the account of a session: %w", err)
			}
		}
		session.Account = names[row.AccountID]
		out = append(out, session)
	}
	return out, nil
}

// EndSession ends the session of the member with a handle, and reports whether it is the one of
// id. A session that has ended already is no error. The handle of another member's session is that
// of no session.
func (s *Service) EndSession(ctx context.Context, id Identity, handle string) (current bool, err error) {
	all, err := s.ListSessions(ctx, id)
	if err != nil {
		return false, err
	}
	for _, session := range all {
		if session.Handle == handle {
			return session.Current, s.endSessions(ctx, store.SessionSet{ID: session.id})
		}
	}
	return false, nil
}

// SignOut ends the session of a cookie, if there is one.
func (s *Service) SignOut(ctx context.Context, cookie toksta.Hidden) error {
	id, ok := secretID(cookie)
	if !ok {
		return nil
	}
	return s.endSessions(ctx, store.SessionSet{ID: id})
}

// SignOutEverywhere ends all sessions of the member. If keep is true, the session of
// id stays.
func (s *Service) SignOutEverywhere(ctx context.Context, id Identity, keep bool) error {
	if err := denyBound(id); err != nil {
		return err
	}
	set := store.SessionSet{Member: id.Member.ID}
	if keep {
		set.Keep = id.Session.id
	}
	return s.endSessions(ctx, set)
}

// endSessions deletes the sessions that set selects, and with all sessions of a member, or all of a
// provider, also the pending sign-ins. It is no error if there are none.
func (s *Service) endSessions(ctx context.Context, set store.SessionSet) error {
	if set.Member != "" && set.Account == "" {
		if err := s.Tickets.DeleteTickets(ctx, store.TicketSet{Member: set.Member, Purpose: purposePending}); err != nil {
			return fmt.Errorf("end pending sign-ins: %w", err)
		}
	}
	if err := s.Sessions.EndSessions(ctx, set); err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	return nil
}

// endAccess ends all sessions of a member, and everything that a secret of the member can still
// do: links in mails and sign-ins that are not complete.
func (s *Service) endAccess(ctx context.Context, member toksta.MemberID) error {
	err := s.Tickets.DeleteTickets(ctx, store.TicketSet{Member: member})
	if err != nil {
		err = fmt.Errorf("end the links of member %s: %w", member, err)
	}
	return errors.Join(err, s.endSessions(ctx, store.SessionSet{Member: member}))
}

// sweepInterval is the interval between deletions of expired sessions.
const sweepInterval = time.Hour

// Run deletes expired sessions, tickets, browsers and counts of attempts, and ends expired sign-ups,
// until ctx ends. A failed deletion is repeated in the next interval: an expired row is rejected
// even if it still exists.
func (s *Service) Run(ctx context.Context) error {
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	for {
		_ = s.Sessions.EndSessions(ctx, store.SessionSet{Before: s.now()})
		_ = s.Tickets.DeleteTickets(ctx, store.TicketSet{Before: s.now()})
		_ = s.Throttle.Trim(ctx)
		_ = s.Browsers.DeleteBrowsers(ctx, store.BrowserSet{Before: s.now().Add(-BrowserLifetime)})
		_ = s.expireSignUps(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// notSignedIn returns the same error for all rejected cookies: unknown, ended, idle,
// or of a disabled member.
func notSignedIn() error {
	return &toksta.Error{Code: toksta.CodeUnauthorized, Message: "Sign in to continue."}
}

// sessionOf converts a stored session. The id is not exported.
func sessionOf(row store.Session) Session {
	handle := sha256.Sum256(row.ID[:])
	return Session{
		Handle: hex.EncodeToString(handle[:8]), Account: toksta.Account{ID: row.AccountID},
		CreatedAt: row.CreatedAt, ConfirmedAt: row.ConfirmedAt, FactorAt: row.FactorAt, SeenAt: row.SeenAt, ExpiresAt: row.ExpiresAt,
		Method: Method(row.Method), Bound: row.Bound, Address: row.Address, Agent: row.Agent,
		id: row.ID, provider: row.Provider, providerSession: row.ProviderSession,
	}
}
