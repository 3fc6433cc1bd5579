package dbconn_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
)

// TestQueue: a queued statement must be executed in its place, its error must not be
// lost, and none may be executed outside of its transaction.
func TestQueue(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		db, err := dbconn.OpenSQLite("file:" + filepath.Join(t.TempDir(), "db"))
		if err != nil {
			t.Fatal(err)
		}
		testQueue(t, db)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		server, err := dbconn.NewServer(pgtest.Start(t).NewDatabase(t), 0, "SELECT 1")
		if err != nil {
			t.Fatal(err)
		}
		testQueue(t, server.Pool(dbconn.PoolConfig{Size: 2}))
	})
}

func testQueue(t *testing.T, db *sql.DB) {
	defer db.Close()
	ctx := t.Context()
	begin := func() *dbconn.Tx {
		t.Helper()
		tx, err := dbconn.Begin(ctx, db, sql.LevelDefault)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(tx.Close)
		return tx
	}
	const insert = `INSERT INTO n (i) VALUES ($1)`
	tx := begin()
	var before, at, after int
	err := errors.Join(
		tx.Queue(ctx, `CREATE TABLE n (i BIGINT PRIMARY KEY)`), tx.Flush(ctx),
		tx.QueueRow(ctx, []any{&before}, `SELECT count(*) FROM n`),
		tx.Queue(ctx, insert, 1),
		tx.QueryRowContext(ctx, `SELECT count(*) FROM n`).Scan(&at),
		tx.Queue(ctx, insert, 2),
		tx.QueueRow(ctx, []any{&after}, `SELECT count(*) FROM n`),
		tx.Commit(),
	)
	if err != nil || before != 0 || at != 1 || after != 2 {
		t.Errorf("counted %d, %d, %d: %v", before, at, after, err)
	}
	if err := tx.Queue(ctx, insert, 3); err == nil {
		t.Error("a statement was queued after the commit")
	}

	tx = begin()
	if err := errors.Join(tx.Queue(ctx, insert, 2), tx.Queue(ctx, insert, 3), tx.Flush(ctx)); !dbconn.IsUniqueViolation(err) {
		t.Errorf("a violation in the queue: %v", err)
	}
	tx.Close()

	canceled, cancel := context.WithCancel(ctx)
	tx = begin()
	cancel()
	if err := tx.Queue(canceled, insert, 4); !errors.Is(err, context.Canceled) {
		t.Errorf("a statement of a canceled caller: %v", err)
	}
	tx.Close()
	var n int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM n`).Scan(&n); err != nil || n != 2 {
		t.Errorf("%d rows: %v", n, err)
	}
}
