package sqlstore

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
)

// Guarantee: while another program holds the write lock of the file, a change ends within
// two leases and says that nothing was changed.
func TestSQLiteLockedByOther(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "toksta.db")
	s, err := Open(t.Context(), Config{URL: "sqlite:" + path, Lease: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	other, err := dbconn.OpenSQLite(sqliteName(path, "_txlock", "immediate", time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	lock, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // below a wait of 10 s
	defer cancel()
	nothing := func(*dbconn.Tx) error { return nil }
	if err := s.inTx(ctx, nothing); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("while the file is locked: %v", err)
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := s.inTx(t.Context(), nothing); err != nil {
		t.Errorf("after the lock: %v", err)
	}
}
