package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"

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
		return reached{conn.(*stdlib.Conn)}, nil
	case ctx.Err() != nil:
		return nil, err
	default:
		return nil, &lost{store.ErrUnavailable, err}
	}
}

// reached is a connection. An error after which it is closed, though nobody
// here closed it, is that of a lost database.
type reached struct{ *stdlib.Conn }

func (c reached) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.BeginTx(ctx, opts)
	return committing{tx, c}, c.judge(ctx, err)
}

func (c reached) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	result, err := c.Conn.ExecContext(ctx, query, args)
	return result, c.judge(ctx, err)
}

func (c reached) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.Conn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, c.judge(ctx, err)
	}
	return reading{rows.(*stdlib.Rows), c, ctx}, nil
}

func (c reached) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	statement, err := c.Conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, c.judge(ctx, err)
	}
	return prepared{statement.(*stdlib.Stmt), c}, nil
}

func (c reached) judge(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || !c.Conn.Conn().IsClosed() {
		return err
	}
	return &lost{store.ErrUnavailable, err}
}

// committing is a transaction. Whoever gave up, a commit without an answer may
// have been carried out.
type committing struct {
	driver.Tx
	conn reached
}

// Commit fails with [store.ErrUncertain] when the answer was lost.
func (c committing) Commit() error {
	err := c.Tx.Commit()
	if err == nil || !c.conn.Conn.Conn().IsClosed() {
		return err
	}
	return &lost{store.ErrUncertain, err}
}

// reading is a result on its way, which may break off in the middle.
type reading struct {
	*stdlib.Rows
	conn reached
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
	conn reached
}

func (p prepared) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	result, err := p.Stmt.ExecContext(ctx, args)
	return result, p.conn.judge(ctx, err)
}
