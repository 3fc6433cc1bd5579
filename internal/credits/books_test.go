package credits_test

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
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
	"github.com/toksta/toksta/sdk/toksta"
)

// directLog commits changes and waits for no node.
type directLog struct{ store.Mutator }

func (l directLog) Commit(ctx context.Context, by toksta.Actor, d store.Decide) (toksta.Receipt, error) {
	c, err := l.Mutator.Commit(ctx, by, d)
	if before, ok := errors.AsType[*store.RepeatedError](err); ok {
		c = before.Change
	}
	return toksta.Receipt{Change: c}, err
}

// emptyMeter is the meter of a process without calls. It is the owner's name.
type emptyMeter string

func (m emptyMeter) Owner() string                                            { return string(m) }
func (m emptyMeter) Flush(context.Context) error                              { return nil }
func (m emptyMeter) FlushOf(context.Context, map[toksta.AccountID]bool) error { return nil }

// books is a database with some nodes, under a clock that the test sets.
type books struct {
	nodes  []*credits.Service
	stores []store.Store
	now    func(at time.Time) // sets the database's clock
	number atomic.Int64
}

// opener opens a new database with the given number of nodes; SQLite has one.
type opener func(tb testing.TB, nodes int) *books

// guarantees runs the tests that every engine passes.
func guarantees(t *testing.T, parallel bool, open opener) {
	for _, g := range []struct {
		name string
		test func(*testing.T, opener)
	}{
		{"last credit once", lastCreditOnce},
		{"repeated requests", repeatedRequests},
		{"where credits go", whereCreditsGo},
		{"expiry", expiry},
		{"one account fails", oneAccountFails},
		{"cycle turns", cycleTurns},
		{"purchases", purchases},
		{"requests", requests},
		{"debts", debts},
		{"any order", anyOrder},
		{"all at once", allAtOnce},
		{"calls after requests", callsAfterRequests},
		{"unflushed charges", unflushedCharges},
	} {
		t.Run(g.name, func(t *testing.T) {
			if parallel {
				t.Parallel()
			}
			g.test(t, open)
		})
	}
}

// On SQLite the tests share the clock of the process, so they are sequential.
func TestSQLite(t *testing.T) {
	guarantees(t, false, func(tb testing.TB, _ int) *books {
		b := &books{now: setSQLite}
		b.open(tb, filepath.Join(tb.TempDir(), "toksta.db"))
		b.now(start)
		return b
	})
}

// On PostgreSQL nodes write concurrently, and only the lock of the account's row
// orders them.
func TestPostgres(t *testing.T) {
	server := pgtest.Start(t)
	t.Run("guarantees", func(t *testing.T) {
		guarantees(t, true, func(tb testing.TB, nodes int) *books { return openPostgres(tb, server, nodes) })
	})
}

// start is a time in the middle of a cycle.
var start = time.Date(2027, 11, 17, 10, 30, 0, 0, time.UTC)

// sqliteTime replaces the clock of SQLite in this process.
var sqliteTime = sync.OnceValue(func() *atomic.Int64 {
	var at atomic.Int64
	sqlite.MustRegisterScalarFunction("unixepoch", 1, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		return float64(at.Load()) / 1000, nil
	})
	return &at
})

func setSQLite(at time.Time) { sqliteTime().Store(at.UnixMilli()) }

// openPostgres replaces the clock of the server by one that the test sets.
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
	b.nodes = append(b.nodes, credits.New(credits.Config{
		Log: directLog{s}, Store: s, Balances: credits.NewBalances(), Meter: emptyMeter(fmt.Sprint("owner ", len(b.nodes))), Logger: slog.New(slog.DiscardHandler),
		Catalog: &toksta.Catalog{
			Families: []toksta.FamilyInfo{{Name: "data"}},
			Plans: []toksta.Plan{
				{ID: "PAYG", API: toksta.APIAlways},
				{ID: "BUILD", API: toksta.APIAlways, IncludedCredits: 10},
				{ID: "SCALE", API: toksta.APIAlways, IncludedCredits: 10, OverageMicros: 100},
			},
		},
	}))
}

// node returns the i-th node, modulo their number.
func (b *books) node(i int) *credits.Service { return b.nodes[i%len(b.nodes)] }

// fatal is a test, or one run of a property.
type fatal interface {
	Helper()
	Fatal(args ...any)
}

// account creates an account whose cycles begin on the 31st.
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

// reserving returns a request for n credits with a new idempotency key.
func (b *books) reserving(account toksta.AccountID, n int64) credits.ReserveRequest {
	return credits.ReserveRequest{
		Account: account, Family: "data", CostKey: "job", Credits: n, IdempotencyKey: fmt.Sprint("key ", b.number.Add(1)),
	}
}

// closing returns a request about a reservation with a new idempotency key.
func (b *books) closing(r store.Reservation, n int64) credits.CloseRequest {
	return credits.CloseRequest{
		Account: r.Slot.AccountID, Reservation: r.ID, Credits: n, IdempotencyKey: fmt.Sprint("key ", b.number.Add(1)),
	}
}

// sound fails the test if a balance differs from its entries.
func (b *books) sound(t fatal) {
	t.Helper()
	v, err := b.nodes[0].Verify(context.Background())
	ok(t, err)
	if len(v.Differences) > 0 || v.Accounts == 0 {
		t.Fatal(fmt.Sprint(v))
	}
}
