package app

import "testing"

// Guarantee: a heap grows by at least 64 MiB, and a large one by 40 percent, between two
// collections.
func TestGCPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 6400, 16 << 20: 400, 64 << 20: 100, 160 << 20: 40, 1 << 30: 40} {
		if got := gcPercent(live); got != want {
			t.Errorf("%d MiB: %d percent, want %d", live>>20, got, want)
		}
	}
	if freeMemory(); liveHeap() == 0 {
		t.Error("the live heap is not known after a collection")
	}
}
