// Package sqlitetest opens SQLite databases for tests of any package.
package sqlitetest

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/sdk/toksta"
)

// Store is a database in a file.
type Store struct {
	*sqlstore.Store
	File string
}

// Open creates a database and closes it at the end of tb.
func Open(tb testing.TB) *Store {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "toksta.db")
	Create(tb, file)
	s, err := sqlstore.Open(tb.Context(), sqlstore.Config{URL: file})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return &Store{s, file}
}

// Create creates a new file with the newest schema, as [sqlstore.Open] does, in a fraction of
// the time: each test process runs the migrations only once. Like a new database, the
// file has no incarnation until it is opened.
func Create(tb testing.TB, file string) {
	tb.Helper()
	content, err := migrated()
	if err != nil {
		tb.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Close()); err != nil {
		tb.Fatal(err)
	}
}

// migrated returns the content of a file that Create writes.
var migrated = sync.OnceValues(func() (content []byte, err error) {
	dir, err := os.MkdirTemp("", "toksta-schema")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "toksta.db")
	s, err := sqlstore.Open(context.Background(), sqlstore.Config{URL: file})
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return nil, err
	}
	_, err = db.Exec(`DELETE FROM cluster`)
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

// DirectLog returns a log that commits changes without waiting for nodes.
func (s *Store) DirectLog() store.Log { return DirectLog{s} }

// DirectLog is the log of any store, without waiting for nodes.
type DirectLog struct{ store.Mutator }

// Commit implements [store.Log].
func (l DirectLog) Commit(ctx context.Context, by toksta.Actor, d store.Decide) (toksta.Receipt, error) {
	c, err := l.Mutator.Commit(ctx, by, d)
	return toksta.Receipt{Change: c}, err
}
