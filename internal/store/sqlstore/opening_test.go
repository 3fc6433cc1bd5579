package sqlstore_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
)

// TestOpeningEntries: an installation from before the ledger has sold credits;
// without an entry of them the books would call every one of those a fault.
func TestOpeningEntries(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "toksta.db")
		opening(t, goose.DialectSQLite3, "sqlite", path)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		url := pgtest.Start(t).NewDatabase(t)
		opening(t, goose.DialectPostgres, "pgx", url)
	})
}

func opening(t *testing.T, dialect goose.Dialect, driver, url string) {
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec := func(statement string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if dialect == goose.DialectPostgres {
		exec(`CREATE DOMAIN idtext AS text COLLATE "C"`)
	}
	before, err := goose.NewProvider(dialect, db, os.DirFS("migrations"), goose.WithTableName("schema_version"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := before.UpTo(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	const account = `INSERT INTO accounts (id, name, plan, status, status_since, cadence, cycle_anchor, entitlements, created_at, seq) VALUES `
	exec(account + `('acct_01A', 'a', 'p', 's', 0, 'monthly', 0, '{"purchased_credits":700}', 5, 1)`)
	exec(account + `('acct_01B', 'b', 'p', 's', 0, 'monthly', 0, '{}', 6, 2)`)

	s, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var got []store.CreditBook
	if err := s.CreditBooks(t.Context(), func(b store.CreditBook) { got = append(got, b) }); err != nil {
		t.Fatal(err)
	}
	want := []store.CreditBook{{AccountID: "acct_01A", Purchased: 700, Count: 1, Entries: []store.CreditEntry{{
		ID: "cre_01A", AccountID: "acct_01A", Number: 1, Kind: store.CreditPurchase, Delta: toksta.Charge{Credits: 700, Purchased: 700},
		Reason: "bought before the ledger", Actor: "system",
	}}}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(store.CreditEntry{}, "At")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
