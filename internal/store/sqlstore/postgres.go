package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/toksta/toksta/internal/store"
)

// Connections of one process. Commits queue for the clock row anyway: a few
// writers are enough.
const (
	postgresWriters = 4
	postgresReaders = 8
)

// channel is what NOTIFY and LISTEN use.
const channel = "toksta"

// unconfirmed is where a connection notes a warning that came with a commit.
const unconfirmed = "toksta.unconfirmed"

// openPostgres connects lazily: the first statement finds out whether a server
// is there. What the URL leaves out comes from the usual PG variables.
func openPostgres(url string, lease time.Duration) (*Store, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	link := newLink(lease)
	link.configure(config)
	config.OnNotice = func(c *pgconn.PgConn, n *pgconn.Notice) {
		if n.SeverityUnlocalized == "WARNING" {
			c.CustomData()[unconfirmed] = n.Message
		}
	}
	for name, value := range link.serverTimeouts() {
		if _, set := config.RuntimeParams[name]; !set {
			config.RuntimeParams[name] = value
		}
	}
	writer, reads := link.pool(config, true), link.pool(config, true)
	// A change must not wait for a ping of its own: what reads or writes here
	// tries again on a new connection.
	feed := link.pool(feedConfig(config), false)
	writer.SetMaxOpenConns(postgresWriters)
	writer.SetMaxIdleConns(postgresWriters)
	reads.SetMaxOpenConns(postgresReaders)
	reads.SetMaxIdleConns(postgresReaders)
	feed.SetMaxOpenConns(1)
	name := rand.Text()
	return &Store{
		writer: writer, reads: reads, feed: feed, acks: feed, dialect: postgresDialect(name),
		bell: &postgresBell{config: config, name: name}, prelude: postgresPrelude(), confirm: postgresConfirm,
		release: feed.Close,
	}, nil
}

// feedConfig is that of the one connection which a node follows and acks on.
// Its few statements are planned once, and for the few rows that they are made
// for, whatever statistics say or lack: a plan that reads a whole table would
// come at every change, on every node. An ack was true when it was sent,
// whether or not it lasts, so it waits for no disk.
func feedConfig(c *pgx.ConnConfig) *pgx.ConnConfig {
	c = c.Copy()
	for name, value := range map[string]string{
		"synchronous_commit": "off",
		"plan_cache_mode":    "force_generic_plan",
		"enable_hashjoin":    "off",
		"enable_mergejoin":   "off",
		"jit":                "off",
		// A node that loads pauses for others, and holds no lock.
		"idle_in_transaction_session_timeout": "0",
	} {
		c.RuntimeParams[name] = value
	}
	return c
}

// pool returns a pool of connections; pings as in [connector].
func (l *link) pool(c *pgx.ConnConfig, pings bool) *sql.DB {
	return sql.OpenDB(connector{stdlib.GetConnector(*c, stdlib.OptionAfterConnect(noteOrigin)), l, pings})
}

// noteOrigin has a connection note the origin of what it leads to: a server goes
// to another timeline before it takes writes, and never while it does. On a
// standby, which may come to take them, nothing is noted.
func noteOrigin(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT set_config('toksta.origin', CASE WHEN pg_is_in_recovery() THEN '' ELSE `+askOrigin+` END, false)`)
	if err != nil {
		return errors.Join(fmt.Errorf("ask which server this is: %w", err), conn.Close(ctx))
	}
	return nil
}

// serverTimeouts end what a process leaves behind that stops in the middle of a
// change: all changes wait for the clock row's lock. A setting in the URL takes
// precedence.
func (l *link) serverTimeouts() map[string]string {
	return map[string]string{
		"idle_in_transaction_session_timeout": milliseconds(max(l.ping, minIdleInTransaction)),
		"tcp_user_timeout":                    milliseconds(l.connect),
		"tcp_keepalives_idle":                 seconds(l.ping),
		"tcp_keepalives_interval":             seconds(l.ping / 2),
		"tcp_keepalives_count":                "2",
	}
}

// minIdleInTransaction is the time that a process may need between two
// statements on a busy machine.
const minIdleInTransaction = time.Second

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func seconds(d time.Duration) string { return strconv.Itoa(int(wholeSeconds(d) / time.Second)) }

// askOrigin names the server and its timeline, which a fail-over and a restore to
// a point in time both move on. The server reads a file for it.
const askOrigin = `CAST((pg_control_system()).system_identifier AS TEXT) || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8)`

// postgresOrigin is what [noteOrigin] noted. A connection to a standby that took
// over has no note, nor has one that a pooler has reset: they ask each time.
const postgresOrigin = `COALESCE(NULLIF(current_setting('toksta.origin', true), ''), ` + askOrigin + `)`

// postgresDialect is that of a store which rings under a name.
func postgresDialect(name string) dialect {
	return dialect{
		origin: postgresOrigin,
		goose:  goose.DialectPostgres,
		ring:   `CAST(pg_notify('` + channel + `', CAST(seq AS TEXT) || ' ` + name + `') AS TEXT)`,
		now:    `CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)`,
		chunk:  100,
		page:   256, // more would keep a processor from others for milliseconds
		fault:  postgresFault,
	}
}

// postgresPrelude makes starting nodes wait for one another, and makes the
// types that the schema is written in.
func postgresPrelude() []string {
	return []string{
		`SELECT pg_advisory_lock(80107530)`,
		`DO $$ BEGIN CREATE DOMAIN idtext AS text COLLATE "C"; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
		`DO $$ BEGIN CREATE DOMAIN jsontext AS json; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
	}
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

// postgresFault tells by SQLSTATE.
func postgresFault(err error) fault {
	switch sqlState(err) {
	case "40001", "40P01", idleInTransaction: // serialization failure, deadlock
		return faultRetry
	case "23505":
		return faultTaken
	case "":
		if brokeOff(err) {
			return faultRetry
		}
	}
	return faultOther
}

// brokeOff reports whether err is that of a connection which the other side closed
// before the commit. One without a response is none: to try again would double
// the time that its caller waits.
func brokeOff(err error) bool {
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	closed := errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.ErrUnexpectedEOF)
	return closed && !connecting && errors.Is(err, store.ErrUnavailable)
}

// leavesUnchanged reports whether the server rejected a statement, and so its
// transaction, for a reason that may pass: nothing is wrong with the statement.
func leavesUnchanged(state string) bool {
	if len(state) < 2 {
		return false
	}
	switch state[:2] {
	case "08", "40", "53", "57", "58": // connection, rollback, resources such as the disk, intervention, I/O
		return true
	}
	return slices.Contains([]string{"25006", idleInTransaction, "55P03"}, state) // read-only, idle, locked
}

// postgresConfirm fails a commit that came with a warning. The server gives
// one when its wait for a synchronous standby was cut short: the change is
// committed there, yet a fail-over may lose it, so it must not be reported as
// done. A connection that warned is not used again.
func postgresConfirm(conn *sql.Conn) error {
	var warning any
	err := conn.Raw(func(driver any) error {
		warning = driver.(*connection).pgx().PgConn().CustomData()[unconfirmed]
		return nil
	})
	if err != nil {
		return fmt.Errorf("confirm commit: %w", err)
	}
	if warning != nil {
		discard(conn)
		return &storeError{store.ErrUncertain, fmt.Errorf("the commit was not confirmed: %v", warning)}
	}
	return nil
}

// postgresBell hears what changes notify of as they commit: their number, and the
// name of the store that they were made through.
type postgresBell struct {
	config *pgx.ConnConfig
	name   string
	doubt  atomic.Bool // a commit may have been made that nobody here knows of
}

// rang has nothing to deliver: the server does, with the commit. Once there was
// one without a number, rings of this store's own are let through.
func (b *postgresBell) rang(seq int64) {
	if seq == 0 {
		b.doubt.Store(true)
	}
}

// Listen calls woken once it listens, since something may have come before,
// and then for each notification that is another's, until ctx ends or the
// connection fails.
func (b *postgresBell) Listen(ctx context.Context, woken func(seq int64)) error {
	conn, err := pgx.ConnectConfig(ctx, b.config)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, `LISTEN `+channel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	for woken(0); ; {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		number, by, _ := strings.Cut(n.Payload, " ") // an older node says less
		if by == b.name && !b.doubt.Load() {
			continue
		}
		seq, _ := strconv.ParseInt(number, 10, 64)
		woken(seq)
	}
}
