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

const selectSessions = `SELECT id, member_id, created_at, seen_at, expires_at, address, agent FROM sessions `

// PutSession implements [store.Sessions]. If the session exists, it sets only the time
// when it was last seen.
func (s *Store) PutSession(ctx context.Context, session store.Session) error {
	put := upsert[store.Session]{
		table:    "sessions",
		conflict: []string{"id"},
		columns:  []string{"id", "member_id", "created_at", "seen_at", "expires_at", "address", "agent"},
		set:      "seen_at = excluded.seen_at",
		args: func(v store.Session) ([]any, error) {
			return []any{
				v.ID[:], v.MemberID, millis(v.CreatedAt), millis(v.SeenAt), millis(v.ExpiresAt), v.Address, v.Agent,
			}, nil
		},
	}
	return s.inTx(ctx, func(tx *dbconn.Tx) error { return put.queue(ctx, tx, []store.Session{session}) })
}

// TouchSession implements [store.Sessions].
func (s *Store) TouchSession(ctx context.Context, id toksta.Digest, at time.Time) error {
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE sessions SET seen_at = $1 WHERE id = $2`, millis(at), id[:])
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
	rows, err := s.reads.QueryContext(ctx, selectSessions+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (v store.Session, err error) {
		return v, rows.Scan(digestColumn{&v.ID}, &v.MemberID, timeColumn{&v.CreatedAt}, timeColumn{&v.SeenAt},
			timeColumn{&v.ExpiresAt}, &v.Address, &v.Agent)
	})
}

// EndSessions implements [store.Sessions]. An empty set ends nothing: no session has the
// zero id.
func (s *Store) EndSessions(ctx context.Context, set store.SessionSet) error {
	where, args := `WHERE id = $1`, []any{set.ID[:]}
	switch {
	case set.Member != "":
		where, args = `WHERE member_id = $1 AND id <> $2`, []any{set.Member, set.Keep[:]}
	case !set.Before.IsZero():
		where, args = `WHERE expires_at < $1`, []any{millis(set.Before)}
	}
	return s.inTx(ctx, func(tx *dbconn.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions `+where, args...); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		return nil
	})
}
