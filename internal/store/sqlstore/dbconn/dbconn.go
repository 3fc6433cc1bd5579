// Package dbconn connects package sqlstore to SQLite and PostgreSQL through
// database/sql.
//
// Its connections reconnect, limit the time of each call (see
// docs/decisions/0019-limit-database-calls.md), send queued statements together,
// and report for each error whether the data is unchanged or the outcome is
// unknown. It knows no tables, never logs and starts no goroutine.
package dbconn

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"slices"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// connError wraps an error of a driver. Error returns the driver's text for the
// log; errors.As finds the *toksta.Error for the caller.
type connError struct {
	reported *toksta.Error
	error
}

// Unwrap returns both errors.
func (e *connError) Unwrap() []error { return []error{e.reported, e.error} }

func unavailable(err error) error { return &connError{store.ErrUnavailable, err} }

// IsRetryable reports whether err means that the database rolled back a transaction
// that can succeed when it is repeated. The cause was another transaction, a pause of
// this process, or a connection that the server closed before the commit.
func IsRetryable(err error) bool {
	switch sqlState(err) {
	case "40001", "40P01", idleInTransaction: // serialization failure, deadlock
		return true
	case "":
		// SQLITE_BUSY is not retryable: the statement has already waited for the program that locks the file.
		return sqliteCode(err) == sqlite3.SQLITE_BUSY_SNAPSHOT || isClosedByServer(err)
	}
	return false
}

// IsUniqueViolation reports whether err means that a written value that must be unique
// belongs to another row.
func IsUniqueViolation(err error) bool {
	code := sqliteCode(err)
	return sqlState(err) == "23505" || code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}

// isClosedByServer reports whether err means that the server closed the connection
// before the commit. It returns false if the server did not respond: to repeat such a
// call would double the time that its caller waits.
func isClosedByServer(err error) bool {
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	closed := errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.ErrUnexpectedEOF)
	return closed && !connecting && errors.Is(err, store.ErrUnavailable)
}

// idleInTransaction is the SQLSTATE of a transaction that the server rolled back
// because its process paused for too long between two statements.
const idleInTransaction = "25P03"

// sqlState returns the SQLSTATE of the server's error in err, "" if there is none.
func sqlState(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// sqliteCode returns the extended result code in err, SQLITE_OK if there is
// none.
func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return sqlite3.SQLITE_OK
}

// isTemporary reports whether an SQLSTATE means that the server rejected a statement,
// and with it the transaction, for a temporary reason.
func isTemporary(state string) bool {
	if len(state) < 2 {
		return false
	}
	switch state[:2] {
	case "08", "40", "53", "57", "58": // connection, rollback, resources such as the disk, intervention, I/O
		return true
	}
	return slices.Contains([]string{"25006", idleInTransaction, "55P03"}, state) // read-only, idle, locked
}

// Discard closes conn without returning it to its pool.
func Discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = conn.Close()
}
