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
	"github.com/jackc/pgx/v5/stdlib"
)

// connector makes the connections of a pool. A connection connects to the server at
// its first use, so that the pool itself never waits for the server.
type connector struct {
	driver.Connector
	server *Server
	pings  bool // ping a connection that was idle for maxIdle
}

// maxIdle is the time after a response during which a connection is not pinged.
const maxIdle = time.Second

// Connect implements [driver.Connector].
func (c connector) Connect(context.Context) (driver.Conn, error) {
	return &conn{connector: c}, nil
}

// conn is a connection of a pool. After a connection error it connects again for
// its next user. It limits the time of every call and classifies every error: all
// statements of all pools pass through it.
type conn struct {
	connector   connector
	conn        *stdlib.Conn // nil: not connected
	isUsed      bool         // its present user has called the server, and must not get another one
	respondedAt time.Time    // when the server last responded
	tx          *tx          // nil: none is open
}

func (c *conn) server() *Server { return c.connector.server }

func (c *conn) pgx() *pgx.Conn { return c.conn.Conn() }

// isClosed reports whether there is no connection to use.
func (c *conn) isClosed() bool { return c.conn == nil || c.pgx().IsClosed() }

// isIdle reports whether the server has no open transaction of this connection.
func (c *conn) isIdle() bool { return c.pgx().PgConn().TxStatus() == 'I' }

var errConnectionLost = errors.New("the connection to the database was lost")

// connect connects to the server if c is not connected. It fails if the connection
// was lost after its present user had used it.
func (c *conn) connect(ctx context.Context) (err error) {
	switch wasUsed := c.isUsed; {
	case !c.isClosed():
		c.isUsed = true
		return nil
	case wasUsed:
		return unavailable(errConnectionLost)
	}
	c.isUsed = true
	if c.conn, err = c.server().connect(ctx, c.connector.Connector); err != nil {
		return err
	}
	c.respondedAt = time.Now()
	return nil
}

// ResetSession implements [driver.SessionResetter]: the pool calls it before it hands
// out a connection. If the connection can be lost, ResetSession closes it, and the next
// use connects again.
func (c *conn) ResetSession(ctx context.Context) error {
	c.tx, c.isUsed = nil, false
	if !c.isClosed() && !c.isLive(ctx) {
		_ = c.Close()
	}
	return nil
}

// isLive reports whether the next user can use the connection. It pings the server if
// the connection was idle for maxIdle.
func (c *conn) isLive(ctx context.Context) bool {
	switch {
	case !c.isIdle(), c.server().isSuspected(c.respondedAt):
		return false
	case !c.connector.pings, time.Since(c.respondedAt) < maxIdle:
		return true
	}
	call := startCallWithin(ctx, c.server().pingTimeout)
	defer call.end()
	return c.finish(call, c.pgx().Ping(call)) == nil
}

// closeTimeout bounds the message to the server that ends a session.
const closeTimeout = time.Second

// Close implements [driver.Conn].
func (c *conn) Close() error {
	if c.conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	conn := c.pgx()
	c.conn = nil
	return conn.Close(ctx)
}

// ExecContext implements [driver.ExecerContext].
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, err error) {
	err = c.call(ctx, func(call *call) error {
		if c.tx.hasQueued() {
			result, err = c.tx.exec(call, query, values(args))
		} else {
			result, err = c.conn.ExecContext(call, query, args)
		}
		return err
	})
	return result, err
}

// QueryContext implements [driver.QueryerContext].
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (r driver.Rows, err error) {
	call, err := c.startCall(ctx)
	if err != nil {
		return nil, err
	}
	if c.tx.hasQueued() {
		r, err = c.tx.query(call, query, values(args))
	} else {
		r, err = c.conn.QueryContext(call, query, args)
	}
	call.pause()
	if err = c.finish(call, err); err != nil {
		call.end()
		return nil, err
	}
	return &rows{r, c, call}, nil
}

func values(args []driver.NamedValue) []any {
	values := make([]any, len(args))
	for i, a := range args {
		values[i] = a.Value
	}
	return values
}

// queue adds a statement to the queue of the open transaction, and sends the queue if
// it is full. If dest is not nil, the row that the statement returns is scanned into it.
func (c *conn) queue(ctx context.Context, dest []any, query string, args []any) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case c.tx == nil:
		return sql.ErrTxDone
	}
	q := c.tx.queue(query, args)
	if dest != nil {
		q.QueryRow(func(row pgx.Row) error { return row.Scan(dest...) })
	}
	if c.tx.queued.Len() < maxQueued {
		return nil
	}
	return c.flush(ctx)
}

// flush sends the queued statements.
func (c *conn) flush(ctx context.Context) error {
	if !c.tx.hasQueued() {
		return nil
	}
	return c.call(ctx, func(call *call) error { return c.tx.flush(call) })
}

// call connects if necessary and runs do within the time limit of one call.
func (c *conn) call(ctx context.Context, do func(*call) error) error {
	call, err := c.startCall(ctx)
	if err != nil {
		return err
	}
	defer call.end()
	return c.finish(call, do(call))
}

// startCall connects if necessary and returns the context of one call. It fails if the
// server has rolled back the open transaction.
func (c *conn) startCall(ctx context.Context) (*call, error) {
	if err := c.connect(ctx); err != nil {
		return nil, err
	}
	call := c.server().startCall(ctx)
	if err := c.checkTx(call); err != nil {
		call.end()
		return nil, err
	}
	return call, nil
}

// longPause is the length of a pause within a transaction after which checkTx asks
// whether the server has rolled the transaction back.
const longPause = 20 * time.Millisecond

// readTimeout is enough to read a message that has already arrived.
const readTimeout = time.Millisecond

// checkTx returns the server's error if it rolled back the transaction during a
// long pause. A further statement would fail without that reason, and a commit
// without its outcome.
func (c *conn) checkTx(call *call) error {
	if c.tx == nil || c.isClosed() || c.pgx().PgConn().TxStatus() != 'T' || time.Since(c.respondedAt) < longPause {
		return nil
	}
	ctx, cancel := context.WithTimeout(call, readTimeout)
	defer cancel()
	if _, err := c.pgx().PgConn().ReceiveMessage(ctx); err != nil && !pgconn.Timeout(err) {
		return c.classify(call, err)
	}
	return nil
}

// finish records the time of the response if err is nil, and classifies err otherwise.
func (c *conn) finish(call *call, err error) error {
	if err == nil {
		c.respondedAt = time.Now()
	}
	return c.classify(call, err)
}

// classify wraps err as [store.ErrUnavailable] if the connection is lost or the
// server rejected the call for a temporary reason. It returns the error of a call that
// its caller canceled as it is.
func (c *conn) classify(call *call, err error) error {
	if err == nil {
		return nil
	}
	cause, state := c.cause(call, err), sqlState(err)
	if state == "" && isCanceled(call.caller) || !c.isClosed() && !isTemporary(state) {
		return cause
	}
	return unavailable(cause)
}

// cause replaces err if the call's deadline ended it. If the connection ended
// without an error of the server, all connections become suspected.
func (c *conn) cause(call *call, err error) error {
	if c.isClosed() && sqlState(err) == "" && !isCanceled(call.caller) {
		c.server().suspectAll()
	}
	if call.isLate() {
		return fmt.Errorf("the database did not respond within %v: %s", call.limit, err) // not wrapped: it looks canceled
	}
	return err
}

// CheckNamedValue implements [driver.NamedValueChecker]: pgx knows all types.
func (c *conn) CheckNamedValue(*driver.NamedValue) error { return nil }

var errNotSupported = errors.New("not supported: use the methods with a context, on a connection or a transaction")

// Prepare implements [driver.Conn]. It always fails: pgx prepares each statement
// text at its first use.
func (c *conn) Prepare(string) (driver.Stmt, error) { return nil, errNotSupported }

// Begin implements [driver.Conn]. It always fails: database/sql calls BeginTx.
func (c *conn) Begin() (driver.Tx, error) { return nil, errNotSupported }
