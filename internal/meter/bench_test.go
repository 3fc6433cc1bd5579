package meter

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/toksta/toksta"
)

func numberedKey(i int) toksta.KeyID {
	return toksta.KeyID(fmt.Sprintf("key_01ARZ3NDEKTSV4RR%010d", i))
}

// nothing is what counting is measured against.
type nothing struct{}

func (nothing) Count(Event) error { return nil }

// BenchmarkCount measures one more call of a known slot, through an interface
// as verification calls it.
func BenchmarkCount(b *testing.B) {
	e := call(noon())
	e.Agent, e.Addr = "curl/8.5.0", netip.MustParseAddr("203.0.113.7")
	meter := open(b, Config{Sink: &ledger{}})
	for name, counter := range map[string]interface{ Count(Event) error }{"nothing": nothing{}, "meter": meter} {
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

// BenchmarkStrict measures Count with its write to the disk, four at a time.
func BenchmarkStrict(b *testing.B) {
	m := open(b, Config{Sink: &ledger{}, Strict: true})
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := m.Count(call(noon())); err != nil {
				b.Error(err)
			}
		}
	})
}

// heap is what is reachable. What pools hold goes with the second collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
