package dbconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/toksta/toksta/internal/store"
)

// tx is an open transaction. BEGIN is not sent alone: like a queued statement, it waits on
// the client and is sent in one round trip with the next statement that needs a result.
type tx struct {
	conn   *conn
	ctx    context.Context // of BeginTx
	queued *pgx.Batch      // nil: nothing is queued
}

// maxQueued limits the number of statements that are sent together. While statements
// are queued the server receives nothing; after a long time it ends the transaction.
const maxQueued = 64

// BeginTx implements [driver.ConnBeginTx].
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if err := c.connect(ctx); err != nil {
		return nil, err
	}
	begin := "begin"
	switch sql.IsolationLevel(opts.Isolation) {
	case sql.LevelDefault:
	case sql.LevelRepeatableRead:
		begin += " isolation level repeatable read"
	default:
		return nil, fmt.Errorf("isolation level %d is not supported", opts.Isolation)
	}
	if opts.ReadOnly {
		begin += " read only"
	}
	c.tx = &tx{conn: c, ctx: ctx}
	c.tx.queue(begin, nil)
	return c.tx, nil
}

func (t *tx) hasQueued() bool { return t != nil && t.queued != nil }

func (t *tx) queue(query string, args []any) *pgx.QueuedQuery {
	if t.queued == nil {
		t.queued = new(pgx.Batch)
	}
	return t.queued.Queue(query, args...)
}

func (t *tx) send(ctx context.Context) pgx.BatchResults {
	batch := t.queued
	t.queued = nil
	return t.conn.pgx().SendBatch(ctx, batch)
}

// flush sends the queued statements and returns the first error of them.
func (t *tx) flush(ctx context.Context) error { return t.send(ctx).Close() }

// exec sends the queued statements and one more.
func (t *tx) exec(ctx context.Context, query string, args []any) (driver.Result, error) {
	var done pgconn.CommandTag
	t.queue(query, args).Exec(func(tag pgconn.CommandTag) error {
		done = tag
		return nil
	})
	err := t.flush(ctx)
	return driver.RowsAffected(done.RowsAffected()), err
}

// query sends the queued statements and a query.
func (t *tx) query(ctx context.Context, query string, args []any) (driver.Rows, error) {
	t.queue(query, args)
	earlier := t.queued.QueuedQueries[:t.queued.Len()-1]
	results := t.send(ctx)
	for _, q := range earlier {
		if err := readResult(q, results); err != nil {
			_ = results.Close() // fails with the same error
			return nil, err
		}
	}
	r, err := results.Query()
	if err != nil {
		_ = results.Close()
		return nil, err
	}
	return &batchRows{r, results}, nil
}

// readResult reads the next result, that of q.
func readResult(q *pgx.QueuedQuery, results pgx.BatchResults) error {
	if q.Fn != nil {
		return q.Fn(results)
	}
	_, err := results.Exec()
	return err
}

// Commit implements [driver.Tx]. Without a response it fails with [store.ErrUncertain],
// even if its caller is gone, because the server can have carried out the commit.
func (t *tx) Commit() error {
	c := t.conn
	call := c.server().startCall(t.ctx)
	defer call.end()
	if err := c.checkTx(call); err != nil {
		return err
	}
	c.tx = nil
	err := t.commit(call)
	if err == nil || !c.isClosed() || sqlState(err) == idleInTransaction {
		return c.finish(call, err)
	}
	return &connError{store.ErrUncertain, c.cause(call, err)}
}

// commit sends the commit after the queued statements: the server executes it if
// all of them succeeded, and only then.
func (t *tx) commit(ctx context.Context) error {
	if t.queued != nil && t.conn.isIdle() && t.queued.Len() == 1 {
		return nil // only BEGIN is queued
	}
	var done pgconn.CommandTag
	t.queue("commit", nil).Exec(func(tag pgconn.CommandTag) error {
		done = tag
		return nil
	})
	err := t.flush(ctx)
	if err == nil && done.String() != "COMMIT" {
		err = pgx.ErrTxCommitRollback
	}
	if err != nil && !t.conn.isClosed() {
		err = errors.Join(err, t.Rollback())
	}
	return err
}

// rollbackTimeout limits the time of a rollback. If it ends, the connection is closed,
// and the server rolls back because of that.
const rollbackTimeout = time.Second

// Rollback implements [driver.Tx]. It rolls back for a canceled caller too,
// because the transaction can hold locks that other callers wait for.
func (t *tx) Rollback() error {
	c := t.conn
	c.tx = nil
	if c.isClosed() || c.isIdle() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), rollbackTimeout)
	defer cancel()
	_, err := c.pgx().Exec(ctx, "rollback")
	if err != nil {
		err = errors.Join(err, c.pgx().Close(ctx))
	}
	return err
}
