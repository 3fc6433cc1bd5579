package sqlstore_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/storetest/sqlitetest"
	"github.com/toksta/toksta/sdk/toksta"
)

// openSQLite opens a new database, which is closed with the test.
func openSQLite(tb testing.TB) store.Store {
	tb.Helper()
	return sqlitetest.Open(tb).Store
}

// counter is a sink that counts rows.
type counter struct{ accounts, grants int }

func (c *counter) PutAccount(toksta.Account) { c.accounts++ }

func (c *counter) PutGrant(toksta.Digest, toksta.AccountID, toksta.Grant) { c.grants++ }

func (c *counter) PutOperatorGrant(toksta.Digest, toksta.OperatorGrant) {}

// batch is the number of keys that an import commits at once.
const batch = 10_000

// importKeys commits n new keys of the account.
func importKeys(tb testing.TB, s store.Store, account toksta.AccountID, n int) {
	tb.Helper()
	shape := toksta.KeyShape{Prefix: "tk_live_"}
	now := time.Now()
	for n > 0 {
		m := store.Mutation{Kind: toksta.ChangeKeysImported, AccountID: account}
		for range min(batch, n) {
			_, g := shape.NewSecret()
			g.Number, g.CreatedAt = 1, now
			m.Keys = append(m.Keys, toksta.Key{
				ID: toksta.KeyID(toksta.NewID(toksta.PrefixKey, now)), AccountID: account, Name: "imported",
				Limits: toksta.Limits{Scopes: []toksta.Family{"data", "job"}}, CreatedAt: now, CreatedBy: "operator",
				Generations: []toksta.Generation{g},
			})
		}
		commit(tb, s, m)
		n -= len(m.Keys)
	}
}

func commit(tb testing.TB, s store.Store, m store.Mutation) {
	tb.Helper()
	decide := func(context.Context, store.Reader) (store.Mutation, error) { return m, nil }
	if _, err := s.Commit(tb.Context(), toksta.Actor{Kind: toksta.ActorOperator}, decide); err != nil {
		tb.Fatal(err)
	}
}

func newAccount(tb testing.TB, s store.Store) toksta.AccountID {
	tb.Helper()
	a := toksta.Account{ID: toksta.AccountID(toksta.NewID(toksta.PrefixAccount, time.Now())), Name: "Acme", Plan: "API_BUILD"}
	commit(tb, s, store.Mutation{Kind: toksta.ChangeAccountCreated, AccountID: a.ID, Accounts: []toksta.Account{a}})
	return a.ID
}

// BenchmarkCommit measures the latency of creating one key.
func BenchmarkCommit(b *testing.B) {
	s := openSQLite(b)
	account := newAccount(b, s)
	for b.Loop() {
		importKeys(b, s, account, 1)
	}
}

// BenchmarkImport measures the rate of new keys in large mutations. The database grows with
// b.N.
func BenchmarkImport(b *testing.B) {
	s := openSQLite(b)
	account := newAccount(b, s)
	importKeys(b, s, account, b.N)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "keys/s")
}

// BenchmarkSnapshot measures a cold start, which reads every key once.
func BenchmarkSnapshot(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := openSQLite(b)
			for range 10 {
				importKeys(b, s, newAccount(b, s), n/10)
			}
			for b.Loop() {
				var c counter
				if _, err := s.Snapshot(b.Context(), &c); err != nil || c.grants != n {
					b.Fatal(c.grants, err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "keys/s")
		})
	}
}

// BenchmarkHeartbeat measures a renewal without changes in a database of many keys.
func BenchmarkHeartbeat(b *testing.B) {
	s := openSQLite(b)
	importKeys(b, s, newAccount(b, s), 50_000)
	node := store.Node{ID: "a", Epoch: "1", Lease: time.Minute}
	if err := s.Register(b.Context(), node); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		seq, err := s.Renew(b.Context(), node)
		if err != nil {
			b.Fatal(err)
		}
		node.Applied = seq
	}
}

// BenchmarkFlush measures 4096 totals of as many keys, in transactions of some totals. The longest
// transaction delays calls on a machine with one core.
func BenchmarkFlush(b *testing.B) {
	const keys = 4096
	for _, size := range []int{64, 128, 256, 512, 4096} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := openSQLite(b)
			totals := make([]store.UsageTotal, keys)
			for i := range totals {
				totals[i].UsageSlot = store.UsageSlot{
					AccountID: toksta.AccountID(fmt.Sprintf("acct_%026d", i%1000)), KeyID: toksta.KeyID(fmt.Sprintf("key_%026d", i)),
					Family: "data", CostKey: "search", Hour: 480_000,
				}
			}
			var longest time.Duration
			for b.Loop() {
				for part := range slices.Chunk(totals, size) {
					for i := range part {
						part[i].Calls++
					}
					from := time.Now()
					if err := s.Flush(b.Context(), store.UsageBatch{Epoch: "e", Totals: part}); err != nil {
						b.Fatal(err)
					}
					longest = max(longest, time.Since(from))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/keys, "ns/total")
			b.ReportMetric(float64(longest.Microseconds())/1000, "longest-ms")
		})
	}
}
