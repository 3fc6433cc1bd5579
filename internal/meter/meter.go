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

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
)

// ErrClosed is returned by Count after Close.
var ErrClosed = errors.New("meter: closed")

// Sink is where totals go in the end: the store. It must take a total as the
// greatest of what it has and what it is given.
type Sink interface {
	Flush(ctx context.Context, b store.UsageBatch) error
}

// Config says how to meter. Dir and Sink are required.
type Config struct {
	// Dir holds the journal's files; it is made when missing. Processes may
	// share it. It must be on a local file system that keeps the promise of
	// fallocate (ext4, xfs, tmpfs).
	Dir  string
	Sink Sink
	// FlushEvery is the time between flushes, and between writes to the
	// disk: what a power loss may cost. 0: one second.
	FlushEvery time.Duration
	// Strict makes Count wait until its add is on the disk.
	Strict bool
	// Keep is how long a file stays once the sink has all of it. Run compares
	// such files with Epochs, and flushes them again to a sink that was
	// restored from a backup. 0: no file stays. Epochs is required with Keep.
	Keep   time.Duration
	Epochs store.Epochs
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger     // nil: nothing is logged

	allocate allocate // a test's full disk
}

// Event is something to count.
type Event struct {
	AccountID toksta.AccountID
	KeyID     toksta.KeyID
	Family    toksta.Family
	CostKey   string
	Reason    toksta.Reason // "" for an admitted call
	Calls     int64         // 0 when only a charge is added to a call counted before
	Charge    toksta.Charge
	Now       time.Time // its hour is the slot's

	// The rest is for the key's last use, kept for admitted calls only.
	Addr      netip.Addr
	Agent     string // User-Agent as sent
	Operation string
}

// Meter counts. Count and Flush are safe for concurrent use; Close comes after
// Run has returned.
//
// Locks are taken in this order: flushing, then shards by number, then mu, then
// the directory's.
type Meter struct {
	config Config
	owner  string        // what this process's epochs begin with
	made   atomic.Uint32 // epochs
	seed   maphash.Seed
	commit commit // writes to the disk, when strict
	shards [shards]shard

	mu      sync.Mutex // the rest; taken after a shard's lock, never before
	current *segment   // takes new slots; nil before the first
	spare   *segment   // follows current; nil until prepared
	hour    int64      // when current began
	all     []*segment // in use, oldest first
	closed  bool
	full    error     // why the last segment could not be made
	retry   time.Time // when to try again

	recovered bool // flushed segments were compared with the store; used by one task of Run

	flushes  commit     // callers of Flush, merged
	flushing sync.Mutex // one flush at a time
}

// Open prepares the directory and adopts the files that dead processes left
// there; their totals go out with the first flush. A damaged file is renamed
// to end in ".bad" and logged. It starts nothing: see Run, which looks for such
// files again every minute.
func Open(c Config) (*Meter, error) {
	if c.Dir == "" || c.Sink == nil {
		return nil, errors.New("meter: a directory and a sink are needed")
	}
	if c.Keep > 0 && c.Epochs == nil {
		return nil, errors.New("meter: to keep flushed journals, epochs are needed")
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
		return nil, fmt.Errorf("make the meter's directory: %w", err)
	}
	m := &Meter{config: c, owner: newOwner(), seed: maphash.MakeSeed()}
	m.commit.done.L, m.flushes.done.L = &m.commit.mu, &m.flushes.mu
	for i := range m.shards {
		m.shards[i].grow()
	}
	if err := m.adopt(); err != nil {
		return nil, fmt.Errorf("adopt journals in %s: %w", c.Dir, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.extend(); err != nil {
		c.Log.Error("the meter cannot count yet", "dir", c.Dir, "error", err)
	}
	return m, nil
}

// Owner is what every epoch of this process begins with, and no other's. Totals
// of journals that it adopted are in the epochs of those who counted them.
func (m *Meter) Owner() string { return m.owner }

// Count adds e to its slot. Once it has returned nil the event is in the
// usage that the store will show, whatever happens to the process. On an error
// (the disk is full, the meter closed, or in strict mode the disk failed) the
// call must not be answered as admitted. Unless strict it allocates nothing for a
// slot that exists.
func (m *Meter) Count(e Event) error {
	if err := m.count(&e); err != nil || !m.config.Strict {
		return err
	}
	_, err := m.commit.wait(m.sync)
	return err
}

// count is Count up to the page cache. The unlock is deferred: a fault in here
// must fail one call, not stop every other that shares the shard.
func (m *Meter) count(e *Event) error {
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
	c.use.see(e, c.seg.names)
	c.seg.touch(c.number)
	return nil
}

// cell returns the cell of e's slot, which it makes on first use. The caller
// holds the shard.
func (m *Meter) cell(s *shard, e *Event, hour, hash uint32) (*cell, error) {
	c, at := s.find(e, hour, hash)
	if c != nil {
		return c, nil
	}
	c, err := m.place(e, hour, hash)
	if err != nil {
		return nil, err
	}
	s.table[at] = c
	s.used++
	s.grow()
	return c, nil
}

// extend goes on to the next segment, under the meter's lock, and makes it when
// none is prepared. After a failure it tries again in a second, not for every
// call: a full disk is met by many calls at once, and each is to be refused
// quickly.
func (m *Meter) extend() error {
	if m.closed {
		return ErrClosed
	}
	now := m.config.Now()
	if m.spare != nil {
		m.begin(m.spare, now)
		m.spare = nil
		return nil
	}
	if m.full != nil && now.Before(m.retry) {
		return m.full
	}
	s, err := m.create()
	if err != nil {
		m.full, m.retry = fmt.Errorf("meter: no room to count: %w", err), now.Add(time.Second)
		return m.full
	}
	m.begin(s, now)
	return nil
}

// begin lets new slots go to s. The caller holds mu.
func (m *Meter) begin(s *segment, now time.Time) {
	m.full = nil
	m.current, m.hour = s, now.Unix()/3600
	m.all = append(m.all, s)
}
