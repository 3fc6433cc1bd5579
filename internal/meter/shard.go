package meter

import (
	"hash/maphash"
	"sync"

	"github.com/toksta/toksta"
)

const shardBits = 6

// shard is one part of the index from slots to records. A slot has its shard
// for ever, so it can never get two records in one epoch.
type shard struct {
	mu    sync.Mutex
	table []*cell // open addressing, linear probing; a power of two long
	used  int
	_     [64]byte // keeps neighbours off this cache line
}

// cell is the memory side of a record: where it lies, and the last use of its
// key as far as this slot saw it.
type cell struct {
	seg    *segment
	hash   uint32
	number uint32
	shard  uint8
	use    lastUse
}

func (c *cell) record() *record { return &c.seg.records[c.number] }

// holds reports whether the cell's record is the event's slot.
func (c *cell) holds(e *Event, hour uint32) bool {
	r, texts := c.record(), *c.seg.texts.Load()
	return r.hour == hour &&
		string(r.key()) == string(e.KeyID) &&
		texts[r.costKey] == e.CostKey &&
		texts[r.reason] == string(e.Reason) &&
		texts[r.family] == string(e.Family) &&
		string(r.account()) == string(e.AccountID)
}

// hash spreads slots; the family follows from the cost key nearly always, and
// the account from the key.
func (m *Meter) hash(e *Event, hour uint32) uint64 {
	h := maphash.String(m.seed, string(e.KeyID))
	h ^= maphash.String(m.seed, e.CostKey) * 0x9E3779B97F4A7C15
	if e.Reason != "" {
		h += maphash.String(m.seed, string(e.Reason)) * 0xC2B2AE3D27D4EB4F
	}
	h += uint64(hour) * 0x9E3779B97F4A7C15
	return h ^ h>>29
}

// shardOf takes the bits that the place within the table does not come from.
func shardOf(hash uint64) uint8 { return uint8(hash >> (64 - shardBits)) }

// find returns the slot's cell, or nil and the place where it belongs.
func (s *shard) find(e *Event, hour uint32, hash uint64) (*cell, int) {
	short, mask := uint32(hash), len(s.table)-1
	for i := int(short) & mask; ; i = (i + 1) & mask {
		c := s.table[i]
		if c == nil || c.hash == short && c.holds(e, hour) {
			return c, i
		}
	}
}

// grow keeps the table at most three quarters full.
func (s *shard) grow() {
	if 4*(s.used+1) <= 3*len(s.table) {
		return
	}
	old := s.table
	s.table = make([]*cell, max(16, 2*len(old)))
	mask := len(s.table) - 1
	for _, c := range old {
		if c == nil {
			continue
		}
		i := int(c.hash) & mask
		for s.table[i] != nil {
			i = (i + 1) & mask
		}
		s.table[i] = c
	}
}

// place makes the record of a new slot. The caller holds the slot's shard.
func (m *Meter) place(e *Event, hour uint32, hash uint64) (*cell, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current == nil || !m.current.room() {
		if err := m.extend(); err != nil {
			return nil, err
		}
	}
	s := m.current
	family, err := s.word(string(e.Family))
	if err != nil {
		return nil, err
	}
	costKey, err := s.word(e.CostKey)
	if err != nil {
		return nil, err
	}
	reason, err := s.word(string(e.Reason))
	if err != nil {
		return nil, err
	}
	r := &s.records[s.next]
	if err := packIDs(r, e.AccountID, e.KeyID); err != nil {
		return nil, err
	}
	r.kind, r.hour, r.family, r.costKey, r.reason = kindTotal, hour, family, costKey, reason
	r.seal()
	c := &s.cells[s.next]
	c.seg, c.number, c.hash, c.shard = s, uint32(s.next), uint32(hash), shardOf(hash)
	s.next++
	return c, nil
}

func packIDs(r *record, account toksta.AccountID, key toksta.KeyID) error {
	if err := pack(r.text[:idField], string(account)); err != nil {
		return err
	}
	return pack(r.text[idField:], string(key))
}
