package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
)

// maxAttempts limits the executions of a transaction that the database rolls back.
const maxAttempts = 5

// querier runs statements: a pool, a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// inTx runs fn in a write transaction. On SQLite there is one at a time; on PostgreSQL it
// runs at READ COMMITTED, and fn locks rows where order matters. It runs fn again if
// the database rolls the transaction back. A panic of fn rolls back.
func (s *Store) inTx(ctx context.Context, fn func(*dbconn.Tx) error) error {
	return s.inTxAt(ctx, sql.LevelDefault, fn)
}

// inTxAt runs fn in a write transaction with an isolation level. SQLite always serializes.
// It runs fn again if the database rolls the transaction back.
func (s *Store) inTxAt(ctx context.Context, level sql.IsolationLevel, fn func(*dbconn.Tx) error) error {
	err := s.retry(ctx, func() error { return s.tryTx(ctx, level, fn) })
	if dbconn.IsUniqueViolation(err) {
		return fmt.Errorf("%w: %w", store.ErrTaken, err)
	}
	return err
}

// retry calls try again, up to maxAttempts times, while the database rolls it back.
func (s *Store) retry(ctx context.Context, try func() error) error {
	for attempt := 1; ; attempt++ {
		err := try()
		if !dbconn.IsRetryable(err) || attempt == maxAttempts || !backOff(ctx, attempt) {
			return err
		}
	}
}

// backOff waits before the next attempt, for a random and growing time, so that the same
// transactions do not conflict again. It returns false if ctx ends.
func backOff(ctx context.Context, attempt int) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(rand.N(time.Millisecond << (2 * attempt))):
		return true
	}
}

func (s *Store) tryTx(ctx context.Context, level sql.IsolationLevel, fn func(*dbconn.Tx) error) error {
	tx, err := dbconn.Begin(ctx, s.writer, level)
	if err != nil {
		return err
	}
	defer tx.Close()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}
