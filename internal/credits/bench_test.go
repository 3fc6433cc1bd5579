package credits_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/toksta"
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

// BenchmarkVerify verifies 10,000 accounts with 20 entries each.
func BenchmarkVerify(b *testing.B) {
	const accounts, entries = 10_000, 20
	run := func(b *testing.B, books *books) {
		for from := 0; from < accounts; from += 500 {
			buy(b, books.stores[0], from, entries)
		}
		for b.Loop() {
			v, err := books.node(0).Verify(b.Context())
			ok(b, err)
			if v.Accounts != accounts || v.Entries != accounts*entries || len(v.Differences) > 0 {
				b.Fatalf("%+v", v)
			}
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

// buy creates 500 accounts with some purchases of one credit each.
func buy(b *testing.B, s store.Store, from, times int) {
	m := store.Mutation{Kind: toksta.ChangeKeysImported}
	for i := from; i < from+500; i++ {
		a := toksta.Account{ID: toksta.AccountID(fmt.Sprintf("acct_%026d", i)), Name: "Buyer", Plan: "SCALE", Status: toksta.StatusActive, CreatedAt: start}
		a.Entitlements.PurchasedCredits = int64(times)
		m.Accounts = append(m.Accounts, a)
		for n := range times {
			m.Credits = append(m.Credits, store.CreditEntry{
				AccountID: a.ID, Kind: store.CreditPurchase, Delta: toksta.Charge{Credits: 1, Purchased: 1},
				IdempotencyKey: fmt.Sprintf("order %d", n), Request: "one", Actor: "bench",
			})
		}
	}
	_, err := s.Commit(b.Context(), operator, func(context.Context, store.Reader) (store.Mutation, error) { return m, nil })
	ok(b, err)
}
