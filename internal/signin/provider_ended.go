package signin

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/signin/oidc"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// purposeEnded is the purpose of the ticket that marks an ended session of a provider for the sign-ins
// that were begun before.
const purposeEnded = "signin.ended"

// endedLifetime is the time for which a mark is kept: a sign-in that was begun before it lasts at most that
// long. The minute is for the requests in between, and for nodes with different clocks: a node whose clock
// is ahead deletes tickets too early by the difference.
const endedLifetime = AttemptLifetime + PendingLifetime + time.Minute

// endedData is the data of the ticket that marks an ended session.
type endedData struct {
	At time.Time `json:"at"` // the database's time at which the logout token was received
}

// The sign-ins that a mark concerns.
const (
	endedSession = "session" // those of a session at the provider
	endedUnnamed = "unnamed" // those of a person for which the provider stated no session
	endedPerson  = "person"  // all of a person
)

// endedID returns the id of the mark of an ended session or person at a provider. It is a hash, so a mark
// names no person.
func endedID(concerns, provider, name string) toksta.Digest {
	return sha256.Sum256(fmt.Appendf(nil, "%s %s %s %s", purposeEnded, provider, concerns, name))
}

// markEnded marks what a logout token ends. A sign-in that was begun before then starts no session, also
// at another node, and also after its second factor. A sign-in that is begun afterwards works. Both times are
// those of the database, so the clocks of the nodes do not matter. The clocks of two servers of a database
// matter after a fail-over: if the new one is behind, a sign-in can be rejected in error for the difference.
func (s *Service) markEnded(ctx context.Context, p Provider, l oidc.Logout) error {
	at, err := s.Clock.Time(ctx)
	if err != nil {
		return fmt.Errorf("mark a sign-out at %s: %w", p.Name, err)
	}
	data, err := json.Marshal(endedData{At: at})
	if err != nil {
		return err
	}
	var ids []toksta.Digest
	switch {
	case l.Session == "":
		ids = []toksta.Digest{endedID(endedPerson, p.Name, l.Subject)}
	case l.Subject == "":
		ids = []toksta.Digest{endedID(endedSession, p.Name, l.Session)}
	default: // a sign-in without the name of a session may be of this one
		ids = []toksta.Digest{endedID(endedSession, p.Name, l.Session), endedID(endedUnnamed, p.Name, l.Subject)}
	}
	for _, id := range ids {
		err := s.Tickets.KeepLatestTicket(ctx, store.Ticket{ID: id, Purpose: purposeEnded, Data: string(data), ExpiresAt: at.Add(endedLifetime)})
		if err != nil {
			return fmt.Errorf("mark a sign-out at %s: %w", p.Name, err)
		}
	}
	return nil
}

// checkLogouts returns UNAUTHORIZED if a logout token that was received after the sign-in was begun ended
// the session, or all sessions of the person, at the provider. A logout writes its marks before it ends
// sessions, and a sign-in calls checkLogouts after it has written its session.
func (s *Service) checkLogouts(ctx context.Context, p proof) error {
	if p.Subject == "" { // no sign-in by a provider
		return nil
	}
	one := endedID(endedSession, p.Provider, p.ProviderSession)
	if p.ProviderSession == "" {
		one = endedID(endedUnnamed, p.Provider, p.Subject)
	}
	for _, id := range []toksta.Digest{one, endedID(endedPerson, p.Provider, p.Subject)} {
		t, err := s.Tickets.Ticket(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		var ended endedData
		if err == nil {
			err = json.Unmarshal([]byte(t.Data), &ended)
		}
		switch {
		case err != nil:
			return fmt.Errorf("read whether the session at %s has ended: %w", p.Provider, err)
		case !p.Begun.After(ended.At):
			return endedMeanwhile()
		}
	}
	return nil
}
