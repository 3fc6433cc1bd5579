package ledger_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/ledger"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/toksta"
)

// straight is the log of a node that waits for nobody.
type straight struct{ store.Mutator }

func (l straight) Commit(ctx context.Context, by toksta.Actor, d store.Decide) (toksta.Receipt, error) {
	c, err := l.Mutator.Commit(ctx, by, d)
	if before, ok := errors.AsType[*store.RepeatedError](err); ok {
		c = before.Change
	}
	return toksta.Receipt{Change: c}, err
}

// books is a database with some nodes on it, under a clock that the test sets.
type books struct {
	nodes  []*ledger.Service
	stores []store.Store
	now    func(at time.Time) // sets the database's clock
	number atomic.Int64
}

// opener opens a database of its own with so many nodes, or one on SQLite.
type opener func(tb testing.TB, nodes int) *books

// guarantees hold on every engine.
func guarantees(t *testing.T, parallel bool, open opener) {
	for _, g := range []struct {
		name string
		test func(*testing.T, opener)
	}{
		{"last credit once", lastCreditOnce},
		{"repeated requests", repeatedRequests},
		{"where credits go", whereCreditsGo},
		{"forgotten", forgotten},
		{"one is faulty", oneIsFaulty},
		{"cycle turns", cycleTurns},
		{"purchases", purchases},
		{"requests", requests},
		{"debts", debts},
		{"any order", anyOrder},
		{"all at once", allAtOnce},
	} {
		t.Run(g.name, func(t *testing.T) {
			if parallel {
				t.Parallel()
			}
			g.test(t, open)
		})
	}
}

// On SQLite the tests share the process's clock, so they come one by one.
func TestSQLite(t *testing.T) {
	guarantees(t, false, func(tb testing.TB, _ int) *books {
		b := &books{now: setSQLite}
		b.open(tb, filepath.Join(tb.TempDir(), "toksta.db"))
		b.now(start)
		return b
	})
}

// On PostgreSQL nodes write at once, and only the account's row orders them.
func TestPostgres(t *testing.T) {
	server := pgtest.Start(t)
	t.Run("guarantees", func(t *testing.T) {
		guarantees(t, true, func(tb testing.TB, nodes int) *books { return openPostgres(tb, server, nodes) })
	})
}

// start is any time in the middle of a cycle.
var start = time.Date(2027, 11, 17, 10, 30, 0, 0, time.UTC)

// sqliteTime is what SQLite's own clock function says in this process.
var sqliteTime = sync.OnceValue(func() *atomic.Int64 {
	var at atomic.Int64
	sqlite.MustRegisterScalarFunction("unixepoch", 1, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		return float64(at.Load()) / 1000, nil
	})
	return &at
})

func setSQLite(at time.Time) { sqliteTime().Store(at.UnixMilli()) }

// openPostgres puts a clock of the test's own before the server's.
func openPostgres(tb testing.TB, server *pgtest.Server, nodes int) *books {
	address := server.NewDatabase(tb)
	db, err := sql.Open("pgx", address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	db.SetMaxIdleConns(1)
	exec := func(statement string) {
		if _, err := db.ExecContext(context.WithoutCancel(tb.Context()), statement); err != nil {
			tb.Error(err)
		}
	}
	exec(`CREATE SCHEMA test`)
	exec(`CREATE TABLE test.now (at TIMESTAMPTZ)`)
	exec(`INSERT INTO test.now VALUES (now())`)
	exec(`CREATE FUNCTION test.clock_timestamp() RETURNS TIMESTAMPTZ LANGUAGE SQL VOLATILE AS 'SELECT at FROM test.now'`)
	b := &books{now: func(at time.Time) {
		exec(fmt.Sprintf(`UPDATE test.now SET at = '%s'`, at.Format(time.RFC3339Nano)))
	}}
	b.now(start)
	for range nodes {
		b.open(tb, address+"&search_path=public,test,pg_catalog")
	}
	return b
}

func (b *books) open(tb testing.TB, url string) {
	tb.Helper()
	sqliteTime()
	s, err := sqlstore.Open(tb.Context(), sqlstore.Config{URL: url})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	b.stores = append(b.stores, s)
	b.nodes = append(b.nodes, &ledger.Service{
		Log: straight{s}, Store: s, Book: credits.New(), Owner: fmt.Sprint("owner ", len(b.nodes)), Flush: func(context.Context) error { return nil }, Logger: slog.New(slog.DiscardHandler),
		Catalog: &toksta.Catalog{
			Families: []toksta.FamilyInfo{{Name: "data"}},
			Plans: []toksta.Plan{
				{ID: "PAYG", API: toksta.APIAlways},
				{ID: "BUILD", API: toksta.APIAlways, IncludedCredits: 10},
				{ID: "SCALE", API: toksta.APIAlways, IncludedCredits: 10, OverageMicros: 100},
			},
		},
	})
}

// node is the i-th, or any where there are fewer.
func (b *books) node(i int) *ledger.Service { return b.nodes[i%len(b.nodes)] }

// fatal is a test, or one try of a property.
type fatal interface {
	Helper()
	Fatal(args ...any)
}

// account makes one, anchored on the 31st.
func (b *books) account(t fatal, plan toksta.PlanID, e toksta.Entitlements) toksta.AccountID {
	t.Helper()
	a := toksta.Account{
		ID: toksta.AccountID(fmt.Sprintf("acct_%06d", b.number.Add(1))), Name: "a", Plan: plan, Status: toksta.StatusActive,
		Cadence: "annual", CycleAnchor: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC), Entitlements: e,
	}
	_, err := b.stores[0].Commit(context.Background(), operator, func(context.Context, store.Reader) (store.Mutation, error) {
		return store.Mutation{Kind: toksta.ChangeAccountCreated, AccountID: a.ID, Accounts: []toksta.Account{a}}, nil
	})
	ok(t, err)
	return a.ID
}

var operator = toksta.Actor{Kind: toksta.ActorOperator, Name: "ops"}

func ok(t fatal, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// reserving is a request of n credits that nobody has made before.
func (b *books) reserving(account toksta.AccountID, n int64) ledger.ReserveRequest {
	return ledger.ReserveRequest{
		Account: account, Family: "data", CostKey: "job", Credits: n, IdempotencyKey: fmt.Sprint("key ", b.number.Add(1)),
	}
}

// closing is one about a reservation.
func (b *books) closing(r store.Reservation, n int64) ledger.CloseRequest {
	return ledger.CloseRequest{
		Account: r.Slot.AccountID, Reservation: r.ID, Credits: n, IdempotencyKey: fmt.Sprint("key ", b.number.Add(1)),
	}
}

// sound fails the test on any difference between the books and their entries.
func (b *books) sound(t fatal) {
	t.Helper()
	v, err := b.nodes[0].Verify(context.Background())
	ok(t, err)
	if len(v.Differences) > 0 || v.Accounts == 0 {
		t.Fatal(fmt.Sprint(v))
	}
}
