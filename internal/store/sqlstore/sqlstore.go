// Package sqlstore is the product's database in SQL: SQLite for one process,
// PostgreSQL for many. It implements [store.Store].
//
// It stands at the end of the mutation path. There is one text of every
// statement, in the subset that both engines speak; what differs is a
// [dialect]. Nothing here decides anything: callers bring decisions, this
// package orders, writes and reads them. It never sees a secret, never logs
// and starts no goroutine.
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

// Config says where the database is.
type Config struct {
	// URL is "postgres://…", or the path of a SQLite file, which is created
	// when missing, with or without "sqlite:" before it.
	URL string
	// Lease is how long a node admits without the database; 0: 10 s. Calls to
	// PostgreSQL end within it, so that a change ends within two.
	Lease time.Duration
}

// Store is an open database. Its methods are safe for concurrent use.
type Store struct {
	reader         // on the read pool
	writer *sql.DB // on SQLite one connection; everything that writes
	reads  *sql.DB
	feed   *sql.DB // what a node fills and keeps its index with
	acks   *sql.DB // commits need not reach the disk
	dialect
	notifier
	prelude []string     // runs before migrations, repeatable; holds other starters off
	release func() error // gives up what else holds the database
	alone   bool         // no other process can have the database open
}

var _ store.Store = (*Store)(nil)

// Open opens the database and brings its schema up to date. It refuses a
// schema newer than it knows, a SQLite file that another process has open, and
// a database that a copy into it was interrupted in.
func Open(ctx context.Context, c Config) (*Store, error) {
	s, err := open(ctx, c)
	if err != nil {
		return nil, err
	}
	name, err := s.incarnation(ctx)
	if err == nil && strings.HasPrefix(name, copying) {
		err = errors.New("a copy into this database is not finished: run toksta store copy again")
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// open is Open for whatever there is, even half a copy.
func open(ctx context.Context, c Config) (s *Store, err error) {
	if isPostgres(c.URL) {
		s, err = openPostgres(c.URL, c.Lease)
	} else {
		s, err = openSQLite(strings.TrimPrefix(c.URL, "sqlite:"))
	}
	if err != nil {
		return nil, err
	}
	s.reader = reader{q: s.reads, clock: s.now}
	if err := s.prepare(ctx); err != nil {
		if errors.Is(err, store.ErrUnavailable) {
			err = errors.New(err.Error()) // the operator reads the cause, not what callers are told
		}
		if s.alone {
			err = withFullDisk(c.URL, err)
		}
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// inside returns the reader of a change.
func (s *Store) inside(tx *dbconn.Tx) reader { return reader{q: tx, clock: s.now, locks: true} }

func isPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

// incarnation is the name of the history that this database holds.
func (s *Store) incarnation(ctx context.Context) (name string, err error) {
	if err := s.reads.QueryRowContext(ctx, `SELECT incarnation FROM cluster`).Scan(&name); err != nil {
		return "", fmt.Errorf("read the database's name: %w", err)
	}
	return name, nil
}

// prepare migrates and names a new database.
func (s *Store) prepare(ctx context.Context) error {
	if err := s.retry(ctx, func() error { return s.migrate(ctx) }); err != nil {
		return err
	}
	name := `INSERT INTO cluster (one, incarnation, origin) VALUES (1, $1, ` + s.origin + `) ON CONFLICT (one) DO NOTHING`
	if _, err := s.writer.ExecContext(ctx, name, rand.Text()); err != nil {
		return fmt.Errorf("name the database: %w", err)
	}
	if !s.alone {
		return nil
	}
	// The file's lock proves that whoever held these rows is dead: no change
	// need sit out their leases.
	if _, err := s.writer.ExecContext(ctx, `DELETE FROM nodes`); err != nil {
		return fmt.Errorf("forget the last process: %w", err)
	}
	return nil
}

// Ping reports whether the database answers a read now.
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
