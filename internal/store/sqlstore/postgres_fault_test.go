package sqlstore_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/toksta"
)

// TestPostgresFaults: if the database ends a connection or a statement in the middle of an
// operation, nothing may be written, no number of the log be used, and the next call must
// succeed.
func TestPostgresFaults(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	for _, at := range interruptions() {
		t.Run("killed in "+at.name+" at "+at.table, func(t *testing.T) {
			t.Parallel()
			interrupt(t, server, at, "")
		})
	}
	for _, at := range interruptions()[:3] {
		t.Run("timed out in "+at.name+" at "+at.table, func(t *testing.T) {
			t.Parallel()
			interrupt(t, server, at, "&statement_timeout=500")
		})
	}
	t.Run("time zone", func(t *testing.T) {
		t.Parallel()
		s := openPostgres(t, server.NewDatabase(t)+"&timezone=Pacific/Kiritimati")
		newAccount(t, s)
		changes, err := s.ListChanges(t.Context(), store.ChangeQuery{})
		if err != nil || len(changes) != 1 || time.Since(changes[0].At).Abs() > time.Minute {
			t.Errorf("in another time zone: %v, %v", changes, err)
		}
	})
}

// disconnectingSink ends all connections of the database when it receives the first row.
type disconnectingSink struct {
	everything
	first toksta.AccountID
	cut   func()
}

func (c *disconnectingSink) PutAccount(a toksta.Account) {
	if a.ID == c.first {
		c.cut()
	}
	c.everything.PutAccount(a)
}

// TestPostgresLostWhileReading: a connection error in the middle of a snapshot must be
// reported as an unavailable database, not as an internal error.
func TestPostgresLostWhileReading(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	url := server.NewDatabase(t)
	s := openPostgres(t, url)
	m := store.Mutation{Kind: toksta.ChangeAccountCreated}
	for i := range 30_000 {
		m.Accounts = append(m.Accounts, toksta.Account{
			ID: toksta.AccountID(fmt.Sprintf("acct_%026d", i)), Name: strings.Repeat("long ", 50),
		})
	}
	commit(t, s, m)
	sink := &disconnectingSink{first: m.Accounts[0].ID, cut: func() {
		server.Exec(t, "postgres", `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '`+database(t, url)+`'`)
	}}
	if _, err := s.Snapshot(t.Context(), sink); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("after %d accounts: %v", len(sink.Accounts), err)
	}
	if len(sink.Accounts) == 0 || len(sink.Accounts) == len(m.Accounts) {
		t.Errorf("%d accounts were read: the connection did not end between rows", len(sink.Accounts))
	}
}

// interruption is an operation and the table at which it is interrupted.
type interruption struct {
	name, table string
	run         func(ctx context.Context, s *sqlstore.Store, account toksta.AccountID) error
}

func interruptions() (all []interruption) {
	node := store.Node{ID: "a", Epoch: "1", Lease: time.Minute}
	add := func(name string, run func(context.Context, *sqlstore.Store, toksta.AccountID) error, tables ...string) {
		for _, table := range tables {
			all = append(all, interruption{name, table, run})
		}
	}
	add("commit", commitEverything, "secrets", "keys", "clock", "changes", "accounts", "members", "invitations")
	add("renew", func(ctx context.Context, s *sqlstore.Store, _ toksta.AccountID) error {
		_, err := s.Renew(ctx, node)
		return err
	}, "nodes", "clock")
	add("follow", func(ctx context.Context, s *sqlstore.Store, _ toksta.AccountID) error {
		_, err := s.Follow(ctx, node, &everything{Grants: map[toksta.Digest]toksta.Grant{}})
		return err
	}, "nodes", "keys", "secrets")
	add("ack", func(ctx context.Context, s *sqlstore.Store, _ toksta.AccountID) error { return s.Ack(ctx, node) }, "nodes")
	add("register", func(ctx context.Context, s *sqlstore.Store, _ toksta.AccountID) error {
		n := node
		n.Epoch = "2"
		return s.Register(ctx, n)
	}, "nodes")
	add("fence", func(ctx context.Context, s *sqlstore.Store, _ toksta.AccountID) error { return s.Fence(ctx, node) }, "nodes")
	add("leave", func(ctx context.Context, s *sqlstore.Store, _ toksta.AccountID) error { return s.Leave(ctx, node) }, "nodes")
	add("flush", func(ctx context.Context, s *sqlstore.Store, account toksta.AccountID) error {
		return s.Flush(ctx, store.UsageBatch{
			Epoch:    "e",
			Totals:   []store.UsageTotal{{UsageSlot: store.UsageSlot{AccountID: account, KeyID: "key_a", Hour: 1}, Calls: 1}},
			LastUses: []store.LastUse{{KeyID: "key_a", AccountID: account}},
		})
	}, "usage", "last_uses")
	add("end sessions", func(ctx context.Context, s *sqlstore.Store, _ toksta.AccountID) error {
		return s.EndSessions(ctx, store.SessionSet{Before: time.Now()})
	}, "sessions")
	return all
}

// commitEverything commits a mutation with a row of each kind.
func commitEverything(ctx context.Context, s *sqlstore.Store, account toksta.AccountID) error {
	_, err := s.Commit(ctx, toksta.Actor{}, store.Once("once", func(context.Context, store.Reader) (store.Mutation, error) {
		return store.Mutation{
			Kind: toksta.ChangeKeysImported, AccountID: account,
			Accounts:    []toksta.Account{{ID: account, Name: "changed"}},
			Members:     []toksta.Member{{ID: "mem_a", Email: "a@x"}},
			Invitations: []store.Invitation{{Code: sha256.Sum256([]byte("code"))}},
			Keys: []toksta.Key{{ID: "key_a", AccountID: account, Generations: []toksta.Generation{
				{Number: 1, Digest: sha256.Sum256([]byte("secret"))},
			}}},
		}, nil
	}))
	return err
}

// interrupt blocks an operation at its table, ends it there, and repeats it. settings are
// added to the URL.
func interrupt(t *testing.T, server *pgtest.Server, at interruption, settings string) {
	address := server.NewDatabase(t)
	s := openPostgres(t, address+settings)
	account := newAccount(t, s)
	if err := s.Register(t.Context(), store.Node{ID: "a", Epoch: "1", Lease: time.Minute}); err != nil {
		t.Fatal(err)
	}
	blocker, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer blocker.Close(context.WithoutCancel(t.Context()))
	if _, err := blocker.Exec(t.Context(), `BEGIN; LOCK TABLE `+at.table+` IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- at.run(t.Context(), s, account) }()
	for failed := false; !failed; {
		select {
		case err := <-done:
			if err == nil {
				t.Fatal("it did not use that table: nothing is tested")
			}
			// If a statement is sent with the commit, the outcome is unknown.
			if settings == "" && !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrUncertain) {
				t.Errorf("the error is neither unavailable nor uncertain: %v", err)
			}
			failed = true
		case <-time.After(20 * time.Millisecond): // each poll costs a connection
			if settings == "" {
				server.Exec(t, database(t, address), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
					WHERE wait_event_type = 'Lock' AND datname = current_database()`)
			}
		}
	}
	if _, err := blocker.Exec(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	var before everything
	before.Grants = map[toksta.Digest]toksta.Grant{}
	seq, err := s.Snapshot(t.Context(), &before)
	if err != nil || seq != 1 || len(before.Grants) != 0 || before.Accounts[0].Name == "changed" {
		t.Fatalf("something was written: change %d, %+v, %v", seq, before, err)
	}
	if err := at.run(t.Context(), s, account); err != nil {
		t.Fatalf("the next attempt: %v", err)
	}
}
