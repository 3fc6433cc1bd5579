package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

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
func openPostgres(url string) (*Store, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	config.OnNotice = func(c *pgconn.PgConn, n *pgconn.Notice) {
		if n.SeverityUnlocalized == "WARNING" {
			c.CustomData()[unconfirmed] = n.Message
		}
	}
	for name, value := range postgresTimeouts() {
		if _, set := config.RuntimeParams[name]; !set {
			config.RuntimeParams[name] = value
		}
	}
	writer, reads := postgresPool(config), postgresPool(config)
	feed := postgresPool(feedConfig(config), stdlib.OptionShouldPing(neverPing))
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
	} {
		c.RuntimeParams[name] = value
	}
	return c
}

func postgresPool(c *pgx.ConnConfig, options ...stdlib.OptionOpenDB) *sql.DB {
	options = append(options, stdlib.OptionAfterConnect(noteOrigin))
	return sql.OpenDB(reaching{stdlib.GetConnector(*c, options...)})
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

// neverPing spares a change the way to the database and back that finds out
// whether an idle connection still lives: who reads and acks tries again.
func neverPing(context.Context, stdlib.ShouldPingParams) bool { return false }

// postgresTimeouts end what a process leaves behind that stops in the middle
// of a change: the clock row's lock is everybody's. What the URL sets goes
// first.
func postgresTimeouts() map[string]string {
	return map[string]string{
		"idle_in_transaction_session_timeout": "1s",
		"tcp_user_timeout":                    "5s",
		"tcp_keepalives_idle":                 "5",
		"tcp_keepalives_interval":             "2",
		"tcp_keepalives_count":                "3",
	}
}

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

// postgresFault tells by SQLSTATE.
func postgresFault(err error) fault {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return faultOther
	}
	switch e.Code {
	case "40001", "40P01": // serialization failure, deadlock
		return faultRetry
	case "23505":
		return faultTaken
	default:
		return faultOther
	}
}

// postgresConfirm fails a commit that came with a warning. The server gives
// one when its wait for a synchronous standby was cut short: the change is
// committed there, yet a fail-over may lose it, so it must not be reported as
// done. A connection that warned is not used again.
func postgresConfirm(conn *sql.Conn) error {
	var warning any
	err := conn.Raw(func(driver any) error {
		warning = driver.(*reached).Conn.Conn().PgConn().CustomData()[unconfirmed]
		return nil
	})
	if err != nil {
		return fmt.Errorf("confirm commit: %w", err)
	}
	if warning != nil {
		discard(conn)
		return &lost{store.ErrUncertain, fmt.Errorf("the commit was not confirmed: %v", warning)}
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
