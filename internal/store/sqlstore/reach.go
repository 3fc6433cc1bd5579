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
	waiting *pgx.Batch // statements of the open transaction that are not sent yet; nil: none
}

func (c *reached) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.waiting = nil
	tx, err := c.Conn.BeginTx(ctx, opts)
	return committing{tx, c, ctx}, c.judge(ctx, err)
}

// asked marks a context as that of a statement whose result nobody asks for.
type asked struct{}

// later marks ctx: a statement of a transaction that is executed with it may
// wait until the next one without the mark is sent, or the commit is, so that
// many share one way to the database and back. Its errors come with that one.
// SQLite, which is no way off, executes it at once.
func later(ctx context.Context) context.Context { return context.WithValue(ctx, asked{}, false) }

// waits keeps a statement for later, and reports whether it may wait.
func (c *reached) waits(ctx context.Context, query string, args []driver.NamedValue) bool {
	if ctx.Value(asked{}) == nil || c.Conn.Conn().PgConn().TxStatus() != 'T' {
		return false
	}
	if c.waiting == nil {
		c.waiting = new(pgx.Batch)
	}
	values := make([]any, len(args))
	for i, a := range args {
		values[i] = a.Value
	}
	c.waiting.Queue(query, values...)
	return true
}

// send carries out what waits.
func (c *reached) send(ctx context.Context) error {
	batch := c.waiting
	if batch == nil {
		return nil
	}
	c.waiting = nil
	return c.judge(ctx, c.Conn.Conn().SendBatch(ctx, batch).Close())
}

func (c *reached) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if c.waits(ctx, query, args) {
		return driver.ResultNoRows, nil
	}
	if err := c.send(ctx); err != nil {
		return nil, err
	}
	result, err := c.Conn.ExecContext(ctx, query, args)
	return result, c.judge(ctx, err)
}

func (c *reached) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.send(ctx); err != nil {
		return nil, err
	}
	rows, err := c.Conn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, c.judge(ctx, err)
	}
	return reading{rows.(*stdlib.Rows), c, ctx}, nil
}

func (c *reached) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if err := c.send(ctx); err != nil {
		return nil, err
	}
	statement, err := c.Conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, c.judge(ctx, err)
	}
	return prepared{statement.(*stdlib.Stmt), c, query}, nil
}

func (c *reached) judge(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || !c.Conn.Conn().IsClosed() {
		return err
	}
	return &lost{store.ErrUnavailable, err}
}

// committing is a transaction. Whoever gave up, a commit without an answer may
// have been carried out.
type committing struct {
	driver.Tx
	conn *reached
	ctx  context.Context // of the transaction
}

// Commit sends what waits together with the commit, which the server does not
// carry out when one of them fails. It fails with [store.ErrUncertain] when
// the answer was lost.
func (c committing) Commit() error {
	err := c.commit()
	if err == nil || !c.conn.Conn.Conn().IsClosed() {
		return err
	}
	return &lost{store.ErrUncertain, err}
}

func (c committing) commit() error {
	batch := c.conn.waiting
	if batch == nil {
		return c.Tx.Commit()
	}
	c.conn.waiting = nil
	batch.Queue("commit")
	err := c.conn.Conn.Conn().SendBatch(c.ctx, batch).Close()
	if err != nil {
		err = errors.Join(err, c.Tx.Rollback())
	}
	return err
}

// Rollback forgets what waits.
func (c committing) Rollback() error {
	c.conn.waiting = nil
	return c.Tx.Rollback()
}

// reading is a result on its way, which may break off in the middle.
type reading struct {
	*stdlib.Rows
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
	*stdlib.Stmt
	conn  *reached
	query string
}

func (p prepared) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if p.conn.waits(ctx, p.query, args) {
		return driver.ResultNoRows, nil
	}
	if err := p.conn.send(ctx); err != nil {
		return nil, err
	}
	result, err := p.Stmt.ExecContext(ctx, args)
	return result, p.conn.judge(ctx, err)
}
