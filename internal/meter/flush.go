package meter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/toksta/toksta"
	"github.com/toksta/toksta/internal/store"
)

// A batch is one transaction of the store: large enough to be cheap, small
// enough that a backlog of hours does not hold the store's lock.
const (
	batchSize  = 4096             // totals handed to the sink at once, about
	sinkTime   = 15 * time.Second // for one batch: all who flush wait for the one who does
	closeGrace = 5 * time.Second
	adoptEvery = time.Minute
)

// Run flushes and writes to the disk until ctx ends. A store that is away is
// logged when it goes and when it is back, and costs no count.
func (m *Meter) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	// Apart, since a store that hangs must not keep totals off the disk.
	disk := task{"write usage to the disk", m.config.FlushEvery, func(context.Context) error { return m.sync() }}
	flush := task{"flush usage to the store", m.config.FlushEvery, func(ctx context.Context) error {
		return errors.Join(m.turn(), m.Flush(ctx))
	}}
	prepare := task{"prepare the next journal", m.config.FlushEvery, func(context.Context) error { return m.prepare() }}
	// A process that was still ending when this one started leaves its files
	// now, and so does a neighbour that never comes back.
	adopt := task{"look for journals left behind", adoptEvery, func(ctx context.Context) error {
		return errors.Join(m.recover(ctx), m.adopt(), m.prune())
	}}
	for _, t := range []task{disk, flush, prepare, adopt} {
		loops.Go(func() { m.repeat(ctx, t) })
	}
	loops.Wait()
	return nil
}

// task is something that Run does once per period.
type task struct {
	what   string // "cannot …", "can … again"
	period time.Duration
	work   func(context.Context) error
}

// repeat does a task at once and then once per period until ctx ends, and logs when it begins and ceases to
// fail.
func (m *Meter) repeat(ctx context.Context, t task) {
	tick := time.NewTicker(t.period)
	defer tick.Stop()
	failing := false
	for ctx.Err() == nil {
		err := t.work(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			m.config.Log.Error("cannot "+t.what+"; counting goes on", "error", err)
		case err == nil && failing:
			m.config.Log.Info("can " + t.what + " again")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// turn begins a new segment with a new hour, so that those of past hours can
// go once they are flushed. While no new one can be made the old one serves.
func (m *Meter) turn() error {
	now := m.config.Now()
	m.mu.Lock()
	due := m.current != nil && m.current.next > 0 && m.hour != now.Unix()/3600
	m.mu.Unlock()
	if !due {
		return nil
	}
	next, err := m.create()
	if err != nil {
		return fmt.Errorf("begin the hour's journal: %w", err)
	}
	m.seal(func() { m.begin(next, now) })
	return nil
}

// prepare makes the next segment when half of the current one is used, so that
// no call waits for a file to be made unless new slots outrun Run.
func (m *Meter) prepare() error {
	m.mu.Lock()
	due := m.spare == nil && (m.current == nil || m.current.next >= perSegment/2)
	m.mu.Unlock()
	if !due {
		return nil
	}
	next, err := m.create()
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.spare = next
	return nil
}

// seal ends the adding to every segment and runs then before anything is
// counted again. All shards stand still, or one slot could get two records in
// the new epoch.
func (m *Meter) seal(then func()) {
	for i := range m.shards {
		m.shards[i].mu.Lock()
		defer m.shards[i].mu.Unlock()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.all {
		s.sealed = true
	}
	for i := range m.shards {
		m.shards[i].table, m.shards[i].used = nil, 0
		m.shards[i].grow()
	}
	then()
}

// sync writes every segment to the disk. One that fails does not keep the
// others from it.
func (m *Meter) sync() error {
	var errs []error
	for _, s := range m.segments() {
		errs = append(errs, s.sync())
	}
	return errors.Join(errs...)
}

// segments is a snapshot: segments may be added, and on a flush removed, while
// it is worked through.
func (m *Meter) segments() []*segment {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.all)
}

// Flush brings the sink up to date with everything counted before the call.
// Callers at the same time share one flush; one that failed for another caller,
// whose time may have been over, is tried again.
func (m *Meter) Flush(ctx context.Context) error {
	for {
		mine, err := m.flushes.wait(func() error { return m.flush(ctx) })
		if mine || err == nil {
			return err
		}
	}
}

// flush is Flush for one caller.
func (m *Meter) flush(ctx context.Context) error {
	m.flushing.Lock()
	defer m.flushing.Unlock()
	for _, s := range m.segments() {
		if err := m.flushSegment(ctx, s); err != nil {
			return fmt.Errorf("flush usage: %w", err)
		}
	}
	return nil
}

// FlushOf brings the sink up to date with what was counted for these accounts
// before the call, and leaves the rest to the next Flush.
func (m *Meter) FlushOf(ctx context.Context, accounts map[toksta.AccountID]bool) error {
	m.flushing.Lock()
	defer m.flushing.Unlock()
	for _, s := range m.segments() {
		taken := s.takeOf(accounts)
		for numbers := range slices.Chunk(taken, batchSize) {
			if err := m.deliver(ctx, m.batch(s, numbers)); err != nil {
				s.restore(taken)
				return fmt.Errorf("flush usage: %w", err)
			}
		}
	}
	return nil
}

// takeOf is take for the records of some accounts.
func (s *segment) takeOf(accounts map[toksta.AccountID]bool) []uint32 {
	return slices.DeleteFunc(s.take(perSegment), func(n uint32) bool {
		if accounts[toksta.AccountID(s.records[n].account())] {
			return false
		}
		s.touch(n)
		return true
	})
}

// deliver hands the sink one batch. A sink that hangs is given up, even where
// the caller has no end: the next try may find it well.
func (m *Meter) deliver(ctx context.Context, b store.UsageBatch) error {
	ctx, cancel := context.WithTimeout(ctx, sinkTime)
	defer cancel()
	return m.config.Sink.Flush(ctx, b)
}

// flushSegment hands over what changed, and deletes the segment when nothing
// can change any more.
func (m *Meter) flushSegment(ctx context.Context, s *segment) error {
	m.mu.Lock()
	last := s.sealed
	m.mu.Unlock()
	for {
		numbers := s.take(batchSize)
		if len(numbers) == 0 {
			break
		}
		if err := m.deliver(ctx, m.batch(s, numbers)); err != nil {
			s.restore(numbers)
			return err
		}
	}
	if !last {
		return nil
	}
	// Before the file goes: a process that is killed in between leaves it to
	// the next one, whose flush is then known for the repeat that it is.
	if err := m.deliver(ctx, store.UsageBatch{Epoch: s.epoch, Close: true}); err != nil {
		return err
	}
	m.mu.Lock()
	m.all = slices.DeleteFunc(m.all, func(o *segment) bool { return o == s })
	m.mu.Unlock()
	err := m.retire(s)
	m.mu.Lock()
	m.full = nil // there is room now
	m.mu.Unlock()
	return err
}

// batch reads the totals of numbered records, and the newest use of each key
// among them: no slot and no key stands in it twice.
func (m *Meter) batch(s *segment, numbers []uint32) store.UsageBatch {
	b := store.UsageBatch{Epoch: s.epoch, Totals: make([]store.UsageTotal, 0, len(numbers))}
	uses := map[toksta.KeyID]lastUse{}
	for _, n := range numbers {
		t := s.total(n)
		b.Totals = append(b.Totals, t)
		if u := m.lastUse(s, n); u.at > uses[t.KeyID].at {
			uses[t.KeyID] = u
		}
	}
	for _, t := range b.Totals {
		u, found := uses[t.KeyID]
		if !found {
			continue
		}
		delete(uses, t.KeyID)
		b.LastUses = append(b.LastUses, store.LastUse{
			KeyID: t.KeyID, AccountID: t.AccountID, At: u.time(), Address: u.address(),
			Agent: s.names.text(u.agent), Operation: s.names.text(u.operation),
		})
	}
	return b
}

// total copies a record out of the mapping.
func (s *segment) total(n uint32) store.UsageTotal {
	r, texts := &s.records[n], *s.texts.Load()
	return store.UsageTotal{
		UsageSlot: store.UsageSlot{
			AccountID: toksta.AccountID(r.account()), KeyID: toksta.KeyID(r.key()),
			Family: toksta.Family(texts[r.family]), CostKey: texts[r.costKey],
			Reason: toksta.Reason(texts[r.reason]), Hour: int64(r.hour),
		},
		Calls:  r.totals[calls].Load(),
		Charge: r.charge(),
	}
}

// lastUse reads a cell under its shard's lock. An adopted segment has none: what
// its owner knew of last uses died with it, at most one flush old.
func (m *Meter) lastUse(s *segment, n uint32) lastUse {
	if s.cells == nil {
		return lastUse{}
	}
	c := &s.cells[n]
	sh := m.shard(c.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return c.use
}

// Close ends counting and flushes one last time. What cannot be flushed stays
// in files that the next process adopts; the error says so.
func (m *Meter) Close() error {
	m.seal(func() { m.closed, m.current = true, nil })
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	errs := []error{m.Flush(ctx)}
	if m.spare != nil {
		errs = append(errs, os.Remove(m.spare.path), m.spare.close())
		m.spare = nil
	}
	for _, s := range m.segments() {
		errs = append(errs, s.sync(), s.close())
	}
	m.mu.Lock()
	m.all = nil
	m.mu.Unlock()
	return errors.Join(errs...)
}
