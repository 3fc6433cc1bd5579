//go:build linux

package changefeed

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/toksta/toksta/internal/store/storetest/pgtest"
)

// processors are the processors of the database and of this process.
type processors struct{ database, nodes unix.CPUSet }

// split reserves the last processor for the database, or none.
func split(b *testing.B, apart bool) processors {
	b.Helper()
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		b.Fatal(err)
	}
	if !apart {
		return processors{all, all}
	}
	if all.Count() < 2 {
		b.Skip("a processor for the database alone needs a second one")
	}
	last := 8*int(unsafe.Sizeof(all)) - 1
	for !all.IsSet(last) {
		last--
	}
	p := processors{nodes: all}
	p.database.Set(last)
	p.nodes.Clear(last)
	confine(b, p.nodes)
	b.Cleanup(func() { confine(b, all) })
	return p
}

// confine moves every thread of this process to the given processors.
func confine(b *testing.B, to unix.CPUSet) {
	b.Helper()
	for moved := true; moved; {
		moved = false
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			b.Fatal(err)
		}
		for _, t := range threads {
			id, _ := strconv.Atoi(t.Name())
			var now unix.CPUSet
			if unix.SchedGetaffinity(id, &now) == nil && now != to {
				moved = unix.SchedSetaffinity(id, &to) == nil || moved
			}
		}
	}
}

// here locks this goroutine to other processors until end is called.
func here(b *testing.B, on, back unix.CPUSet) (end func()) {
	b.Helper()
	runtime.LockOSThread()
	if err := unix.SchedSetaffinity(0, &on); err != nil {
		b.Error(err)
	}
	return func() {
		_ = unix.SchedSetaffinity(0, &back)
		runtime.UnlockOSThread()
	}
}

// server starts a server whose processes stay on the processors of their creation.
func (p processors) server(b *testing.B) *pgtest.Server {
	b.Helper()
	defer here(b, p.database, p.nodes)()
	return pgtest.Start(b)
}

// disk returns a function that measures slow followed by a flush of one block, which
// overwrites existing space from the database's processors, like a commit.
func (p processors) disk(b *testing.B, slow func()) func() time.Duration {
	b.Helper()
	const block = 8 << 10
	file, err := os.Create(filepath.Join(b.TempDir(), "wal"))
	if err != nil {
		b.Fatal(err)
	}
	written := make([]byte, 1<<20)
	if _, err := file.Write(written); err != nil {
		b.Fatal(err)
	}
	ask, took := make(chan int64), make(chan time.Duration)
	go func() {
		defer close(took)
		defer file.Close()
		defer here(b, p.database, p.nodes)()
		for turn := range ask {
			start := time.Now()
			slow()
			written[turn%block]++
			if _, err := file.WriteAt(written[:block], turn%128*block); err != nil {
				b.Error(err)
			}
			if err := syscall.Fdatasync(int(file.Fd())); err != nil {
				b.Error(err)
			}
			took <- time.Since(start)
		}
	}()
	b.Cleanup(func() {
		close(ask)
		<-took
	})
	turn := int64(0)
	return func() time.Duration {
		turn++
		ask <- turn
		return <-took
	}
}
