package meter

import (
	"hash/maphash"
	"sync"

	"github.com/toksta/toksta"
)

// A hash's low bits choose the shard, the others the place in its table.
const (
	shardBits = 6
	shards    = 1 << shardBits
)

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
	use    lastUse
}

// record may be called for as long as the cell's segment is not sealed.
func (c *cell) record() *record { return &c.seg.records[c.number] }

// holds reports whether the cell's record is the event's slot. The key is most
// likely to differ; the words are mostly the same string in memory, which is
// compared by its address.
func (c *cell) holds(e *Event, hour uint32) bool {
	r, texts := c.record(), *c.seg.texts.Load()
	return r.hour == hour &&
		string(r.key()) == string(e.KeyID) &&
		texts[r.costKey] == e.CostKey &&
		texts[r.reason] == string(e.Reason) &&
		texts[r.family] == string(e.Family) &&
		string(r.account()) == string(e.AccountID)
}

// hash spreads slots. It leaves out what follows from the rest nearly always:
// the family from the cost key, the account from the key. The seed is random,
// so no caller can choose what collides.
func (m *Meter) hash(e *Event, hour uint32) uint32 {
	h := maphash.String(m.seed, string(e.KeyID))
	h ^= maphash.String(m.seed, e.CostKey) * 0x9E3779B97F4A7C15
	if e.Reason != "" {
		h += maphash.String(m.seed, string(e.Reason)) * 0xC2B2AE3D27D4EB4F
	}
	h += uint64(hour) * 0x9E3779B97F4A7C15
	return uint32(h ^ h>>32)
}

// shard returns the one shard of all slots with that hash.
func (m *Meter) shard(hash uint32) *shard { return &m.shards[hash%shards] }

// find returns the slot's cell, or nil and the place where it belongs.
func (s *shard) find(e *Event, hour, hash uint32) (*cell, int) {
	mask := len(s.table) - 1
	for i := s.home(hash); ; i = (i + 1) & mask {
		c := s.table[i]
		if c == nil || c.hash == hash && c.holds(e, hour) {
			return c, i
		}
	}
}

// home is where the search for a hash begins.
func (s *shard) home(hash uint32) int { return int(hash>>shardBits) & (len(s.table) - 1) }

// grow keeps the table at most three quarters full, so that a search ends.
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
		i := s.home(c.hash)
		for s.table[i] != nil {
			i = (i + 1) & mask
		}
		s.table[i] = c
	}
}

// place makes the record of a new slot: words, identity, and the checksum last.
// A failure on the way leaves at most words, or a record without a checksum
// that the next slot takes over. The caller holds the slot's shard.
func (m *Meter) place(e *Event, hour, hash uint32) (*cell, error) {
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
	c.seg, c.number, c.hash = s, uint32(s.next), hash
	s.next++
	return c, nil
}

// packIDs writes both ids or says which one cannot be recorded.
func packIDs(r *record, account toksta.AccountID, key toksta.KeyID) error {
	if err := pack(r.text[:idField], string(account)); err != nil {
		return err
	}
	return pack(r.text[idField:], string(key))
}
