package sqlstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
)

// Connections of one process. Commits queue for the clock row anyway: a few
// writers are enough.
const (
	postgresWriters = 4
	postgresReaders = 8
)

// channel is the channel of NOTIFY and LISTEN.
const channel = "toksta"

// openPostgres returns a store that connects at its first statement.
func openPostgres(url string, lease time.Duration) (*Store, error) {
	server, err := dbconn.NewServer(url, lease, noteOrigin)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	feed := server.Pool(feedPool())
	id := rand.Text()
	return &Store{
		writer: server.Pool(dbconn.PoolConfig{Size: postgresWriters, Ping: true}),
		reads:  server.Pool(dbconn.PoolConfig{Size: postgresReaders, Ping: true}),
		feed:   feed, acks: feed, dialect: postgresDialect(id),
		notifier: &postgresNotifier{server: server, id: id}, prelude: postgresPrelude(), release: feed.Close,
	}, nil
}

// feedPool describes the one connection on which a node follows and acknowledges
// changes. Its few statements are planned once and for few rows, regardless of the
// table statistics: otherwise a plan could read a whole table at every change,
// on every node. It does not ping, because a change must not wait for that; its
// statements are repeated on a new connection instead. Its commits do not
// wait for the disk: if a crash of the database loses an acknowledgement, a caller
// only waits longer, because the node had applied the change.
func feedPool() dbconn.PoolConfig {
	return dbconn.PoolConfig{Size: 1, Parameters: map[string]string{
		"synchronous_commit": "off",
		"plan_cache_mode":    "force_generic_plan",
		"enable_hashjoin":    "off",
		"enable_mergejoin":   "off",
		"jit":                "off",
		// A node that loads pauses for others, and holds no lock.
		"idle_in_transaction_session_timeout": "0",
	}}
}

// noteOrigin makes a new connection keep the origin of its server: a server
// changes to another timeline before it accepts writes, and never while it does.
// On a standby, which can be promoted later, the origin stays empty.
const noteOrigin = `SELECT set_config('toksta.origin', CASE WHEN pg_is_in_recovery() THEN '' ELSE ` + readOrigin + ` END, false)`

// readOrigin identifies the server and its timeline, which a fail-over and a
// restore to a point in time both change. The server reads a file for it.
const readOrigin = `CAST((pg_control_system()).system_identifier AS TEXT) || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8)`

// postgresOrigin returns the noted origin. A connection to a promoted standby has
// none, nor has one that a pooler has reset: they read it each time.
const postgresOrigin = `COALESCE(NULLIF(current_setting('toksta.origin', true), ''), ` + readOrigin + `)`

// postgresDialect returns the dialect of a store whose notifications carry an id.
func postgresDialect(id string) dialect {
	return dialect{
		origin: postgresOrigin,
		goose:  goose.DialectPostgres,
		notify: `CAST(pg_notify('` + channel + `', CAST(seq AS TEXT) || ' ` + id + `') AS TEXT)`,
		now:    `CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)`,
		share:  ` FOR SHARE`,
		chunk:  100,
		page:   256, // more would occupy a processor for milliseconds
	}
}

// postgresPrelude returns statements that make starting nodes wait for one
// another and create the types of the schema.
func postgresPrelude() []string {
	return []string{
		`SELECT pg_advisory_lock(80107530)`,
		`DO $$ BEGIN CREATE DOMAIN idtext AS text COLLATE "C"; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
		`DO $$ BEGIN CREATE DOMAIN jsontext AS json; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
	}
}

// postgresNotifier receives the notifications that changes send as they commit.
// Each has the number of the change and the id of the store that made it.
type postgresNotifier struct {
	server       *dbconn.Server
	id           string
	hasUncertain atomic.Bool // a commit of this store had an unknown outcome
}

// committed sends nothing, because PostgreSQL notifies with the commit. After a
// commit with an unknown outcome, Listen passes on this store's own notifications.
func (n *postgresNotifier) committed(seq int64) {
	if seq == 0 {
		n.hasUncertain.Store(true)
	}
}

// Listen calls notified with 0 once it listens, because it has missed earlier commits, and
// then for each notification of another store, until ctx ends or the connection fails.
func (n *postgresNotifier) Listen(ctx context.Context, notified func(seq int64)) error {
	return n.server.Listen(ctx, channel, func(payload string) {
		number, by, _ := strings.Cut(payload, " ") // an older node sends no id
		if by == n.id && !n.hasUncertain.Load() {
			return
		}
		seq, _ := strconv.ParseInt(number, 10, 64)
		notified(seq)
	})
}
