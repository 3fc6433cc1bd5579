package index

import (
	"sync/atomic"
	"unsafe"
)

// slabs is a growing array whose elements never move, so that a pointer to one
// stays good and growing copies only the list of slabs. Refs count from 1, so
// that 0 can mean none; four bytes reach four billion elements. One writer
// adds; readers need no lock.
type slabs[T any] struct {
	list atomic.Pointer[[]*[slabLen]T]
	used uint32
}

// slabLen makes a slab of entries exactly seven pages: nothing is wasted.
const slabLen = 1 << 10

// at returns the element of a ref that add returned.
func (s *slabs[T]) at(ref uint32) *T {
	i := ref - 1
	return &(*s.list.Load())[i/slabLen][i%slabLen]
}

// add returns a zero element for the caller to fill before publishing its ref.
func (s *slabs[T]) add() (uint32, *T) {
	if s.used%slabLen == 0 {
		extend(&s.list, new([slabLen]T))
	}
	s.used++
	return s.used, s.at(s.used)
}

// extend publishes a longer copy of a list, which readers of the old one
// never miss: they hold no ref into what is new.
func extend[T any](list *atomic.Pointer[[]T], v T) {
	var old []T
	if p := list.Load(); p != nil {
		old = *p
	}
	grown := append(old[:len(old):len(old)], v)
	list.Store(&grown)
}

// arena keeps short strings packed end to end, without a header or an
// allocation for each. What is in it stays.
type arena struct {
	blocks atomic.Pointer[[][]byte]
	free   int // bytes of the last block; the writer's
}

// text is a string in an arena; the zero value is the empty one.
type text struct {
	block, offset, length uint16
}

// blockLen is as far as an offset of two bytes reaches.
const blockLen = 1 << 16

// add keeps a copy of s, which is an identifier and so far shorter than a
// block; anything longer is cut.
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

// at returns the string without copying it. That is sound because add writes
// its bytes before anyone holds the text, and nobody writes them again.
func (a *arena) at(t text) string {
	if t.length == 0 {
		return ""
	}
	return unsafe.String(&(*a.blocks.Load())[t.block][t.offset], int(t.length))
}
