package dbconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/toksta/toksta/internal/store"
)

// OpenSQLite opens a pool of connections that classify their errors. name is in
// the form of the driver: a URI of a file with options.
func OpenSQLite(name string) (*sql.DB, error) {
	connector, err := sqlite.NewConnector(name)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return sql.OpenDB(sqliteConnector{connector}), nil
}

// sqliteConnector makes the connections of a SQLite pool.
type sqliteConnector struct{ driver.Connector }

// Connect implements [driver.Connector].
func (c sqliteConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, classifySQLite(err)
	}
	return sqliteConn{conn.(sqliteDriverConn)}, nil
}

// sqliteDriverConn has the methods of the driver's connections.
type sqliteDriverConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// sqliteConn classifies the errors of a connection.
type sqliteConn struct{ sqliteDriverConn }

// BeginTx implements [driver.ConnBeginTx].
func (c sqliteConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.sqliteDriverConn.BeginTx(ctx, opts)
	return sqliteTx{tx}, classifySQLite(err)
}

// PrepareContext implements [driver.ConnPrepareContext].
func (c sqliteConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := c.sqliteDriverConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, classifySQLite(err)
	}
	return sqliteStmt{stmt}, nil
}

// ExecContext implements [driver.ExecerContext].
func (c sqliteConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	result, err := c.sqliteDriverConn.ExecContext(ctx, query, args)
	return result, classifySQLite(err)
}

// QueryContext implements [driver.QueryerContext].
func (c sqliteConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.sqliteDriverConn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, classifySQLite(err)
	}
	return sqliteRows{rows}, nil
}

// sqliteTx classifies the errors of a transaction.
type sqliteTx struct{ driver.Tx }

// Commit fails with [store.ErrUncertain] after an I/O error: the transaction can be in
// the write-ahead log already, and be recovered from there after a crash.
func (t sqliteTx) Commit() error {
	err := t.Tx.Commit()
	if sqliteCode(err)&0xff == sqlite3.SQLITE_IOERR {
		return &connError{store.ErrUncertain, err}
	}
	return classifySQLite(err)
}

// sqliteStmt classifies the errors of a prepared statement.
type sqliteStmt struct{ driver.Stmt }

// ExecContext implements [driver.StmtExecContext].
func (s sqliteStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	result, err := s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
	return result, classifySQLite(err)
}

// sqliteRows classifies the errors of a result.
type sqliteRows struct{ driver.Rows }

// Next implements [driver.Rows].
func (r sqliteRows) Next(dest []driver.Value) error { return classifySQLite(r.Rows.Next(dest)) }

// classifySQLite wraps err as [store.ErrUnavailable] if its reason is temporary. SQLite
// rolls back a transaction that it cannot write, so nothing was changed.
func classifySQLite(err error) error {
	switch sqliteCode(err) & 0xff { // the low byte is the primary result code
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN,
		sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOMEM:
		return unavailable(err)
	}
	return err
}
