package sqlstore

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// TestIntegrity: a check of the database must find an overwritten page and a missing change,
// and must find nothing in an undamaged database.
func TestIntegrity(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "toksta.db")
	s := openAt(t, path)
	for range 3 {
		_, err := s.Commit(t.Context(), toksta.Actor{Kind: toksta.ActorOperator}, func(context.Context, store.Reader) (store.Mutation, error) {
			return store.Mutation{Kind: toksta.ChangeAccountCreated, Detail: map[string]string{"name": strings.Repeat("x", 2<<10)}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Integrity(t.Context()); err != nil {
		t.Fatalf("a sound database: %v", err)
	}

	if _, err := s.writer.ExecContext(t.Context(), `DELETE FROM changes WHERE seq = 2`); err != nil {
		t.Fatal(err)
	}
	if err := s.Integrity(t.Context()); err == nil || !strings.Contains(err.Error(), "2 rows up to number 3, but 3 changes") {
		t.Errorf("a change is gone: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	damageIndex(t, path)
	s = openAt(t, path)
	defer s.Close()
	if err := s.Integrity(t.Context()); err == nil || !strings.Contains(err.Error(), "damaged") && !strings.Contains(err.Error(), "malformed") {
		t.Errorf("the last page is overwritten: %v", err)
	}
}

func openAt(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// damageIndex overwrites the root page of an index that Open does not read.
func damageIndex(t *testing.T, path string) {
	t.Helper()
	s := openAt(t, path)
	var page, size int64
	err := s.reads.QueryRowContext(t.Context(), `SELECT rootpage FROM sqlite_schema WHERE name = 'changes_account'`).Scan(&page)
	if err == nil {
		err = s.reads.QueryRowContext(t.Context(), `PRAGMA page_size`).Scan(&size)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(strings.Repeat("spoilt", int(size)/6)), (page-1)*size); err != nil {
		t.Fatal(err)
	}
}
