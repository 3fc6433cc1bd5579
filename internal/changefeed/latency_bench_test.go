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
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
)

// BenchmarkRevoke is what a revoke on PostgreSQL costs its caller, beside what
// it is made of, in turns: a write that reaches the disk, and a NOTIFY that is
// answered by a NOTIFY. Nodes, database and caller share the processors of this
// machine: what a node costs there shows in their number, and what must be paid
// whoever does the work shows in bare nodes. The machine's disk may be faster than
// a way to the database and back, so there is a slower one as well.
func BenchmarkRevoke(b *testing.B) {
	for nodes := 1; nodes <= 3; nodes++ {
		b.Run(fmt.Sprintf("disk=own/nodes=%d", nodes), func(b *testing.B) { benchmarkRevoke(b, nodes, newDisk(b)) })
	}
	b.Run("disk=slow/nodes=3", func(b *testing.B) {
		b.Setenv("LD_PRELOAD", slowDisk(b))
		write := newDisk(b)
		benchmarkRevoke(b, 3, func() {
			slow := unix.NsecToTimespec(int64(min(800e3*math.Pow(1-rand.Float64(), -0.45), 20e6)))
			_ = unix.Nanosleep(&slow, nil)
			write()
		})
	})
}

// slowDisk builds what makes a server's disk slow.
func slowDisk(b *testing.B) string {
	b.Helper()
	folder, err := os.MkdirTemp("", "toksta-slowdisk-") // for the server's own user to read
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

func benchmarkRevoke(b *testing.B, count int, disk func()) {
	server := pgtest.Start(b)
	database, bare := server.NewDatabase(b), newBare(b, server.NewDatabase(b), count)
	nodes := make([]node, count)
	for i := range nodes {
		nodes[i] = startNode(b, Config{Store: openPostgres(b, database), Node: fmt.Sprint(i)})
		defer nodes[i].stop()
	}
	bell := newEcho(b, database)
	var revokes, waits, syncs, rings, bares []time.Duration
	for i := 0; b.Loop(); i++ {
		k := newKey(time.Now(), fmt.Sprint("key ", i))
		one, other := nodes[i%count], nodes[(i+1)%count]
		atRest(b, one, mustCommit(b, one, create(k)).Change.Seq)
		syncs = append(syncs, timed(disk))
		rings, bares = append(rings, bell()), append(bares, bare())
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

// revokeRead decides on what is stored, as every revoke of a customer does.
func revokeRead(k toksta.Key, now time.Time) store.Decide {
	return func(ctx context.Context, r store.Reader) (store.Mutation, error) {
		stored, err := r.Key(ctx, k.AccountID, k.ID)
		if err != nil {
			return store.Mutation{}, err
		}
		return revoke(stored, now)(ctx, r)
	}
}

// atRest waits until every node has told that it knows the change: nothing of it
// is under way any more.
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

// newDisk returns a write of one block that has reached the disk, at a place
// that exists, as a commit's does.
func newDisk(b *testing.B) func() {
	b.Helper()
	const block = 8 << 10
	file, err := os.Create(filepath.Join(b.TempDir(), "wal"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = file.Close() })
	written := make([]byte, 1<<20)
	if _, err := file.Write(written); err != nil {
		b.Fatal(err)
	}
	turn := int64(0)
	return func() {
		turn++
		written[turn%block]++
		if _, err := file.WriteAt(written[:block], turn%128*block); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(file.Fd())); err != nil {
			b.Fatal(err)
		}
	}
}

// newEcho returns how long a NOTIFY takes that another connection hears and
// answers by one. The two listen for that time only: the server wakes whoever
// listens in a database for every notification there.
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
	hear := func(conn *pgx.Conn) {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			b.Error(err)
		}
	}
	return func() time.Duration {
		do(near, "LISTEN near")
		do(far, "LISTEN far")
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			hear(far)
			do(far, "NOTIFY near")
		}()
		took := timed(func() {
			do(near, "NOTIFY far")
			hear(near)
		})
		<-answered
		do(near, "UNLISTEN *")
		do(far, "UNLISTEN *")
		return took
	}
}
