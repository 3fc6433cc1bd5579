package dbconn

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/toksta/toksta/internal/store"
)

// Tx is a transaction whose statements can be queued. On PostgreSQL a queued
// statement is sent together with the next statement that is not queued, with the
// commit, or by Flush, which saves round trips; its error is returned by the call
// that sends it. On SQLite, which has no round trips, it is executed at once.
type Tx struct {
	*sql.Tx
	conn     *sql.Conn
	canQueue bool                 // on PostgreSQL
	prepared map[string]*sql.Stmt // on SQLite, by text
}

// Begin begins a transaction on a connection of db. Its caller calls Close.
func Begin(ctx context.Context, db *sql.DB, level sql.IsolationLevel) (*Tx, error) {
	c, err := db.Conn(ctx)
	if err != nil && !isCanceled(ctx) {
		err = unavailable(err) // no connection was free in time
	}
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	t := &Tx{conn: c, prepared: map[string]*sql.Stmt{}}
	err = c.Raw(func(driver any) error {
		_, t.canQueue = driver.(*conn)
		return nil
	})
	if err == nil {
		t.Tx, err = c.BeginTx(ctx, &sql.TxOptions{Isolation: level})
	}
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("begin: %w", err)
	}
	return t, nil
}

// Queue queues a statement. The caller must not change args afterwards.
func (t *Tx) Queue(ctx context.Context, query string, args ...any) error {
	if t.canQueue {
		return t.queue(ctx, nil, query, args)
	}
	statement := t.prepared[query]
	if statement == nil {
		var err error
		if statement, err = t.PrepareContext(ctx, query); err != nil {
			return err
		}
		t.prepared[query] = statement
	}
	_, err := statement.ExecContext(ctx, args...)
	return err
}

// QueueRow queues a query of one row. When the next statement that is not queued, or
// Flush, has returned without an error, the row has been scanned into dest.
func (t *Tx) QueueRow(ctx context.Context, dest []any, query string, args ...any) error {
	if t.canQueue {
		return t.queue(ctx, dest, query, args)
	}
	return t.QueryRowContext(ctx, query, args...).Scan(dest...)
}

func (t *Tx) queue(ctx context.Context, dest []any, query string, args []any) error {
	return t.conn.Raw(func(driver any) error { return driver.(*conn).queue(ctx, dest, query, args) })
}

// Flush sends the queued statements and returns the first error of them.
func (t *Tx) Flush(ctx context.Context) error {
	if !t.canQueue {
		return nil
	}
	return t.conn.Raw(func(driver any) error { return driver.(*conn).flush(ctx) })
}

// Commit sends the queued statements and commits. It fails with
// [store.ErrUncertain] if the outcome is unknown.
func (t *Tx) Commit() error {
	if err := t.Tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return Confirm(t.conn)
}

// Close rolls back the transaction, unless it was committed, and returns the
// connection to its pool.
func (t *Tx) Close() {
	_ = t.Rollback()
	_ = t.conn.Close()
}

// Confirm returns [store.ErrUncertain] if PostgreSQL sent a warning with the last
// commit on c. The server does so if its wait for a synchronous standby was canceled:
// the change is committed on the server, but a fail-over can lose it, so it must not be
// reported as done. Confirm discards such a connection.
func Confirm(c *sql.Conn) error {
	var warning any
	err := c.Raw(func(driver any) error {
		if c, ok := driver.(*conn); ok {
			warning = c.pgx().PgConn().CustomData()[commitWarning]
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("confirm commit: %w", err)
	}
	if warning != nil {
		Discard(c)
		return &connError{store.ErrUncertain, fmt.Errorf("the commit was not confirmed: %v", warning)}
	}
	return nil
}
