package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/toksta"
)

// TestPostgres runs the suite, and tests of PostgreSQL alone. The tests before the suite run
// one after another, because one changes the settings of the server.
func TestPostgres(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	t.Run("unconfirmed commit", func(t *testing.T) { postgresUnconfirmed(t, server) })
	t.Run("start together", func(t *testing.T) { postgresStartTogether(t, server) })
	t.Run("retry", func(t *testing.T) { postgresRetry(t, server) })
	t.Run("caller gone", func(t *testing.T) { postgresCallerGone(t, server) })
	t.Run("many rows", func(t *testing.T) { postgresManyRows(t, server) })
	t.Run("same rows", func(t *testing.T) { postgresSameRows(t, server) })
	t.Run("idle connection", func(t *testing.T) { postgresIdle(t, server) })
	t.Run("own notifications", func(t *testing.T) { postgresOwnNotifications(t, server) })
	t.Run("another server", func(t *testing.T) { postgresOrigin(t, server) })
	t.Run("suite", func(t *testing.T) {
		schema := newSchema(t, server)
		storetest.Run(t, func(t *testing.T) storetest.Database {
			url := server.CopyDatabase(t, schema)
			return func(t *testing.T) store.Store { return openPostgres(t, url) }
		})
	})
}

// newSchema creates a database with the newest schema, for copies: to copy it takes less
// time than the migrations. Like a new database, it has no incarnation. It returns the
// name of the database.
func newSchema(t *testing.T, server *pgtest.Server) string {
	t.Helper()
	url := server.NewDatabase(t)
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	server.Exec(t, database(t, url), `DELETE FROM cluster`)
	return database(t, url)
}

func openPostgres(tb testing.TB, url string) *sqlstore.Store {
	tb.Helper()
	s, err := sqlstore.Open(tb.Context(), sqlstore.Config{URL: url})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Integrity(context.Background()); err != nil {
			tb.Errorf("what the test left: %v", err)
		}
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// postgresUnconfirmed: a revocation that the standby did not confirm may be lost in a
// fail-over, so the call must not report success. The server reports such a commit as
// successful, with a warning.
func postgresUnconfirmed(t *testing.T, server *pgtest.Server) {
	url := server.NewDatabase(t)
	s := openPostgres(t, url)
	account := newAccount(t, s)

	server.Exec(t, "postgres", `ALTER SYSTEM SET synchronous_standby_names = 'nobody'`)
	server.Exec(t, "postgres", `SELECT pg_reload_conf()`)
	committed := make(chan error)
	commit := func() {
		_, err := s.Commit(t.Context(), toksta.Actor{}, func(context.Context, store.Reader) (store.Mutation, error) {
			return store.Mutation{Kind: toksta.ChangeKeyRevoked, AccountID: account}, nil
		})
		committed <- err
	}
	// Cancel the wait of the commit once it has begun, as an operator would. Commits
	// before the server has noticed the setting succeed.
	const cancel = `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`
	var err error
	go commit()
	for cancelled := false; !cancelled || err == nil; {
		select {
		case err = <-committed:
			if cancelled && err == nil {
				t.Fatal("a commit that no standby has was reported as done")
			}
			if !cancelled {
				go commit()
			}
		default:
			cancelled = server.Exec(t, "postgres", cancel) > 0 || cancelled
		}
	}
	if !strings.Contains(err.Error(), "not confirmed") {
		t.Fatalf("the commit returned %v", err)
	}

	server.Exec(t, "postgres", `ALTER SYSTEM RESET synchronous_standby_names`)
	server.Exec(t, "postgres", `SELECT pg_reload_conf()`)
	if newAccount(t, s) == "" {
		t.Fatal("no account after the fault")
	}

	// That commit was made although its caller received ErrUncertain. From now on the
	// store also receives the notifications of its own changes.
	changes, err := s.ListChanges(t.Context(), store.ChangeQuery{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if seq := firstNotification(t, s, openPostgres(t, url)); seq != changes[0].Seq+1 {
		t.Errorf("the first notification is of change %d, its own is %d", seq, changes[0].Seq+1)
	}
}

// postgresStartTogether: nodes that start at once on a new database must not fail or see
// half a schema.
func postgresStartTogether(t *testing.T, server *pgtest.Server) {
	url := server.NewDatabase(t)
	opened := make(chan error)
	for range 4 {
		go func() {
			s, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: url})
			if err == nil {
				err = s.Close()
			}
			opened <- err
		}()
	}
	for range 4 {
		if err := <-opened; err != nil {
			t.Error(err)
		}
	}
}

// postgresOwnNotifications: a store must not pass on the notifications of its own changes:
// reading them again would slow the nodes that the change waits for.
func postgresOwnNotifications(t *testing.T, server *pgtest.Server) {
	url := server.NewDatabase(t)
	s, other := openPostgres(t, url), openPostgres(t, url)
	if seq := firstNotification(t, s, other); seq != 2 {
		t.Errorf("the first notification is of change %d, its own is 1", seq)
	}
}

// firstNotification commits a change through s and one through other, whose notification
// always arrives. It returns the number of the first notification that s passes on.
// Notifications arrive in the order of commits.
func firstNotification(t *testing.T, s, other *sqlstore.Store) (seq int64) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	numbers, ended := make(chan int64, 10), make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Listen(ctx, func(seq int64) { numbers <- seq })
	}()
	<-numbers // for earlier commits
	newAccount(t, s)
	newAccount(t, other)
	seq = <-numbers
	stop()
	<-ended
	return seq
}

// postgresRetry: a mutation that the database rolls back because of a deadlock must be
// repeated, a limited number of times.
func postgresRetry(t *testing.T, server *pgtest.Server) {
	s := openPostgres(t, server.NewDatabase(t))
	deadlock := fmt.Errorf("read keys: %w", &pgconn.PgError{Code: "40P01"})
	for _, faults := range []int{1, 1000} {
		tries := 0
		c, err := s.Commit(t.Context(), toksta.Actor{}, func(context.Context, store.Reader) (store.Mutation, error) {
			if tries++; tries <= faults {
				return store.Mutation{}, deadlock
			}
			return store.Mutation{Kind: toksta.ChangeKeyRevoked}, nil
		})
		switch {
		case faults == 1 && (err != nil || c.Seq != 1 || tries != 2):
			t.Errorf("one fault: %v after %d tries, change %d", err, tries, c.Seq)
		case faults > 1 && (!errors.Is(err, deadlock) || tries > 10):
			t.Errorf("a lasting fault: %v after %d tries", err, tries)
		}
	}
}

// postgresCallerGone: a change that is canceled between two statements must release the lock
// of the clock row, which every other change waits for.
func postgresCallerGone(t *testing.T, server *pgtest.Server) {
	url := server.NewDatabase(t)
	s := openPostgres(t, url+"&idle_in_transaction_session_timeout=0")
	for range 50 { // the change and the pool race to notice the cancellation
		ctx, hangUp := context.WithCancel(t.Context())
		_, err := s.Commit(ctx, toksta.Actor{}, func(ctx context.Context, r store.Reader) (store.Mutation, error) {
			_, _ = r.Account(ctx, "acct_x") // takes the lock
			hangUp()
			return store.Mutation{}, errors.New("gone")
		})
		if err == nil {
			t.Fatal("the change of a caller who is gone was made")
		}
	}
	other, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	c, err := openPostgres(t, url).Commit(other, toksta.Actor{}, func(context.Context, store.Reader) (store.Mutation, error) {
		return store.Mutation{Kind: toksta.ChangeKeyRevoked}, nil
	})
	if err != nil || c.Seq != 1 {
		t.Errorf("the next change: %d, %v", c.Seq, err)
	}
}

// postgresManyRows: while a change of very many rows is queued, the server must not time out
// its transaction. On a busy machine that may happen once or twice; the change is repeated.
func postgresManyRows(t *testing.T, server *pgtest.Server) {
	s := openPostgres(t, server.NewDatabase(t)+"&idle_in_transaction_session_timeout=1s")
	m := store.Mutation{Kind: toksta.ChangeAccountCreated}
	for i := range 80_000 {
		m.Accounts = append(m.Accounts, toksta.Account{ID: toksta.AccountID(fmt.Sprint("acct_", i)), Name: "Acme"})
	}
	commit(t, s, m)
}

// postgresSameRows: a change of a key must write only the generations that differ.
func postgresSameRows(t *testing.T, server *pgtest.Server) {
	url := server.NewDatabase(t)
	s := openPostgres(t, url)
	now := time.Now()
	k := toksta.Key{ID: "key_1", AccountID: newAccount(t, s), Name: "old", CreatedAt: now, Generations: []toksta.Generation{
		{Number: 1, Digest: toksta.Digest{1}, CreatedAt: now}, {Number: 2, Digest: toksta.Digest{2}, CreatedAt: now},
	}}
	commit(t, s, store.Mutation{Kind: toksta.ChangeKeyCreated, Keys: []toksta.Key{k}})
	k.Name, k.Generations[0].RevokedAt = "new", now
	commit(t, s, store.Mutation{Kind: toksta.ChangeKeyRotated, Keys: []toksta.Key{k}})
	for row, want := range map[string]int64{
		`number = 1 AND revoked_at > 0 AND ctid = '(0,3)'`: 1, // written again, after the two
		`number = 2 AND revoked_at = 0 AND ctid = '(0,2)'`: 1,
	} {
		if got := server.Exec(t, database(t, url), `SELECT 1 FROM secrets WHERE `+row); got != want {
			t.Errorf("%d rows where %s, want %d", got, row, want)
		}
	}
}

// postgresIdle: a node that lost its idle connections, for example by a restart of the
// database, must not make the next revocation wait for its heartbeat.
func postgresIdle(t *testing.T, server *pgtest.Server) {
	url := server.NewDatabase(t)
	s := openPostgres(t, url)
	n := store.Node{ID: "a", Epoch: "1", Lease: time.Minute}
	if err := s.Register(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	follow := func() error {
		_, err := s.Follow(t.Context(), n, new(everything))
		return err
	}
	ack := func() error { return s.Ack(t.Context(), n) }
	for name, do := range map[string]func() error{"follow": follow, "ack": ack} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
		server.Exec(t, "postgres", `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '`+database(t, url)+`'`)
		if err := do(); err != nil {
			t.Errorf("%s on a lost connection: %v", name, err)
		}
	}
}

// postgresOrigin: after a fail-over or a restore, a node that served the earlier history must
// stop, load everything and register again. Otherwise it would admit calls by the lost part
// of that history.
func postgresOrigin(t *testing.T, server *pgtest.Server) {
	url := server.NewDatabase(t)
	s := openPostgres(t, url)
	n := store.Node{ID: "a", Epoch: "1", Lease: time.Minute}
	renew := func() error {
		_, err := s.Renew(t.Context(), n)
		return err
	}
	join := func(epoch string) error {
		n.Epoch = epoch
		return s.Register(t.Context(), n)
	}
	if err := errors.Join(join("1"), renew()); err != nil {
		t.Fatal(err)
	}
	// A promoted standby has the row of the server before it.
	server.Exec(t, database(t, url), `UPDATE cluster SET origin = 'another server/00000001'`)
	if err := renew(); !errors.Is(err, store.ErrFenced) {
		t.Fatalf("a renewal on another server: %v", err)
	}
	if _, err := s.Follow(t.Context(), n, new(everything)); !errors.Is(err, store.ErrFenced) {
		t.Fatalf("rows of another server's history: %v", err)
	}
	if err := s.Ack(t.Context(), n); !errors.Is(err, store.ErrFenced) {
		t.Fatalf("an ack on another server: %v", err)
	}
	if err := errors.Join(join("2"), renew(), join("3"), renew()); err != nil {
		t.Fatal(err)
	}
	n.Epoch = "2" // the second to come must not change the name again
	if err := renew(); err != nil {
		t.Fatal(err)
	}
	n.Epoch = "1"
	if err := renew(); !errors.Is(err, store.ErrFenced) {
		t.Fatalf("a node of the incarnation before: %v", err)
	}
}

// database returns the name of the database in a URL of pgtest.
func database(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}
