package changefeed

import (
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

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
)

// BenchmarkRevoke is what a revoke over three nodes on PostgreSQL costs its
// caller, beside what it is made of, in turns: a write that reaches the disk,
// and a NOTIFY that is answered by a NOTIFY. The disk of this machine may be
// faster than a way to the database and back, so there is a slower one as well.
func BenchmarkRevoke(b *testing.B) {
	b.Run("disk=own", func(b *testing.B) { benchmarkRevoke(b, newDisk(b)) })
	b.Run("disk=slow", func(b *testing.B) {
		b.Setenv("LD_PRELOAD", slowDisk(b))
		write := newDisk(b)
		benchmarkRevoke(b, func() {
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

func benchmarkRevoke(b *testing.B, disk func()) {
	database := pgtest.Start(b).NewDatabase(b)
	var nodes []node
	for _, name := range []string{"a", "b", "c"} {
		s := openPostgres(b, database)
		n := startNode(b, Config{Store: s, Node: name})
		defer n.stop()
		nodes = append(nodes, n)
	}
	bell := newEcho(b, database)
	var revokes, waits, syncs, rings []time.Duration
	for i := 0; b.Loop(); i++ {
		k := newKey(time.Now(), fmt.Sprint("key ", i))
		mustCommit(b, nodes[i%3], create(k))
		syncs = append(syncs, timed(disk))
		rings = append(rings, timed(bell))
		start := time.Now()
		r := mustCommit(b, nodes[(i+1)%3], revoke(k, start))
		revokes, waits = append(revokes, time.Since(start)), append(waits, r.Took)
	}
	for _, of := range []struct {
		name  string
		times []time.Duration
	}{{"revoke", revokes}, {"wait", waits}, {"fsync", syncs}, {"ring", rings}} {
		slices.Sort(of.times)
		for name, share := range map[string]int{"p50": 50, "p99": 99} {
			b.ReportMetric(ms(of.times[len(of.times)*share/100]), of.name+"-"+name+"-ms")
		}
	}
	at := func(times []time.Duration, share int) time.Duration { return times[len(times)*share/100] }
	b.ReportMetric(ms(at(revokes, 50))/ms(at(syncs, 50)+2*at(rings, 50)+time.Millisecond), "p50/bound")
	b.ReportMetric(ms(at(revokes, 99))/ms(2*at(syncs, 99)), "p99/bound")
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

// newEcho returns a NOTIFY that another connection hears and answers by one.
func newEcho(b *testing.B, url string) func() {
	b.Helper()
	connect := func(channel string) *pgx.Conn {
		conn, err := pgx.Connect(b.Context(), url)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := conn.Exec(b.Context(), "LISTEN "+channel); err != nil {
			b.Fatal(err)
		}
		return conn
	}
	near, far := connect("near"), connect("far")
	ctx := b.Context()
	go func() {
		defer far.Close(ctx)
		for {
			if _, err := far.WaitForNotification(ctx); err != nil {
				return
			}
			if _, err := far.Exec(ctx, "NOTIFY near"); err != nil {
				return
			}
		}
	}()
	return func() {
		if _, err := near.Exec(ctx, "NOTIFY far"); err != nil {
			b.Fatal(err)
		}
		if _, err := near.WaitForNotification(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
