package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// storeError wraps an error of a driver with what a caller is told. Error
// returns the driver's text, for the log; errors.As finds the *toksta.Error.
type storeError struct {
	told *toksta.Error
	error
}

// Unwrap returns both.
func (e *storeError) Unwrap() []error { return []error{e.told, e.error} }

// connector makes the connections of a pool. They connect at their first use,
// so the pool itself never waits for a server and never runs out of connections
// that work.
type connector struct {
	driver.Connector
	link  *link
	pings bool // prove that a connection lives that was idle for maxIdle
}

// maxIdle is how long a connection is taken to live after a response.
const maxIdle = time.Second

// Connect implements [driver.Connector].
func (c connector) Connect(context.Context) (driver.Conn, error) {
	return &connection{connector: c}, nil
}

// connection is a place in a pool. It connects anew for its next user when it was
// lost, limits the time of every call, and tells from an error what became of the
// call. It is the one place that does: every statement of every pool comes by
// here.
type connection struct {
	connector connector
	conn      *stdlib.Conn // nil: not connected
	used      bool         // by its present user, who must not be given another server
	heard     time.Time    // when the server last responded
	tx        pipeline
}

func (c *connection) pgx() *pgx.Conn { return c.conn.Conn() }

// closed reports whether there is no connection to use.
func (c *connection) closed() bool { return c.conn == nil || c.pgx().IsClosed() }

// errLost is that of a connection which was lost while it was in use.
var errLost = errors.New("the connection to the database was lost")

// open connects unless there is a connection.
func (c *connection) open(ctx context.Context) (err error) {
	switch used := c.used; {
	case !c.closed():
		c.used = true
		return nil
	case used:
		return &storeError{store.ErrUnavailable, errLost}
	}
	c.used = true
	if c.conn, err = c.connector.link.dial(ctx, c.connector.Connector); err != nil {
		return err
	}
	c.heard = time.Now()
	return nil
}

// ResetSession drops a connection that may be dead, as it is taken from its
// pool. Its next use connects anew.
func (c *connection) ResetSession(ctx context.Context) error {
	c.tx, c.used = pipeline{}, false
	if !c.closed() && !c.lives(ctx) {
		_ = c.Close()
	}
	return nil
}

func (c *connection) lives(ctx context.Context) bool {
	link := c.connector.link
	switch {
	case c.pgx().PgConn().TxStatus() != 'I', link.suspects(c.heard):
		return false
	case !c.connector.pings, time.Since(c.heard) < maxIdle:
		return true
	}
	call := within(ctx, link.ping)
	defer call.end()
	return c.responded(call, c.pgx().Ping(call)) == nil
}

// Close implements [driver.Conn].
func (c *connection) Close() error {
	if c.conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	conn := c.pgx()
	c.conn = nil
	return conn.Close(ctx)
}

// closeTime bounds the farewell to a server.
const closeTime = time.Second

// BeginTx implements [driver.ConnBeginTx].
func (c *connection) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if err := c.open(ctx); err != nil {
		return nil, err
	}
	return committing{c, ctx}, c.tx.begin(opts)
}

// ExecContext implements [driver.ExecerContext].
func (c *connection) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if c.tx.mayWait(ctx) {
		c.tx.add(query, args)
		return driver.ResultNoRows, nil
	}
	if err := c.open(ctx); err != nil {
		return nil, err
	}
	call := c.connector.link.begin(ctx)
	defer call.end()
	if err := c.goesOn(call); err != nil {
		return nil, err
	}
	if c.tx.rest == nil {
		result, err := c.conn.ExecContext(call, query, args)
		return result, c.responded(call, err)
	}
	done, err := c.tx.exec(call, c.pgx(), query, args)
	return driver.RowsAffected(done.RowsAffected()), c.responded(call, err)
}

// QueryContext implements [driver.QueryerContext].
func (c *connection) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (rows driver.Rows, err error) {
	if err := c.open(ctx); err != nil {
		return nil, err
	}
	call := c.connector.link.begin(ctx)
	if err := c.goesOn(call); err != nil {
		call.end()
		return nil, err
	}
	switch {
	case c.tx.mayWait(ctx):
		rows = c.tx.later(call, c.pgx(), query, args)
	case c.tx.rest == nil:
		rows, err = c.conn.QueryContext(call, query, args)
		err = c.responded(call, err)
	default:
		rows, err = c.tx.query(call, c.pgx(), query, args)
		err = c.responded(call, err)
	}
	call.pause()
	if err != nil {
		call.end()
		return nil, err
	}
	return &reading{rows, c, call}, nil
}

// longPause is a pause within a transaction after which the server may have
// rolled it back.
const longPause = 20 * time.Millisecond

// readTime is enough to read what the server has sent already.
const readTime = time.Millisecond

// goesOn fails if the server has rolled back the transaction during a long pause.
// To send more would fail as well, but without the reason, and a commit without
// its outcome.
func (c *connection) goesOn(call *call) error {
	if !c.tx.open || c.closed() || c.pgx().PgConn().TxStatus() != 'T' || time.Since(c.heard) < longPause {
		return nil
	}
	ctx, cancel := context.WithTimeout(call, readTime)
	defer cancel()
	if _, err := c.pgx().PgConn().ReceiveMessage(ctx); err != nil && !pgconn.Timeout(err) {
		return c.judge(call, err)
	}
	return nil
}

// PrepareContext implements [driver.ConnPrepareContext]. It prepares nothing: the
// connection itself does at the first use of a text.
func (c *connection) PrepareContext(_ context.Context, query string) (driver.Stmt, error) {
	return prepared{c, query}, nil
}

// Prepare and Begin implement [driver.Conn]; database/sql prefers the others.
func (c *connection) Prepare(query string) (driver.Stmt, error) { return prepared{c, query}, nil }
func (c *connection) Begin() (driver.Tx, error)                 { return nil, errNoContext }

// CheckNamedValue implements [driver.NamedValueChecker]: pgx knows all types.
func (c *connection) CheckNamedValue(*driver.NamedValue) error { return nil }

// responded is judge of a call that the server responded to, if it did not fail.
func (c *connection) responded(call *call, err error) error {
	if err == nil {
		c.heard = time.Now()
	}
	return c.judge(call, err)
}

// judge returns the error of a call with what its caller is told.
func (c *connection) judge(call *call, err error) error {
	if err == nil {
		return nil
	}
	cause, state := c.cause(call, err), sqlState(err)
	if state == "" && gaveUp(call.caller) || !c.closed() && !leavesUnchanged(state) {
		return cause
	}
	return &storeError{store.ErrUnavailable, cause}
}

// cause returns err with its deadline, if that ended the call. A connection that
// ended without a word of the server's makes all others suspect.
func (c *connection) cause(call *call, err error) error {
	if c.closed() && sqlState(err) == "" && !gaveUp(call.caller) {
		c.connector.link.suspect()
	}
	if call.late() {
		return fmt.Errorf("the database did not respond within %v: %s", call.limit, err) // which looks like a canceled call
	}
	return err
}

// committing is a transaction. Whoever gave up, a commit without a response may
// have been carried out.
type committing struct {
	conn *connection
	ctx  context.Context // of the transaction
}

// Commit fails with [store.ErrUncertain] when there was no response.
func (t committing) Commit() error {
	c := t.conn
	call := c.connector.link.begin(t.ctx)
	defer call.end()
	if err := c.goesOn(call); err != nil {
		return err
	}
	err := c.tx.commit(call, c.pgx())
	if err == nil || !c.closed() || sqlState(err) == idleInTransaction {
		return c.responded(call, err)
	}
	return &storeError{store.ErrUncertain, c.cause(call, err)}
}

// Rollback implements [driver.Tx].
func (t committing) Rollback() error { return t.conn.tx.rollback(t.ctx, t.conn.pgx()) }

// reading is a result on its way, which may break off in the middle.
type reading struct {
	driver.Rows
	conn *connection
	call *call
}

// Columns implements [driver.Rows]. For a deferred query it waits for the
// database.
func (r *reading) Columns() []string {
	r.call.resume()
	defer r.call.pause()
	return r.Rows.Columns()
}

// Next implements [driver.Rows].
func (r *reading) Next(dest []driver.Value) error {
	r.call.resume()
	err := r.Rows.Next(dest)
	r.call.pause()
	if errors.Is(err, io.EOF) {
		return err
	}
	return r.conn.judge(r.call, err)
}

// Close implements [driver.Rows]. It reads what is left.
func (r *reading) Close() error {
	r.call.resume()
	defer r.call.end()
	return r.Rows.Close()
}

// prepared is a statement that is executed many times.
type prepared struct {
	conn  *connection
	query string
}

var errNoContext = errors.New("a statement needs a context")

// ExecContext implements [driver.StmtExecContext].
func (p prepared) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return p.conn.ExecContext(ctx, p.query, args)
}

func (p prepared) Exec([]driver.Value) (driver.Result, error) { return nil, errNoContext }
func (p prepared) Query([]driver.Value) (driver.Rows, error)  { return nil, errNoContext }
func (p prepared) NumInput() int                              { return -1 } // not known
func (p prepared) Close() error                               { return nil }
