// Package sqlstore implements [store.Store] in SQL: with SQLite for one process, with
// PostgreSQL for many.
//
// Every statement has one text, in the subset of SQL that both databases support; a
// [dialect] has the differences. The package makes no decisions: it numbers the changes
// that its callers decide, writes them, and reads the state. It never sees the secret of a key,
// never logs and starts no goroutine. Package dbconn has the connections.
package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
)

// Config configures a Store.
type Config struct {
	// URL is "postgres://…", or the path of a SQLite file, with or without the prefix
	// "sqlite:". A missing file is created.
	URL string
	// Lease is how long a node admits calls without the database; 0: 10 s. Calls to
	// PostgreSQL end within one lease, so that a change ends within two.
	Lease time.Duration
}

// Store is an open database. Its methods are safe for concurrent use.
type Store struct {
	reader         // on the read pool
	writer *sql.DB // all writes; on SQLite one connection
	reads  *sql.DB
	feed   *sql.DB // reads for a node's index
	acks   *sql.DB // writes that need not be durable
	dialect
	notifier
	prelude     []string     // statements before migrations; make other starting processes wait
	release     func() error // releases everything else that is open
	isExclusive bool         // no other process can have the database open
}

var _ store.Store = (*Store)(nil)

// Open opens the database and brings its schema up to date. It fails if the schema is
// newer than it knows, if another process has the SQLite file open, or if a copy into the
// database was interrupted.
func Open(ctx context.Context, c Config) (*Store, error) {
	s, err := open(ctx, c)
	if err != nil {
		return nil, err
	}
	name, err := s.incarnation(ctx)
	if err == nil && strings.HasPrefix(name, unfinishedCopy) {
		err = errors.New("a copy into this database is not finished: run toksta store copy again")
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// open opens the database even if a copy into it is unfinished.
func open(ctx context.Context, c Config) (s *Store, err error) {
	if isPostgres(c.URL) {
		s, err = openPostgres(c.URL, c.Lease)
	} else {
		s, err = openSQLite(strings.TrimPrefix(c.URL, "sqlite:"), c.Lease)
	}
	if err != nil {
		return nil, err
	}
	s.reader = reader{q: s.reads, clock: s.now}
	if err := s.prepare(ctx); err != nil {
		if errors.Is(err, store.ErrUnavailable) {
			err = errors.New(err.Error()) // for the operator the cause matters, not the message for clients
		}
		if s.isExclusive {
			err = withFullDisk(c.URL, err)
		}
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// lockingReader returns a reader for a decision in tx, which locks the rows that the
// decision depends on.
func (s *Store) lockingReader(tx *dbconn.Tx) reader { return reader{q: tx, clock: s.now, locks: true} }

func isPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

// incarnation returns the random name of the history that the database holds. A restore
// or a fail-over begins another history, with another name.
func (s *Store) incarnation(ctx context.Context) (name string, err error) {
	if err := s.reads.QueryRowContext(ctx, `SELECT incarnation FROM cluster`).Scan(&name); err != nil {
		return "", fmt.Errorf("read the database's incarnation: %w", err)
	}
	return name, nil
}

// prepare migrates the database and gives a new one its incarnation.
func (s *Store) prepare(ctx context.Context) error {
	if err := s.retry(ctx, func() error { return s.migrate(ctx) }); err != nil {
		return err
	}
	name := `INSERT INTO cluster (one, incarnation, origin) VALUES (1, $1, ` + s.origin + `) ON CONFLICT (one) DO NOTHING`
	if _, err := s.writer.ExecContext(ctx, name, rand.Text()); err != nil {
		return fmt.Errorf("set the database's incarnation: %w", err)
	}
	if !s.isExclusive {
		return nil
	}
	// The lock of the file proves that the processes of these rows have ended: no
	// change has to wait for their leases.
	if _, err := s.writer.ExecContext(ctx, `DELETE FROM nodes`); err != nil {
		return fmt.Errorf("delete the nodes of earlier processes: %w", err)
	}
	return nil
}

// Ping implements [store.Store].
func (s *Store) Ping(ctx context.Context) error {
	var seq int64
	if err := s.reads.QueryRowContext(ctx, `SELECT seq FROM clock`).Scan(&seq); err != nil {
		return fmt.Errorf("ping the database: %w", err)
	}
	return nil
}

// Close waits for running statements and closes the database. Listeners end
// with their own contexts.
func (s *Store) Close() error {
	return errors.Join(s.reads.Close(), s.writer.Close(), s.release())
}
