package meter

import (
	"iter"
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

// batches removes all records and returns their numbers in batches of limit, rounded up to a
// multiple of 64. It returns each record at most once, so that it ends while calls add records. The
// caller must flush the records or add them again.
func (r *recordSet) batches(limit int) iter.Seq[[]uint32] { return r.batchesIn(0, len(r), limit) }

// batchesIn is batches for the records of the words from first to end, which is not included. A
// word has 64 records.
func (r *recordSet) batchesIn(first, end, limit int) iter.Seq[[]uint32] {
	return func(yield func([]uint32) bool) {
		var out []uint32
		for i := first; i < end; i++ {
			for w := r[i].Swap(0); w != 0; w &= w - 1 {
				out = append(out, uint32(i*64+bits.TrailingZeros64(w)))
			}
			if len(out) >= limit || len(out) > 0 && i == end-1 {
				if !yield(out) {
					return
				}
				out = nil
			}
		}
	}
}

// len returns the number of records.
func (r *recordSet) len() (n int) {
	for i := range r {
		n += bits.OnesCount64(r[i].Load())
	}
	return n
}
