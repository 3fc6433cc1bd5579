package app

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
)

// The collector runs again when the heap has grown by a share of its live objects. Most of a large
// heap is the index, which hardly changes, so a small share saves memory at little cost. With that
// share, a small heap would be collected many times a second, so it grows by a fixed size at least.
const (
	growPercent = 40
	growAtLeast = 64 << 20 // bytes
)

// freeMemory returns the memory that loading the index used to the operating system, and sets how
// far the heap grows between two collections. A GOGC of the operator is kept.
func freeMemory() {
	debug.FreeOSMemory() // collects first, so that the live heap is known
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent(liveHeap()))
	}
}

// gcPercent returns the growth of a heap with so many live bytes, in percent.
func gcPercent(live uint64) int {
	return max(growPercent, int(growAtLeast*100/max(live, 1<<20)))
}

// liveHeap returns the bytes that the last collection found alive.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
