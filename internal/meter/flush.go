package meter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// A batch is one transaction of the store: large enough to be cheap, small enough (5 ms of CPU time
// with SQLite) that calls on a machine with one core, and other writers, do not wait for it long.
const (
	batchSize    = 256              // approximate number of totals
	sinkTimeout  = 15 * time.Second // for one batch, because concurrent callers of Flush wait for the same one
	closeTimeout = 5 * time.Second
	adoptEvery   = time.Minute
)

// Run flushes totals and writes them to the disk until ctx ends. It logs when the store becomes
// unavailable and when it is available again. Counting continues meanwhile.
func (m *Meter) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	// A separate task, because a store that hangs must not delay writes to the disk.
	disk := task{"write usage to the disk", m.config.FlushEvery, func(context.Context) error { return m.sync() }}
	flush := task{"flush usage to the store", m.config.FlushEvery, func(ctx context.Context) error {
		return errors.Join(m.rollHour(), m.flushPeriodic(ctx))
	}}
	prepare := task{"prepare the next journal", m.config.FlushEvery, func(context.Context) error { return m.prepare() }}
	// Adopts the files of processes that ended after this one started.
	adopt := task{"adopt journals of dead processes", adoptEvery, func(ctx context.Context) error {
		return errors.Join(m.recover(ctx), m.adopt(), m.prune())
	}}
	for _, t := range []task{disk, flush, prepare, adopt} {
		loops.Go(func() { m.repeat(ctx, t) })
	}
	loops.Wait()
	return nil
}

// task is a job that Run repeats with a period.
type task struct {
	name   string // completes "cannot …" and "can … again"
	period time.Duration
	work   func(context.Context) error
}

// repeat runs a task at once and then once per period until ctx ends. It logs the first failure and
// the first success after failures.
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
			m.config.Log.Error("cannot "+t.name+"; counting goes on", "error", err)
		case err == nil && failing:
			m.config.Log.Info("can " + t.name + " again")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// rollHour starts a new segment when the hour changes, so that past segments can be closed once
// they are flushed. If no segment can be created, the current one continues.
func (m *Meter) rollHour() error {
	now := m.config.Now()
	m.mu.Lock()
	due := m.current != nil && m.current.next > 0 && m.hour != now.Unix()/3600
	m.mu.Unlock()
	if !due {
		return nil
	}
	next, err := m.create()
	if err != nil {
		return fmt.Errorf("create the journal of the hour: %w", err)
	}
	m.seal(func() { m.setCurrent(next, now) })
	return nil
}

// prepare creates the spare segment when half of the current one is used. A call then waits for the
// creation of a file only if new slots arrive faster than Run can prepare segments.
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

// seal ends additions to every segment and runs fn before counting continues. It holds all shard
// locks meanwhile, because otherwise a slot could get two records in the new epoch.
func (m *Meter) seal(fn func()) {
	for i := range m.shards {
		m.shards[i].mu.Lock()
		defer m.shards[i].mu.Unlock()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.inUse {
		s.sealed = true
	}
	for i := range m.shards {
		m.shards[i].table, m.shards[i].used = nil, 0
		m.shards[i].grow()
	}
	fn()
}

// sync writes every segment to the disk. It continues after a failure and joins the errors.
func (m *Meter) sync() error {
	var errs []error
	for _, s := range m.segments() {
		errs = append(errs, s.sync())
	}
	return errors.Join(errs...)
}

// segments returns a copy of the list of segments, which may change while the caller iterates over
// it.
func (m *Meter) segments() []*segment {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.inUse)
}

// Flush sends all totals counted before the call to the sink. Concurrent callers share one flush.
// If the shared flush fails, a caller that did not run it tries again, because the failure may be
// due to the other caller's context.
func (m *Meter) Flush(ctx context.Context) error {
	for {
		own, err := m.flushes.wait(func() error { return m.flushAll(ctx) })
		if own || err == nil {
			return err
		}
	}
}

// flushAll flushes every segment, and once per usesEvery the last uses that batch deferred.
func (m *Meter) flushAll(ctx context.Context) error {
	m.flushing.Lock()
	defer m.flushing.Unlock()
	now := m.config.Now()
	uses := now.Sub(m.usesAt).Abs() >= usesEvery
	for _, s := range m.segments() {
		if err := m.flushSegment(ctx, s, uses); err != nil {
			return fmt.Errorf("flush usage: %w", err)
		}
	}
	if uses {
		m.usesAt = now
	}
	return nil
}

// FlushOf sends the totals of the given accounts, counted before the call, to the sink. It leaves
// the others to the next Flush.
func (m *Meter) FlushOf(ctx context.Context, accounts map[toksta.AccountID]bool) error {
	m.flushing.Lock()
	defer m.flushing.Unlock()
	for _, s := range m.segments() {
		taken := s.takeDirtyOf(accounts)
		for numbers := range slices.Chunk(taken, batchSize) {
			if err := m.send(ctx, m.batch(s, numbers)); err != nil {
				s.requeue(taken)
				return fmt.Errorf("flush usage: %w", err)
			}
		}
	}
	return nil
}

// takeDirtyOf removes the records of the given accounts from the set of dirty records, and returns
// their numbers. The caller must flush the records or add them again.
func (s *segment) takeDirtyOf(accounts map[toksta.AccountID]bool) []uint32 {
	return slices.DeleteFunc(slices.Concat(slices.Collect(s.dirty.batches(perSegment))...), func(n uint32) bool {
		if accounts[toksta.AccountID(s.records[n].account())] {
			return false
		}
		s.dirty.add(n)
		return true
	})
}

// send passes one batch to the sink, with a timeout of its own, because the next attempt at a sink
// that hangs may succeed.
func (m *Meter) send(ctx context.Context, b store.UsageBatch) error {
	runtime.Gosched() // calls that arrived during the last batch go first
	ctx, cancel := context.WithTimeout(ctx, sinkTimeout)
	defer cancel()
	return m.config.Sink.Flush(ctx, b)
}

// flushSegment sends the dirty records of a segment and, if uses is set, its deferred last uses. If
// the segment is sealed, it then sends both, closes the epoch and retires the segment.
func (m *Meter) flushSegment(ctx context.Context, s *segment, uses bool) error {
	m.mu.Lock()
	last := s.sealed
	m.mu.Unlock()
	for numbers := range s.dirty.batches(batchSize) {
		if err := m.send(ctx, m.batch(s, numbers)); err != nil {
			s.requeue(numbers)
			return err
		}
	}
	if uses || last {
		if err := m.flushUses(ctx, s); err != nil {
			return err
		}
	}
	if !last {
		return nil
	}
	// The epoch is closed before the file is removed. If the process is killed in between, the next
	// process adopts the file and the store ignores its repeated flush.
	if err := m.send(ctx, store.UsageBatch{Epoch: s.epoch, Close: true}); err != nil {
		return err
	}
	m.mu.Lock()
	m.inUse = slices.DeleteFunc(m.inUse, func(o *segment) bool { return o == s })
	m.mu.Unlock()
	err := m.retire(s)
	m.mu.Lock()
	m.createErr = nil // the disk may have space again
	m.mu.Unlock()
	return err
}

// flushUses sends the deferred last uses of a segment.
func (m *Meter) flushUses(ctx context.Context, s *segment) error {
	for numbers := range s.deferred.batches(batchSize) {
		if err := m.send(ctx, store.UsageBatch{Epoch: s.epoch, LastUses: m.lastUses(s, numbers)}); err != nil {
			s.requeue(numbers)
			return err
		}
	}
	return nil
}

// batch returns the totals of the numbered records, each slot once, and the last uses of slots whose
// last use was never sent. It defers the others, because a row per key and flush costs as much as
// the totals.
func (m *Meter) batch(s *segment, numbers []uint32) store.UsageBatch {
	b := store.UsageBatch{Epoch: s.epoch, Totals: make([]store.UsageTotal, 0, len(numbers))}
	var first []uint32
	for _, n := range numbers {
		b.Totals = append(b.Totals, s.total(n))
		if s.cells != nil && s.cells[n].sent {
			s.deferred.add(n)
		} else {
			first = append(first, n)
		}
	}
	b.LastUses = m.lastUses(s, first)
	return b
}

// requeue marks records as dirty whose flush failed. Their last uses are sent again too.
func (s *segment) requeue(numbers []uint32) {
	for _, n := range numbers {
		s.dirty.add(n)
		if s.cells != nil {
			s.cells[n].sent = false
		}
	}
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

// Close stops counting and flushes once more. If the flush fails, it returns the error, and the
// files remain for the next process to adopt.
func (m *Meter) Close() error {
	m.seal(func() { m.closed, m.current = true, nil })
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
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
	m.inUse = nil
	m.mu.Unlock()
	return errors.Join(errs...)
}
