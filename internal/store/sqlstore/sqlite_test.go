package sqlstore_test

import (
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest"
)

// TestSQLite runs the suite.
func TestSQLite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Database {
		s := openSQLite(t)
		return func(*testing.T) store.Store { return s }
	})
}

// TestSQLiteFiles: other users of the machine must not be able to read password hashes and
// digests.
func TestSQLiteFiles(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "new")
	path := filepath.Join(folder, "a b?c.db")
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, name := range []string{path, path + "-wal", path + "-shm", path + ".lock"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info, err)
	}
}

// TestSQLiteOneProcess: a second process on one file must fail to open it, because a
// revocation in one process would not reach the other.
func TestSQLiteOneProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "toksta.db")
	first, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	second, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: path})
	if err == nil || !strings.Contains(err.Error(), "another process") {
		t.Fatalf("a second Open: %v, %v", second, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	third, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := third.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestNewerSchema: an older program must not open a newer schema, because it could lose
// data of it.
func TestNewerSchema(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "toksta.db")
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	query(t, path, `INSERT INTO schema_version (version_id, is_applied) VALUES (9999, 1) RETURNING version_id`)
	_, err = sqlstore.Open(t.Context(), sqlstore.Config{URL: path})
	if err == nil || !strings.Contains(err.Error(), "schema 9999, written by a newer version") {
		t.Fatalf("Open of a newer schema: %v", err)
	}
}

// TestSQLiteVersion: older libraries can corrupt a database in WAL mode, and the driver
// requires exactly one version of its C library.
func TestSQLiteVersion(t *testing.T) {
	t.Parallel()
	const oldest = 3*1_000_000 + 51*1_000 + 3
	if got := query(t, ":memory:", `SELECT sqlite_version()`); number(got) < oldest {
		t.Errorf("SQLite %s is older than 3.51.3", got)
	}
	want := requires(t, "-m", "-f", "{{.GoMod}}", "modernc.org/sqlite")
	mod, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	used := requires(t, "-m", "-f", "{{.Path}} {{.Version}}", "modernc.org/libc")
	if !strings.Contains(string(mod), "\t"+used+"\n") {
		t.Errorf("go.mod uses %s, which is not what %s requires", used, want)
	}
}

// requires returns the output of go list.
func requires(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// number converts "3.51.3" to 3051003.
func number(version string) (n int) {
	for part := range strings.SplitSeq(version, ".") {
		digits := 0
		for _, c := range part {
			digits = 10*digits + int(c-'0')
		}
		n = 1000*n + digits
	}
	return n
}

// query reads one text without the store.
func query(t *testing.T, path, statement string) (text string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), statement).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// TestSQLiteDeletesEarlierNodes: after a kill, the first change must not wait for the lease
// of the killed process.
func TestSQLiteDeletesEarlierNodes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "toksta.db")
	killed, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := killed.Register(t.Context(), store.Node{ID: "a", Epoch: "e1", Lease: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if err := killed.Close(); err != nil {
		t.Fatal(err)
	}
	next, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if nodes, err := next.ListNodes(t.Context()); err != nil || len(nodes) != 0 {
		t.Errorf("nodes after a restart: %v, %v", nodes, err)
	}
}
