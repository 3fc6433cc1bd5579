package sqlstore_test

import (
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/toksta"
)

// Guarantee: on PostgreSQL, a session that is written while an erasure commits waits for it, and is then not
// written. Without the lock, the transaction of the session would still see the person.
func TestPostgresSessionDuringErasure(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	address := server.NewDatabase(t)
	s := openPostgres(t, address)
	commit(t, s, store.Mutation{Kind: toksta.ChangeMemberCreated, Members: []toksta.Member{{ID: "mem_a", Email: "a@example.com"}}})
	erasure, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer erasure.Close(t.Context())
	run := func(statement string) {
		t.Helper()
		if _, err := erasure.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	run(`BEGIN`)
	run(`UPDATE members SET email = '', email_folded = id WHERE id = 'mem_a'`)
	done := make(chan error, 1)
	go func() {
		done <- s.PutSession(t.Context(), store.Session{ID: sha256.Sum256([]byte("cookie")), MemberID: "mem_a", ExpiresAt: time.Now().Add(time.Hour)})
	}()
	const waiting = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
	for start := time.Now(); server.Exec(t, database(t, address), waiting) == 0; {
		select {
		case err := <-done:
			t.Fatalf("the session did not wait for the erasure: %v", err)
		default:
		}
		if time.Since(start) > 20*time.Second {
			t.Fatal("the session does not wait")
		}
	}
	run(`COMMIT`)
	if err := <-done; !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}
