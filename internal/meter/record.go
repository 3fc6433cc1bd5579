package meter

import (
	"fmt"
	"hash/crc32"
	"sync/atomic"
	"unsafe"

	"github.com/toksta/toksta/sdk/toksta"
)

// record is one entry of a segment, in the layout of the file: the running totals of a slot, or a
// word. A word is a string (family, cost key or reason) that is stored once for each segment; slots
// refer to it by number. A record is complete once check is set, which is the last store of its
// creation. If a process is killed before that, no call of the record got a response.
type record struct {
	totals  [totals]atomic.Int64
	check   atomic.Uint32 // CRC-32 of the fields below
	kind    uint32
	hour    uint32 // Unix hours; of a word: its number
	family  uint32 // word numbers, 0 for ""
	costKey uint32
	reason  uint32
	text    [2 * idField]byte // account and key; or the word
}

// A record occupies two cache lines and never crosses a page boundary, so the kernel writes it to
// the disk in one piece. An id is "acct_" or "key_" and 26 characters.
const (
	recordSize    = int(unsafe.Sizeof(record{}))
	checksumStart = int(unsafe.Offsetof(record{}.kind))
	idField       = 32
	maxWord       = 2*idField - 1
)

// The kinds of records. A file is allocated with zeros, so 0 is not a kind.
const (
	kindTotal uint32 = 1 + iota
	kindWord
)

// The running totals of a slot, by position. They never decrease: the store keeps the greatest
// value, so a decrease would be ignored.
const (
	calls = iota
	credits
	purchased
	overage
	overageMicros
	totals
)

// checksum returns the checksum of the record's identity. It is never 0, the mark of an incomplete
// record.
func (r *record) checksum() uint32 {
	b := unsafe.Slice((*byte)(unsafe.Pointer(r)), recordSize)
	return max(1, crc32.ChecksumIEEE(b[checksumStart:]))
}

// complete sets the checksum, which makes the record complete.
func (r *record) complete() { r.check.Store(r.checksum()) }

// account, key and word return views of the mapping, which are valid until the segment is closed.
func (r *record) account() []byte { return unpack(r.text[:idField]) }
func (r *record) key() []byte     { return unpack(r.text[idField:]) }
func (r *record) word() []byte    { return unpack(r.text[:]) }

// add counts n calls and a charge. Each part is one atomic addition. If the process is killed
// between two additions, the totals are incomplete only for a call that got no response.
func (r *record) add(n int64, c toksta.Charge) {
	r.addTotal(calls, n)
	r.addTotal(credits, c.Credits)
	r.addTotal(purchased, c.Purchased)
	r.addTotal(overage, c.Overage)
	r.addTotal(overageMicros, c.OverageMicros)
}

// addTotal skips a total that does not change, which is the usual case.
func (r *record) addTotal(total int, n int64) {
	if n != 0 {
		r.totals[total].Add(n)
	}
}

// charge reads the totals one by one, so concurrent calls may be included in part. Totals never
// decrease, and the next flush sends the rest.
func (r *record) charge() toksta.Charge {
	return toksta.Charge{
		Credits: r.totals[credits].Load(), Purchased: r.totals[purchased].Load(),
		Overage: r.totals[overage].Load(), OverageMicros: r.totals[overageMicros].Load(),
	}
}

// pack writes s into a field of fixed width: its length, then its bytes. A string that does not fit
// is an error, because a shortened id could be the id of another account.
func pack(field []byte, s string) error {
	if len(s) >= len(field) {
		return fmt.Errorf("meter: %q is longer than %d bytes", s, len(field)-1)
	}
	field[0] = byte(len(s))
	copy(field[1:], s)
	return nil
}

// unpack returns the string written by pack, or nil if the length is invalid, as in a damaged file.
func unpack(field []byte) []byte {
	n := int(field[0])
	if n >= len(field) {
		return nil
	}
	return field[1 : 1+n]
}
