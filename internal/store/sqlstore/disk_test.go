package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/toksta"
)

// smallDisk mounts a small disk, which requires root.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	disk, err := os.MkdirTemp("", "toksta-disk-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(disk) })
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size="+size+",mode=777"); err != nil {
		t.Skipf("no disk can be mounted here, so none is filled: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	return disk
}

// zeros is an endless reader of zeros.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// fill takes all the space of a disk. The returned function frees it.
func fill(t *testing.T, disk string) (free func()) {
	t.Helper()
	f, err := os.Create(filepath.Join(disk, "fill"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, zeros{}); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
	f.Close()
	return func() { os.Remove(f.Name()) }
}

// commitUntilFull commits until the disk is full, and returns the error.
func commitUntilFull(t *testing.T, s *sqlstore.Store, account toksta.AccountID) (err error) {
	t.Helper()
	for i := range 1000 {
		_, err = s.Commit(t.Context(), toksta.Actor{}, func(context.Context, store.Reader) (store.Mutation, error) {
			return store.Mutation{
				Kind: toksta.ChangeAccountRenamed, AccountID: account, Detail: map[string]string{"name": strings.Repeat("x", 4096)},
				Accounts: []toksta.Account{{ID: toksta.AccountID(fmt.Sprintf("acct_%d", i)), Name: strings.Repeat("x", 2048)}},
			}, nil
		})
		if err != nil {
			return err
		}
	}
	t.Fatal("the disk did not fill")
	return nil
}

// testFullDisk: a change on a full disk must report that nothing was changed. It must
// succeed once there is space.
func testFullDisk(t *testing.T, s *sqlstore.Store, disk string) {
	t.Helper()
	account := newAccount(t, s)
	free := fill(t, disk)
	if err := commitUntilFull(t, s, account); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("on a full disk a change failed with: %v", err)
	}
	if _, err := s.Account(t.Context(), account); err != nil && !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("on a full disk a read failed with: %v", err)
	}
	free()
	newAccount(t, s)
}

// TestSQLiteFullDisk: SQLite has several errors for a full disk. None of them may become an
// internal error.
func TestSQLiteFullDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "3m")
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: filepath.Join(disk, "toksta.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	testFullDisk(t, s, disk)
}

// TestSQLiteReadOnly: a change must report that nothing was changed if the kernel has made
// the disk read-only after an error.
func TestSQLiteReadOnly(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "8m")
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: filepath.Join(disk, "toksta.db")})
	if err != nil {
		t.Fatal(err)
	}
	account := newAccount(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, "size=8m"); err != nil {
		t.Fatal(err)
	}
	_, err = sqlstore.Open(t.Context(), sqlstore.Config{URL: filepath.Join(disk, "toksta.db")})
	if err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("opened on a read-only disk: %v, account %s", err, account)
	}
}

// TestSQLiteStartOnFullDisk: SQLite's "disk I/O error (4874)" is misleading if the disk is
// full.
func TestSQLiteStartOnFullDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "3m")
	path := filepath.Join(disk, "toksta.db")
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	free := fill(t, disk)
	if _, err = sqlstore.Open(t.Context(), sqlstore.Config{URL: path}); err == nil || !strings.Contains(err.Error(), "is full: free some space") {
		t.Errorf("opened on a full disk: %v", err)
	}
	free()
	s, err = sqlstore.Open(t.Context(), sqlstore.Config{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// TestPostgresFullDisk: PostgreSQL keeps running on a full disk, and so must the store.
func TestPostgresFullDisk(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	disk := smallDisk(t, "24m")
	space := filepath.Join(disk, "tables")
	if err := os.Mkdir(space, 0o777); err != nil {
		t.Fatal(err)
	}
	server.Own(t, space)
	server.Exec(t, "postgres", `CREATE TABLESPACE small LOCATION '`+space+`'`)
	server.Exec(t, "postgres", `CREATE DATABASE small TABLESPACE small`)
	testFullDisk(t, openPostgres(t, server.URL("small")), disk)
}
