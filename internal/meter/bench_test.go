package meter

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/toksta/toksta/sdk/toksta"
)

func numberedKey(i int) toksta.KeyID {
	return toksta.KeyID(fmt.Sprintf("key_01ARZ3NDEKTSV4RR%010d", i))
}

// noopCounter is the baseline of the benchmark.
type noopCounter struct{}

func (noopCounter) Count(Increment) error { return nil }

// BenchmarkCount measures a call of an existing slot, through an interface as internal/verify calls
// it.
func BenchmarkCount(b *testing.B) {
	e := call(noon())
	e.Agent, e.Addr = "curl/8.5.0", netip.MustParseAddr("203.0.113.7")
	meter := open(b, Config{Sink: &memStore{}})
	for name, counter := range map[string]interface{ Count(Increment) error }{"nothing": noopCounter{}, "meter": meter} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = counter.Count(e)
			}
		})
		b.Run(name+", another second each", func(b *testing.B) {
			b.ReportAllocs()
			for e := e; b.Loop(); {
				e.Now = e.Now.Add(time.Second)
				_ = counter.Count(e)
			}
		})
		b.Run(name+", one key on all cores", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_ = counter.Count(e)
				}
			})
		})
	}
}

// BenchmarkStrict measures Count including its write to the disk, with four concurrent callers per
// core.
func BenchmarkStrict(b *testing.B) {
	m := open(b, Config{Sink: &memStore{}, Strict: true})
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := m.Count(call(noon())); err != nil {
				b.Error(err)
			}
		}
	})
}

// reachableHeap returns the bytes of reachable memory. The second collection frees the content of
// pools.
func reachableHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
