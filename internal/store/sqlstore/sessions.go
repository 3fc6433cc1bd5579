package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
	"github.com/toksta/toksta/sdk/toksta"
)

const sessionColumns = `id, member_id, account_id, bound, method, provider, provider_session,
	created_at, confirmed_at, seen_at, expires_at, address, agent, factor_at`

// PutSession implements [store.Sessions].
func (s *Store) PutSession(ctx context.Context, v store.Session) error {
	insert := `INSERT INTO sessions (` + sessionColumns + `) SELECT $1, members.id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14` + s.ofPerson("$2")
	return s.useOnce(ctx, "store a session", insert, v.ID[:], v.MemberID, v.AccountID, number(v.Bound), v.Method, v.Provider, v.ProviderSession,
		millis(v.CreatedAt), millis(v.ConfirmedAt), millis(v.SeenAt), millis(v.ExpiresAt), v.Address, v.Agent, millis(v.FactorAt))
}

// TouchSession implements [store.Sessions].
func (s *Store) TouchSession(ctx context.Context, v store.Session) error {
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE sessions SET seen_at = $1, account_id = CASE WHEN $2 = '' THEN account_id ELSE $2 END WHERE id = $3`, millis(v.SeenAt), v.AccountID, v.ID[:])
		if err != nil {
			return fmt.Errorf("touch a session: %w", err)
		}
		rows, err := result.RowsAffected()
		if err == nil && rows == 0 {
			err = fmt.Errorf("touch a session: %w", store.ErrNotFound)
		}
		return err
	})
}

// Session implements [store.Sessions]. It finds an expired session until EndSessions
// deletes it: the caller compares ExpiresAt with its own clock.
func (s *Store) Session(ctx context.Context, id toksta.Digest) (store.Session, error) {
	return one(s.sessions(ctx, `WHERE id = $1`, id[:]))
}

// ListSessions implements [store.Sessions].
func (s *Store) ListSessions(ctx context.Context, member toksta.MemberID, now time.Time) ([]store.Session, error) {
	return s.sessions(ctx, `WHERE member_id = $1 AND expires_at > $2 ORDER BY created_at DESC, id`, member, millis(now))
}

// sessions reads the sessions that match a WHERE clause, outside of any transaction.
func (s *Store) sessions(ctx context.Context, where string, args ...any) ([]store.Session, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT `+sessionColumns+` FROM sessions `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (v store.Session, err error) {
		var bound int64
		err = rows.Scan(digestColumn{&v.ID}, &v.MemberID, &v.AccountID, &bound, &v.Method, &v.Provider, &v.ProviderSession,
			timeColumn{&v.CreatedAt}, timeColumn{&v.ConfirmedAt}, timeColumn{&v.SeenAt}, timeColumn{&v.ExpiresAt}, &v.Address, &v.Agent, timeColumn{&v.FactorAt})
		v.Bound = bound != 0
		return v, err
	})
}

// EndSessions implements [store.Sessions]. An empty set ends nothing: no session has the
// zero id.
func (s *Store) EndSessions(ctx context.Context, set store.SessionSet) error {
	var c conditions
	switch {
	case set.Member != "" || set.Provider != "":
		if set.Member != "" {
			c.and("member_id =", set.Member)
			c.and("id <>", set.Keep[:])
		}
		if set.Account != "" {
			c.and("account_id =", set.Account)
		}
		if set.Provider != "" {
			c.and("provider =", set.Provider)
		}
		// Without a member, an empty name would select the sessions of all people.
		if set.ProviderSession != "" || set.Member == "" {
			c.and("provider_session <> '' AND provider_session =", set.ProviderSession)
		}
	case !set.Before.IsZero():
		c.and("expires_at <", millis(set.Before))
	default:
		c.and("id =", set.ID[:])
	}
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions`+c.text.String(), c.args...); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		return nil
	})
}
