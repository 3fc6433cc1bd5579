package index

import "sync/atomic"

// table is an open-addressing hash table of refs, probed linearly. Slots only
// ever go from empty to a ref, or from one ref to another of the same key, so
// a reader needs no lock. Its owner replaces a table that is too full.
type table struct {
	slots []atomic.Uint32 // a power of two of them; 0 is empty
	used  uint32          // the writer's
}

// minSlots spares a small node its first dozen growths.
const minSlots = 1 << 10

func newTable(slots int) *table {
	return &table{slots: make([]atomic.Uint32, max(slots, minSlots))}
}

func (t *table) start(hash uint64) int { return int(hash & uint64(len(t.slots)-1)) }

func (t *table) next(i int) int { return (i + 1) & (len(t.slots) - 1) }

// place writes ref into the first empty slot of its probe sequence.
func (t *table) place(hash uint64, ref uint32) {
	i := t.start(hash)
	for t.slots[i].Load() != 0 {
		i = t.next(i)
	}
	t.slots[i].Store(ref)
	t.used++
}

// insert adds a ref that the table does not hold, into a table of twice the
// size when three quarters are used, so that every probe meets an empty slot.
// Readers see the old table whole or the new one whole; what the old one lacks
// was put after their look-up began.
func insert(p *atomic.Pointer[table], hash uint64, ref uint32, rehash func(uint32) uint64) {
	t := p.Load()
	if int(t.used+1)*4 <= len(t.slots)*3 {
		t.place(hash, ref)
		return
	}
	bigger := newTable(2 * len(t.slots))
	for i := range t.slots {
		if r := t.slots[i].Load(); r != 0 {
			bigger.place(rehash(r), r)
		}
	}
	bigger.place(hash, ref)
	p.Store(bigger)
}
