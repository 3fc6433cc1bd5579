package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/toksta/toksta/internal/store"
)

// openSQLitePool opens a pool of connections that tell from an error what became
// of the call.
func openSQLitePool(name string) (*sql.DB, error) {
	connector, err := sqlite.NewConnector(name)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return sql.OpenDB(sqliteConnector{connector}), nil
}

// sqliteConnector judges the errors of a pool of SQLite's.
type sqliteConnector struct{ driver.Connector }

// Connect implements [driver.Connector].
func (c sqliteConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, judgeSQLite(err)
	}
	return sqliteConn{conn.(sqliteDriverConn)}, nil
}

// sqliteDriverConn is what the driver's connections implement.
type sqliteDriverConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// sqliteConn judges the errors of a connection.
type sqliteConn struct{ sqliteDriverConn }

// BeginTx implements [driver.ConnBeginTx].
func (c sqliteConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.sqliteDriverConn.BeginTx(ctx, opts)
	return sqliteTx{tx}, judgeSQLite(err)
}

// PrepareContext implements [driver.ConnPrepareContext].
func (c sqliteConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := c.sqliteDriverConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, judgeSQLite(err)
	}
	return sqliteStmt{stmt}, nil
}

// ExecContext implements [driver.ExecerContext].
func (c sqliteConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	result, err := c.sqliteDriverConn.ExecContext(ctx, query, args)
	return result, judgeSQLite(err)
}

// QueryContext implements [driver.QueryerContext].
func (c sqliteConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.sqliteDriverConn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, judgeSQLite(err)
	}
	return sqliteRows{rows}, nil
}

// sqliteTx judges the errors of a transaction.
type sqliteTx struct{ driver.Tx }

// Commit fails with [store.ErrUncertain] after an I/O error: the transaction may
// be in the log, and a crash may bring it back.
func (t sqliteTx) Commit() error {
	err := t.Tx.Commit()
	if sqliteCode(err)&0xff == sqlite3.SQLITE_IOERR {
		return &storeError{store.ErrUncertain, err}
	}
	return judgeSQLite(err)
}

// sqliteStmt judges the errors of a prepared statement.
type sqliteStmt struct{ driver.Stmt }

// ExecContext implements [driver.StmtExecContext].
func (s sqliteStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	result, err := s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
	return result, judgeSQLite(err)
}

// sqliteRows judges the errors of a result.
type sqliteRows struct{ driver.Rows }

// Next implements [driver.Rows].
func (r sqliteRows) Next(dest []driver.Value) error { return judgeSQLite(r.Rows.Next(dest)) }

// judgeSQLite returns err with what its caller is told. SQLite rolls back what
// it cannot write, so the disk's failures leave everything unchanged.
func judgeSQLite(err error) error {
	switch sqliteCode(err) & 0xff { // the low byte is the primary result code
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN,
		sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOMEM:
		return &storeError{store.ErrUnavailable, err}
	}
	return err
}

// sqliteCode returns the extended result code in err, SQLITE_OK if there is
// none.
func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return sqlite3.SQLITE_OK
}
