package ledger_test

import (
	"path/filepath"
	"testing"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
)

func BenchmarkReserveAndSettle(b *testing.B) {
	run := func(b *testing.B, books *books) {
		id := books.account(b, "SCALE", toksta.Entitlements{})
		for b.Loop() {
			out, err := books.node(0).Reserve(b.Context(), operator, books.reserving(id, 5))
			ok(b, err)
			_, err = books.node(0).Settle(b.Context(), operator, books.closing(out.Reservation, 3))
			ok(b, err)
		}
	}
	b.Run("SQLite", func(b *testing.B) {
		one := &books{now: setSQLite}
		one.open(b, filepath.Join(b.TempDir(), "toksta.db"))
		one.now(start)
		run(b, one)
	})
	b.Run("PostgreSQL", func(b *testing.B) { run(b, openPostgres(b, pgtest.Start(b), 1)) })
}
