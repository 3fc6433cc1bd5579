package index

import (
	"sync/atomic"
	"unsafe"
)

// slabs is a growing array whose elements never move. A pointer to an element stays
// valid, and growing copies only the list of slabs. Refs start at 1, so that 0 can
// mean none. One writer adds elements; readers need no lock.
type slabs[T any] struct {
	list atomic.Pointer[[]*[slabLen]T]
	used uint32
}

// slabLen is the number of elements of a slab. 1024 entries of 56 bytes fill exactly
// seven pages of the Go allocator (8 KiB), so a slab wastes no memory.
const slabLen = 1 << 10

// at returns the element of a ref.
func (s *slabs[T]) at(ref uint32) *T {
	i := ref - 1
	return &(*s.list.Load())[i/slabLen][i%slabLen]
}

// add returns a zero element, which the caller fills before it publishes the ref.
func (s *slabs[T]) add() (uint32, *T) {
	if s.used%slabLen == 0 {
		extend(&s.list, new([slabLen]T))
	}
	s.used++
	return s.used, s.at(s.used)
}

// extend publishes a longer copy of a list. Readers of the old list hold no ref to
// the new element.
func extend[T any](list *atomic.Pointer[[]T], v T) {
	var old []T
	if p := list.Load(); p != nil {
		old = *p
	}
	grown := append(old[:len(old):len(old)], v)
	list.Store(&grown)
}

// arena stores short strings one after another, without a header or an allocation
// for each. It removes none.
type arena struct {
	blocks atomic.Pointer[[][]byte]
	free   int // free bytes in the last block; used by the writer only
}

// text is the position of a string in an arena. The zero value is the empty string.
type text struct {
	block, offset, length uint16
}

// blockLen is the range of a two-byte offset.
const blockLen = 1 << 16

// add stores a copy of s. Identifiers are much shorter than a block; a longer string
// is truncated.
func (a *arena) add(s string) text {
	s = s[:min(len(s), blockLen-1)]
	if a.free < len(s) {
		extend(&a.blocks, make([]byte, blockLen))
		a.free = blockLen
	}
	if s == "" {
		return text{}
	}
	blocks := *a.blocks.Load()
	at := text{uint16(len(blocks) - 1), uint16(blockLen - a.free), uint16(len(s))}
	copy(blocks[at.block][at.offset:], s)
	a.free -= len(s)
	return at
}

// at returns a string without copying it. This is safe because add writes the bytes
// before it returns the text, and the bytes never change.
func (a *arena) at(t text) string {
	if t.length == 0 {
		return ""
	}
	return unsafe.String(&(*a.blocks.Load())[t.block][t.offset], int(t.length))
}
