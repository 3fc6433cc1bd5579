package usage_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/credits"
	"github.com/toksta/toksta/internal/meter"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/usage"
	"github.com/toksta/toksta/sdk/toksta"
)

// BenchmarkMonth measures the report of an account with 100 keys that have calls in this hour and
// the last one. The other cases add 10,000 revoked keys with calls last month, of which some also
// have calls this month.
func BenchmarkMonth(b *testing.B) {
	const live = 100
	for _, c := range []struct {
		name             string
		revoked, current int
	}{{"100 keys", 0, 0}, {"10000 revoked", 10_000, 0}, {"10000 revoked, 10 with calls", 10_000, 10}} {
		b.Run(c.name, func(b *testing.B) {
			r := benchReader(b, live, c.revoked, c.current)
			b.ReportAllocs()
			start := cpuTime()
			for b.Loop() {
				report, err := r.Month(b.Context(), ours, "")
				if err != nil {
					b.Fatal(err)
				}
				if len(report.Keys) != live+c.current || report.TotalCalls != int64(2*live+c.current) {
					b.Fatalf("%d keys, %d calls", len(report.Keys), report.TotalCalls)
				}
			}
			b.ReportMetric((cpuTime()-start).Seconds()*1e6/float64(b.N), "cpu-µs/op")
		})
	}
}

// cpuTime returns the processor time of this process, which other programs of a busy machine do not
// change.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchReader returns a reader of an account with live and revoked keys. All of them have a last
// use; the live keys and some revoked ones also have calls this month.
func benchReader(b *testing.B, live, revoked, current int) *usage.Reader {
	db, err := sqlstore.Open(b.Context(), sqlstore.Config{URL: filepath.Join(b.TempDir(), "store.db")})
	if err != nil {
		b.Fatal(err)
	}
	m, err := meter.Open(meter.Config{Dir: b.TempDir(), Sink: db})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := errors.Join(m.Close(), db.Close()); err != nil {
			b.Error(err)
		}
	})
	account := toksta.Account{ID: ours, Name: "Ours", Plan: "API_BUILD", Status: toksta.StatusActive, CreatedAt: today()}
	mutation := store.Mutation{Kind: toksta.ChangeKeysImported, AccountID: ours, Accounts: []toksta.Account{account}}
	count := func(id toksta.KeyID, at time.Time) {
		e := meter.Increment{AccountID: ours, KeyID: id, Family: "data", CostKey: "creator_search", Operation: "searchCreators", Calls: 1, Now: at}
		if err := m.Count(e); err != nil {
			b.Fatal(err)
		}
	}
	for i := range live + revoked {
		id := toksta.KeyID(fmt.Sprintf("key_%026d", i))
		k := toksta.Key{ID: id, AccountID: ours, Name: fmt.Sprintf("Key %d", i), CreatedAt: today()}
		k.Generations = []toksta.Generation{{Digest: sha256.Sum256([]byte(id)), Number: 1, CreatedAt: today()}}
		if i >= live {
			k.RevokedAt = today()
			k.Generations[0].RevokedAt = today()
			count(id, today().AddDate(0, -1, 0))
		}
		mutation.Keys = append(mutation.Keys, k)
		if i < live {
			count(id, today().Add(-time.Hour))
		}
		if i < live+current {
			count(id, today())
		}
	}
	if _, err := db.Commit(b.Context(), toksta.Actor{Kind: toksta.ActorSystem}, func(context.Context, store.Reader) (store.Mutation, error) { return mutation, nil }); err != nil {
		b.Fatal(err)
	}
	if err := m.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	return &usage.Reader{
		Store: db, Catalog: catalog(), Now: today, Kept: usage.Retention{HourlyDays: 62, KeepMonths: 25},
		Refresh: func(ctx context.Context, s *toksta.Standing) error {
			return m.FlushOf(ctx, map[toksta.AccountID]bool{s.Account.ID: true})
		},
		Balance: func(*toksta.Standing, time.Time) credits.Balance { return credits.Balance{} },
	}
}
