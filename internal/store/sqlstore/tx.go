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

// attempts bounds how often a transaction is tried that the database rolls
// back because of others.
const attempts = 5

// querier is what a statement runs on: a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// inTx runs fn in a write transaction: on SQLite alone (BEGIN IMMEDIATE), on
// PostgreSQL at READ COMMITTED, where the clock row's lock orders what must
// be ordered. fn may run more than once. A panic of fn rolls back.
func (s *Store) inTx(ctx context.Context, fn func(*dbconn.Tx) error) error {
	return s.inTxAt(ctx, sql.LevelDefault, fn)
}

// inTxAt is inTx at an isolation level, which SQLite exceeds by itself.
func (s *Store) inTxAt(ctx context.Context, level sql.IsolationLevel, fn func(*dbconn.Tx) error) error {
	err := s.retry(ctx, func() error { return s.tryTx(ctx, level, fn) })
	if dbconn.IsUniqueViolation(err) {
		return fmt.Errorf("%w: %w", store.ErrTaken, err)
	}
	return err
}

// retry tries again what the database rolled back.
func (s *Store) retry(ctx context.Context, try func() error) error {
	for attempt := 1; ; attempt++ {
		err := try()
		if !dbconn.IsRetryable(err) || attempt == attempts || !again(ctx, attempt) {
			return err
		}
	}
}

// again waits before the next attempt, longer each time and never alike: those
// who rolled one another back would meet again. It reports whether ctx goes on.
func again(ctx context.Context, attempt int) bool {
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
