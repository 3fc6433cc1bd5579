package meter

import (
	"fmt"
	"hash/crc32"
	"sync/atomic"
	"unsafe"

	"github.com/toksta/toksta"
)

// record is one entry of a segment as it lies in the file: the running totals
// of a slot, or a word that slots refer to. A record is in force once check is
// set, which is the last store of its making: a process killed before that has
// answered nothing on its account.
type record struct {
	totals  [totals]atomic.Int64
	check   atomic.Uint32 // CRC-32 of everything behind it
	kind    uint32
	hour    uint32 // Unix hours; the number of a word
	family  uint32 // word numbers, 0 for ""
	costKey uint32
	reason  uint32
	text    [2 * idField]byte // account and key; or the word
}

// A record is two cache lines and never straddles a page, so the kernel writes
// it to the disk in one piece. An id is "acct_" or "key_" and 26 characters.
const (
	recordSize = int(unsafe.Sizeof(record{}))
	checked    = int(unsafe.Offsetof(record{}.kind))
	idField    = 32
	maxWord    = 2*idField - 1
)

// The kinds of records. 0 is what a file is allocated with, so it is none.
const (
	kindTotal uint32 = 1 + iota
	kindWord
)

// The running totals of a slot, by position. They only ever grow: the store
// keeps the greatest it was given, so one that fell would not be seen.
const (
	calls = iota
	credits
	purchased
	overage
	overageMicros
	totals
)

// sum is the checksum of the record's identity; never 0, which is the mark of
// a record not made yet.
func (r *record) sum() uint32 {
	b := unsafe.Slice((*byte)(unsafe.Pointer(r)), recordSize)
	return max(1, crc32.ChecksumIEEE(b[checked:]))
}

// seal puts the record in force.
func (r *record) seal() { r.check.Store(r.sum()) }

// account, key and word are views of the mapping: they end with the segment.
func (r *record) account() []byte { return unpack(r.text[:idField]) }
func (r *record) key() []byte     { return unpack(r.text[idField:]) }
func (r *record) word() []byte    { return unpack(r.text[:]) }

// add counts n calls and a charge. Each part is one atomic add, so a kill in
// between leaves whole numbers of a call that nobody was answered for.
func (r *record) add(n int64, c toksta.Charge) {
	r.bump(calls, n)
	r.bump(credits, c.Credits)
	r.bump(purchased, c.Purchased)
	r.bump(overage, c.Overage)
	r.bump(overageMicros, c.OverageMicros)
}

// bump leaves the parts alone that do not change, which are most.
func (r *record) bump(total int, n int64) {
	if n != 0 {
		r.totals[total].Add(n)
	}
}

// charge reads the totals one by one: while calls are counted they may be from
// different moments. None ever falls, and the next flush has them again.
func (r *record) charge() toksta.Charge {
	return toksta.Charge{
		Credits: r.totals[credits].Load(), Purchased: r.totals[purchased].Load(),
		Overage: r.totals[overage].Load(), OverageMicros: r.totals[overageMicros].Load(),
	}
}

// pack writes s into a field of fixed width: its length, then its bytes. What
// does not fit is an error, for a shortened id could be somebody else's.
func pack(field []byte, s string) error {
	if len(s) >= len(field) {
		return fmt.Errorf("meter: %q is longer than %d bytes", s, len(field)-1)
	}
	field[0] = byte(len(s))
	copy(field[1:], s)
	return nil
}

// unpack returns what pack wrote, and nil for a length that cannot be, which a
// damaged file may hold.
func unpack(field []byte) []byte {
	n := int(field[0])
	if n >= len(field) {
		return nil
	}
	return field[1 : 1+n]
}
