package meter

import (
	"math/bits"
	"sync/atomic"
)

// recordSet is a set of record numbers of a segment. It is safe for concurrent use.
type recordSet [perSegment / 64]atomic.Uint64

// add adds a record. For the set of dirty records it must be called after the addition to the
// record: a flush that takes the number either sees the addition, or the number is added again.
func (r *recordSet) add(n uint32) {
	w, bit := &r[n/64], uint64(1)<<(n%64)
	if w.Load()&bit == 0 {
		w.Or(bit)
	}
}

// take removes records, up to limit rounded up to a multiple of 64, and returns their numbers. The
// caller must flush the records or add them again.
func (r *recordSet) take(limit int) []uint32 {
	var out []uint32
	for i := range r {
		if len(out) >= limit {
			break
		}
		for w := r[i].Swap(0); w != 0; w &= w - 1 {
			out = append(out, uint32(i*64+bits.TrailingZeros64(w)))
		}
	}
	return out
}
