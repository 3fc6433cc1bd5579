package meter

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// ErrClosed is returned by Count after Close.
var ErrClosed = errors.New("meter: closed")

// Sink receives the flushed totals: the store. It must keep the greater of the stored and the given
// total.
type Sink interface {
	Flush(ctx context.Context, b store.UsageBatch) error
}

// Config configures a Meter. Dir and Sink are required.
type Config struct {
	// Dir holds the journal's files and is created if missing. Processes may share it. It must be on a
	// local file system that supports fallocate (ext4, xfs, tmpfs).
	Dir  string
	Sink Sink
	// FlushEvery is the interval of flushes and of writes to the disk. A power loss can lose the
	// counts of one interval. 0: one second.
	FlushEvery time.Duration
	// Strict makes Count wait until its addition is on the disk.
	Strict bool
	// Alone reports whether no other node reads the totals, so that Run may take up to a minute to
	// write many of them. nil: never.
	Alone func() bool
	// Keep is the time for which a file is kept after the sink has all of its totals. Run compares
	// kept files with Epochs, and flushes them again to a sink that was restored from a backup. 0: no
	// file is kept. Keep requires Epochs.
	Keep   time.Duration
	Epochs store.Epochs
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger     // nil: logs are discarded

	allocate allocate // tests simulate a full disk
}

// Increment is one addition to a slot: calls, a charge, or both.
type Increment struct {
	AccountID toksta.AccountID
	KeyID     toksta.KeyID
	Family    toksta.Family
	CostKey   string
	Reason    toksta.Reason // "" for an admitted call
	Calls     int64         // 0 when only a charge is added to a call counted before
	Charge    toksta.Charge
	Now       time.Time // determines the hour of the slot

	// The remaining fields describe the last use of the key. They are stored for admitted calls only.
	Addr      netip.Addr
	Agent     string // User-Agent as sent
	Operation string
}

// Meter counts calls. Count and Flush are safe for concurrent use. Close must be called after Run
// has returned.
//
// Locks are taken in this order: flushing, shards by number, mu, the directory's file lock.
type Meter struct {
	config Config
	owner  string        // prefix of this process's epochs
	epochs atomic.Uint32 // number of epochs created
	seed   maphash.Seed
	syncs  groupCommit // writes to the disk, if strict
	shards [shards]shard

	mu        sync.Mutex // protects the fields below; never taken before a shard's lock
	current   *segment   // receives new slots; nil before the first
	spare     *segment   // the next current; nil until prepared
	hour      int64      // Unix hour in which current began
	inUse     []*segment // oldest first
	closed    bool
	createErr error     // of the last attempt to create a segment
	retryAt   time.Time // of the next attempt

	recovered bool // kept segments were compared with the store; used by one task of Run only

	flushes  groupCommit // merges concurrent calls of Flush
	flushing sync.Mutex  // held during a flush
	usesAt   time.Time   // of the last flush of all last uses; guarded by flushing
}

// Open creates the directory and adopts the files of dead processes; their totals are sent with the
// first flush. A damaged file is logged and renamed with the suffix ".bad". Open starts no
// goroutine. Run looks for files of dead processes again every minute.
func Open(c Config) (*Meter, error) {
	if c.Dir == "" || c.Sink == nil {
		return nil, errors.New("meter: Dir and Sink are required")
	}
	if c.Keep > 0 && c.Epochs == nil {
		return nil, errors.New("meter: Keep requires Epochs")
	}
	if c.FlushEvery <= 0 {
		c.FlushEvery = time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.allocate == nil {
		c.allocate = fallocate
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the journal directory: %w", err)
	}
	m := &Meter{config: c, owner: newOwner(), seed: maphash.MakeSeed()}
	m.syncs.done.L, m.flushes.done.L = &m.syncs.mu, &m.flushes.mu
	for i := range m.shards {
		m.shards[i].grow()
	}
	if err := m.adopt(); err != nil {
		return nil, fmt.Errorf("adopt journals in %s: %w", c.Dir, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.nextSegment(); err != nil {
		c.Log.Error("cannot create a usage journal; calls are rejected until it succeeds", "dir", c.Dir, "error", err)
	}
	return m, nil
}

// Owner returns the prefix of every epoch of this process. Totals of adopted journals keep the
// epochs of the processes that counted them.
func (m *Meter) Owner() string { return m.owner }

// Count adds e to its slot. Once it has returned nil, the usage in the store will include e, even
// if the process is killed. On an error (the disk is full, the meter is closed, or in strict mode
// the disk failed) the call must not be admitted. Unless strict, Count allocates no memory for an
// existing slot.
func (m *Meter) Count(e Increment) error {
	if err := m.count(&e); err != nil || !m.config.Strict {
		return err
	}
	_, err := m.syncs.wait(m.sync)
	return err
}

// count adds e to the totals in the page cache. It defers the unlock so that a panic fails one call
// and does not block all others of the shard.
func (m *Meter) count(e *Increment) error {
	hour := uint32(e.Now.Unix() / 3600)
	hash := m.hash(e, hour)
	s := m.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := m.cell(s, e, hour, hash)
	if err != nil {
		return err
	}
	c.record().add(e.Calls, e.Charge)
	c.use.update(e, c.seg.names)
	c.seg.dirty.add(c.number)
	return nil
}

// cell returns the cell of e's slot and creates it on first use. The caller holds the shard's lock.
func (m *Meter) cell(s *shard, e *Increment, hour, hash uint32) (*cell, error) {
	c, at := s.find(e, hour, hash)
	if c != nil {
		return c, nil
	}
	c, err := m.createCell(e, hour, hash)
	if err != nil {
		return nil, err
	}
	s.table[at] = c
	s.used++
	s.grow()
	return c, nil
}

// nextSegment makes the spare segment current, or a new segment if there is no spare. After a
// failure it retries once a second and not for every call: many calls meet a full disk at once and
// must be rejected quickly. The caller holds mu.
func (m *Meter) nextSegment() error {
	if m.closed {
		return ErrClosed
	}
	now := m.config.Now()
	if m.spare != nil {
		m.setCurrent(m.spare, now)
		m.spare = nil
		return nil
	}
	if m.createErr != nil && now.Before(m.retryAt) {
		return m.createErr
	}
	s, err := m.create()
	if err != nil {
		m.createErr, m.retryAt = fmt.Errorf("meter: create a journal: %w", err), now.Add(time.Second)
		return m.createErr
	}
	m.setCurrent(s, now)
	return nil
}

// setCurrent directs new slots to s. The caller holds mu.
func (m *Meter) setCurrent(s *segment, now time.Time) {
	m.createErr = nil
	m.current, m.hour = s, now.Unix()/3600
	m.inUse = append(m.inUse, s)
}
