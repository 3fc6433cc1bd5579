//go:build linux

package changefeed

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/sdk/toksta"
)

// BenchmarkRevoke measures the latency of a revoke on PostgreSQL, in turns with its
// parts: a disk flush, and a NOTIFY to which another connection responds with a
// NOTIFY. Nodes, caller and database run on this machine. Either they share all
// processors, or the database has one and the others have the rest, as if the
// database had its own machine. The number of nodes shows the cost of a node, and
// bare nodes show the cost of the round trips alone. The disk of the machine may be
// faster than a round trip to the database, so there is a slower one as well.
func BenchmarkRevoke(b *testing.B) {
	for _, processors := range []string{"apart", "shared"} {
		apart := processors == "apart"
		b.Run("processors="+processors, func(b *testing.B) {
			for nodes := 1; nodes <= 3; nodes++ {
				b.Run(fmt.Sprintf("disk=own/nodes=%d", nodes), func(b *testing.B) {
					benchmarkRevoke(b, split(b, apart), nodes, func() {})
				})
			}
			b.Run("disk=slow/nodes=3", func(b *testing.B) {
				b.Setenv("LD_PRELOAD", slowDisk(b))
				benchmarkRevoke(b, split(b, apart), 3, func() {
					<-time.After(time.Duration(min(800e3*math.Pow(1-rand.Float64(), -0.45), 20e6)))
				})
			})
		})
	}
}

// slowDisk builds the library that slows the server's disk down.
func slowDisk(b *testing.B) string {
	b.Helper()
	folder, err := os.MkdirTemp("", "toksta-slowdisk-") // readable by the server's user
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(folder) })
	library := filepath.Join(folder, "slowdisk.so")
	out, err := exec.Command("gcc", "-O2", "-shared", "-fPIC", "-o", library, "testdata/slowdisk.c", "-lm", "-ldl").CombinedOutput()
	if err == nil {
		err = os.Chmod(folder, 0o755)
	}
	if err != nil {
		b.Skipf("no slow disk without a C compiler (apt-get install -y gcc libc6-dev): %v\n%s", err, out)
	}
	return library
}

func benchmarkRevoke(b *testing.B, on processors, count int, slow func()) {
	server, disk := on.server(b), on.disk(b, slow)
	database, bare := server.NewDatabase(b), newBare(b, server.NewDatabase(b), count)
	nodes := make([]node, count)
	for i := range nodes {
		nodes[i] = startNode(b, Config{Store: openPostgres(b, database), Node: fmt.Sprint(i)})
		defer nodes[i].stop()
	}
	bell := newEcho(b, database)
	var revokes, waits, syncs, rings, bares []time.Duration
	for i := 0; b.Loop(); i++ {
		bares = append(bares, bare()) // first, because its acknowledgements reach the disk later
		k := newKey(time.Now(), fmt.Sprint("key ", i))
		one, other := nodes[i%count], nodes[(i+1)%count]
		atRest(b, one, mustCommit(b, one, create(k)).Change.Seq)
		rings, syncs = append(rings, bell()), append(syncs, disk())
		start := time.Now()
		r := mustCommit(b, other, revokeRead(k, start))
		revokes, waits = append(revokes, time.Since(start)), append(waits, r.Took)
	}
	for _, of := range []struct {
		name  string
		times []time.Duration
	}{{"revoke", revokes}, {"wait", waits}, {"fsync", syncs}, {"ring", rings}, {"bare", bares}} {
		slices.Sort(of.times)
		for name, share := range map[string]int{"p50": 50, "p99": 99} {
			b.ReportMetric(ms(of.times[len(of.times)*share/100]), of.name+"-"+name+"-ms")
		}
	}
	at := func(times []time.Duration, share int) time.Duration { return times[len(times)*share/100] }
	bound := ms(at(syncs, 50) + 2*at(rings, 50) + time.Millisecond)
	b.ReportMetric(ms(at(revokes, 50))/bound, "p50/bound")
	b.ReportMetric(ms(at(bares, 50))/bound, "bare/bound")
	b.ReportMetric(ms(at(revokes, 99))/ms(2*at(syncs, 99)), "p99/bound")
}

// revokeRead revokes the key as it is stored, like a customer's revoke.
func revokeRead(k toksta.Key, now time.Time) store.Decide {
	return func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		stored, err := r.Key(ctx, k.AccountID, k.ID)
		if err != nil {
			return store.Mutation{}, err
		}
		return revoke(stored, now)(ctx, r)
	}
}

// atRest waits until every node has acknowledged the change, so that no work of it
// is left.
func atRest(b *testing.B, n node, seq int64) {
	b.Helper()
	for {
		nodes, err := n.Nodes(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if !slices.ContainsFunc(nodes, func(n store.Node) bool { return n.Applied < seq }) {
			return
		}
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func timed(do func()) time.Duration {
	start := time.Now()
	do()
	return time.Since(start)
}

func openPostgres(b *testing.B, url string) store.Store {
	b.Helper()
	s, err := sqlstore.Open(b.Context(), sqlstore.Config{URL: url})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// newEcho returns a function that measures a NOTIFY to another connection and its
// response. The two connections listen only during the measurement, because the
// server wakes every listener of a database for every notification.
func newEcho(b *testing.B, url string) func() time.Duration {
	b.Helper()
	ctx := b.Context()
	connect := func() *pgx.Conn {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close(context.WithoutCancel(ctx)) })
		return conn
	}
	near, far := connect(), connect()
	do := func(conn *pgx.Conn, statement string) {
		if _, err := conn.Exec(ctx, statement); err != nil {
			b.Error(err)
		}
	}
	receive := func(conn *pgx.Conn) {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			b.Error(err)
		}
	}
	return func() time.Duration {
		do(near, "LISTEN near")
		do(far, "LISTEN far")
		responded := make(chan struct{})
		go func() {
			defer close(responded)
			receive(far)
			do(far, "NOTIFY near")
		}()
		took := timed(func() {
			do(near, "NOTIFY far")
			receive(near)
		})
		<-responded
		do(near, "UNLISTEN *")
		do(far, "UNLISTEN *")
		return took
	}
}
