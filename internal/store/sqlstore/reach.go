package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
)

// lost is an error that came of losing the database, with what a caller is
// told of it. It reads as its cause, which goes to the log.
type lost struct {
	told *toksta.Error
	error
}

// Unwrap lets both be found.
func (l *lost) Unwrap() []error { return []error{l.told, l.error} }

// reaching is a connector that says of each error whether the database was
// lost with it. It is the one place that tells: every statement of every pool
// comes by here.
type reaching struct{ driver.Connector }

// Connect fails with [store.ErrUnavailable], unless it was the caller who
// gave up.
func (r reaching) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := r.Connector.Connect(ctx)
	switch {
	case err == nil:
		return &reached{Conn: conn.(*stdlib.Conn)}, nil
	case ctx.Err() != nil:
		return nil, err
	default:
		return nil, &lost{store.ErrUnavailable, err}
	}
}

// reached is a connection. An error after which it is closed, though nobody
// here closed it, is that of a lost database.
type reached struct {
	*stdlib.Conn
	tx pipeline
}

func (c *reached) pgx() *pgx.Conn { return c.Conn.Conn() }

func (c *reached) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if c.pgx().IsClosed() {
		return nil, driver.ErrBadConn
	}
	return committing{c, ctx}, c.tx.begin(opts)
}

func (c *reached) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if c.tx.mayWait(ctx) {
		c.tx.add(query, args)
		return driver.ResultNoRows, nil
	}
	if c.tx.rest == nil {
		result, err := c.Conn.ExecContext(ctx, query, args)
		return result, c.judge(ctx, err)
	}
	done, err := c.tx.exec(ctx, c.pgx(), query, args)
	return driver.RowsAffected(done.RowsAffected()), c.judge(ctx, err)
}

func (c *reached) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (rows driver.Rows, err error) {
	switch {
	case c.tx.mayWait(ctx):
		rows = c.tx.later(ctx, c.pgx(), query, args)
	case c.tx.rest == nil:
		rows, err = c.Conn.QueryContext(ctx, query, args)
	default:
		rows, err = c.tx.query(ctx, c.pgx(), query, args)
	}
	if err != nil {
		return nil, c.judge(ctx, err)
	}
	return reading{rows, c, ctx}, nil
}

// PrepareContext prepares nothing: the connection itself does at the first use
// of a text.
func (c *reached) PrepareContext(_ context.Context, query string) (driver.Stmt, error) {
	return prepared{c, query}, nil
}

func (c *reached) judge(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || !c.pgx().IsClosed() {
		return err
	}
	return &lost{store.ErrUnavailable, err}
}

// committing is a transaction. Whoever gave up, a commit without an answer may
// have been carried out.
type committing struct {
	conn *reached
	ctx  context.Context // of the transaction
}

// Commit fails with [store.ErrUncertain] when the answer was lost.
func (c committing) Commit() error {
	err := c.conn.tx.commit(c.ctx, c.conn.pgx())
	if err == nil || !c.conn.pgx().IsClosed() {
		return err
	}
	return &lost{store.ErrUncertain, err}
}

func (c committing) Rollback() error { return c.conn.tx.rollback(c.ctx, c.conn.pgx()) }

// reading is a result on its way, which may break off in the middle.
type reading struct {
	driver.Rows
	conn *reached
	ctx  context.Context // of the query
}

func (r reading) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return r.conn.judge(r.ctx, err)
}

// prepared is a statement that is executed many times.
type prepared struct {
	conn  *reached
	query string
}

var errNoContext = errors.New("a statement needs a context")

func (p prepared) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return p.conn.ExecContext(ctx, p.query, args)
}

func (p prepared) Exec([]driver.Value) (driver.Result, error) { return nil, errNoContext }
func (p prepared) Query([]driver.Value) (driver.Rows, error)  { return nil, errNoContext }
func (p prepared) NumInput() int                              { return -1 } // not known
func (p prepared) Close() error                               { return nil }
