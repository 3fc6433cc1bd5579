package sqlstore_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/toksta"
)

// TestPostgresPausedTransaction: the server rolls back the transaction of a process that
// pauses in it, which happens on a busy machine. Nothing was written then, so the change
// must be repeated instead of failing.
func TestPostgresPausedTransaction(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	for _, rows := range []int{1, 1000} {
		for _, reads := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d rows, reads %v", rows, reads), func(t *testing.T) {
				t.Parallel()
				address := server.NewDatabase(t)
				openPostgres(t, address) // a migration may pause as well, but five times
				s := openPostgres(t, address+"&idle_in_transaction_session_timeout=50")
				attempts := 0
				change, err := s.Commit(t.Context(), toksta.Actor{}, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
					m := store.Mutation{Kind: toksta.ChangeAccountCreated}
					for i := range rows {
						m.Accounts = append(m.Accounts, toksta.Account{ID: toksta.AccountID(fmt.Sprintf("acct_%d", i))})
					}
					if _, err := r.ListAccounts(ctx, store.Page{}); err != nil { // begins the transaction there
						return m, err
					}
					if attempts++; attempts == 1 {
						waitForRollback(t, server, database(t, address))
					}
					if reads {
						_, err := r.ListAccounts(ctx, store.Page{})
						return m, err
					}
					return m, nil
				})
				if err != nil || change.Seq != 1 || attempts < 2 {
					t.Errorf("change %d after %d attempts: %v", change.Seq, attempts, err)
				}
			})
		}
	}
}

// waitForRollback waits until the server has ended the idle transactions of a database.
func waitForRollback(t *testing.T, server *pgtest.Server, database string) {
	t.Helper()
	const idle = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'`
	for start := time.Now(); server.Exec(t, database, idle) > 0; {
		if time.Since(start) > 20*time.Second {
			t.Fatal("the server does not end the idle transaction")
		}
	}
}
