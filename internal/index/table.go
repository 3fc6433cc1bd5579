package index

import "sync/atomic"

// table is an open-addressing hash table of refs with linear probing. A slot changes
// only from empty to a ref, or from one ref to another ref of the same key, so
// readers need no lock. A table that is too full is replaced by its owner.
type table struct {
	slots []atomic.Uint32 // length is a power of two; 0 is empty
	used  uint32          // used by the writer only
}

// minSlots is the size of a new table: a small index does not have to grow often.
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

// insert adds a ref that the table does not contain. If three quarters of the slots
// are used, it replaces the table by one of twice the size, so that every probe
// sequence ends at an empty slot. A reader uses either the old or the new table; an
// element missing in the old table was added after the look-up began.
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
