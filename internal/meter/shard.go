package meter

import (
	"hash/maphash"
	"sync"

	"github.com/toksta/toksta/sdk/toksta"
)

// The low bits of a hash select the shard, the others the position in its table.
const (
	shardBits = 6
	shards    = 1 << shardBits
)

// shard is one part of the index from slots to records. A slot always belongs to the same shard, so
// it cannot get two records in one epoch.
type shard struct {
	mu    sync.Mutex
	table []*cell // open addressing, linear probing; a power of two long
	used  int
	_     [64]byte // prevents false sharing of a cache line
}

// cell is an entry of the index. It refers to a record, and holds the newest use of the record's
// API key that a call of this slot showed. It is in memory only.
type cell struct {
	seg    *segment
	hash   uint32
	number uint32
	use    lastUse
	sent   bool // the slot's last use was sent before; guarded by Meter.flushing
}

// record returns the cell's record. It must not be called once the cell's segment is sealed.
func (c *cell) record() *record { return &c.seg.records[c.number] }

// matches reports whether the cell's record counts the calls of e in that hour. It compares the
// key before the other texts because keys differ most often.
func (c *cell) matches(e *Increment, hour uint32) bool {
	r, texts := c.record(), *c.seg.texts.Load()
	return r.hour == hour &&
		string(r.key()) == string(e.KeyID) &&
		texts[r.costKey] == e.CostKey &&
		texts[r.reason] == string(e.Reason) &&
		texts[r.family] == string(e.Family) &&
		string(r.account()) == string(e.AccountID)
}

// hash returns the hash of a slot. It omits the account and the family, which almost always follow
// from the API key and the cost key. The seed is random, so callers cannot provoke collisions.
func (m *Meter) hash(e *Increment, hour uint32) uint32 {
	h := maphash.String(m.seed, string(e.KeyID))
	h ^= maphash.String(m.seed, e.CostKey) * 0x9E3779B97F4A7C15
	if e.Reason != "" {
		h += maphash.String(m.seed, string(e.Reason)) * 0xC2B2AE3D27D4EB4F
	}
	h += uint64(hour) * 0x9E3779B97F4A7C15
	return uint32(h ^ h>>32)
}

// shard returns the shard of all slots with the hash.
func (m *Meter) shard(hash uint32) *shard { return &m.shards[hash%shards] }

// find returns the slot's cell and its index in the table. If there is no cell, it returns nil and
// the index for a new one.
func (s *shard) find(e *Increment, hour, hash uint32) (*cell, int) {
	mask := len(s.table) - 1
	for i := s.startIndex(hash); ; i = (i + 1) & mask {
		c := s.table[i]
		if c == nil || c.hash == hash && c.matches(e, hour) {
			return c, i
		}
	}
}

// startIndex returns the index at which the search for a hash begins.
func (s *shard) startIndex(hash uint32) int { return int(hash>>shardBits) & (len(s.table) - 1) }

// grow doubles the table if it is more than three quarters full, so that every search ends.
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
		i := s.startIndex(c.hash)
		for s.table[i] != nil {
			i = (i + 1) & mask
		}
		s.table[i] = c
	}
}

// createCell creates the record and the cell of a new slot: words, identity, and the checksum last.
// A failure leaves at most words, or an incomplete record that the next slot overwrites. The caller
// holds the lock of the slot's shard.
func (m *Meter) createCell(e *Increment, hour, hash uint32) (*cell, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current == nil || !m.current.hasRoom() {
		if err := m.nextSegment(); err != nil {
			return nil, err
		}
	}
	s := m.current
	family, err := s.intern(string(e.Family))
	if err != nil {
		return nil, err
	}
	costKey, err := s.intern(e.CostKey)
	if err != nil {
		return nil, err
	}
	reason, err := s.intern(string(e.Reason))
	if err != nil {
		return nil, err
	}
	r := &s.records[s.next]
	if err := packIDs(r, e.AccountID, e.KeyID); err != nil {
		return nil, err
	}
	r.kind, r.hour, r.family, r.costKey, r.reason = kindTotal, hour, family, costKey, reason
	r.complete()
	c := &s.cells[s.next]
	c.seg, c.number, c.hash = s, uint32(s.next), hash
	s.next++
	return c, nil
}

// packIDs writes both ids. An error names the id that does not fit.
func packIDs(r *record, account toksta.AccountID, key toksta.KeyID) error {
	if err := pack(r.text[:idField], string(account)); err != nil {
		return err
	}
	return pack(r.text[idField:], string(key))
}
