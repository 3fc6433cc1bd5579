package meter

import (
	"context"
	"fmt"
	"time"

	"github.com/toksta/toksta/internal/store"
)

// A lone node paces its periodic flush, because no other node needs its totals: they are safe in the
// journal, and a reader on this node flushes the accounts that it reads. A key that is called every
// few seconds then costs one row a minute, not one for each flush.
const (
	pacedOver   = 4096        // totals that one flush writes at once; more are paced
	pacedWithin = time.Minute // by then each total is written
)

// flushPeriodic flushes all totals or, on a lone node with many changed ones, the next part of each
// open segment.
func (m *Meter) flushPeriodic(ctx context.Context) error {
	if m.config.Alone == nil || !m.config.Alone() || m.changed() <= pacedOver {
		return m.Flush(ctx)
	}
	m.flushing.Lock()
	defer m.flushing.Unlock()
	parts := max(int(pacedWithin/m.config.FlushEvery), 1)
	for _, s := range m.segments() {
		if err := m.flushPart(ctx, s, parts); err != nil {
			return fmt.Errorf("flush usage: %w", err)
		}
	}
	return nil
}

// changed returns the number of totals that changed since they were flushed.
func (m *Meter) changed() (n int) {
	for _, s := range m.segments() {
		n += s.dirty.len()
	}
	return n
}

// flushPart sends the totals and the last uses of the next of several equal parts of a segment. It
// sends all of a sealed segment. The caller holds flushing.
func (m *Meter) flushPart(ctx context.Context, s *segment, parts int) error {
	m.mu.Lock()
	used, sealed := (s.next+63)/64, s.sealed // used is in words of the set
	m.mu.Unlock()
	if sealed || used == 0 {
		return m.flushSegment(ctx, s, false)
	}
	if s.paced >= used {
		s.paced = 0
	}
	end := min(s.paced+(used+parts-1)/parts, used)
	for numbers := range s.dirty.batchesIn(s.paced, end, batchSize) {
		if err := m.send(ctx, m.batch(s, numbers)); err != nil {
			s.requeue(numbers)
			return err
		}
	}
	for numbers := range s.deferred.batchesIn(s.paced, end, batchSize) {
		if err := m.send(ctx, store.UsageBatch{Epoch: s.epoch, LastUses: m.lastUses(s, numbers)}); err != nil {
			s.requeue(numbers)
			return err
		}
	}
	s.paced = end
	return nil
}
