// Package sqlitetest opens SQLite databases for tests of any package.
package sqlitetest

import (
	"context"
	"path/filepath"
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

// DirectLog returns a log that commits changes without waiting for nodes.
func (s *Store) DirectLog() store.Log { return directLog{s} }

type directLog struct{ store.Mutator }

// Commit implements store.Log.
func (l directLog) Commit(ctx context.Context, by toksta.Actor, d store.Decide) (toksta.Receipt, error) {
	c, err := l.Mutator.Commit(ctx, by, d)
	return toksta.Receipt{Change: c}, err
}
