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

const (
	batchSize  = 4096 // totals handed to the sink at once, about
	closeGrace = 5 * time.Second
)

// Run flushes and writes to the disk until ctx ends. A store that is away is
// logged when it goes and when it is back, and costs no count.
func (m *Meter) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	// Apart, since a store that hangs must not keep totals off the disk.
	loops.Go(func() { m.every(ctx, "write usage to the disk", func(context.Context) error { return m.sync() }) })
	loops.Go(func() {
		m.every(ctx, "flush usage to the store", func(ctx context.Context) error {
			return errors.Join(m.turn(), m.Flush(ctx))
		})
	})
	loops.Wait()
	return nil
}

// every does work once per period and logs when it begins and ceases to fail.
func (m *Meter) every(ctx context.Context, what string, work func(context.Context) error) {
	tick := time.NewTicker(m.config.FlushEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := work(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			m.config.Log.Error("cannot "+what+"; counting goes on", "error", err)
		case err == nil && failing:
			m.config.Log.Info("can " + what + " again")
		}
		failing = err != nil
	}
}

// turn begins a new segment with a new hour, so that those of past hours can
// go once they are flushed. While no new one can be made the old one serves.
func (m *Meter) turn() error {
	now := m.config.Now().Unix() / 3600
	m.mu.Lock()
	due := m.current != nil && m.current.next > 0 && m.hour != now
	m.mu.Unlock()
	if !due {
		return nil
	}
	next, err := m.create()
	if err != nil {
		return fmt.Errorf("begin the hour's journal: %w", err)
	}
	m.seal(func() {
		m.current, m.hour = next, now
		m.all = append(m.all, next)
	})
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

// sync writes every segment to the disk.
func (m *Meter) sync() error {
	var errs []error
	for _, s := range m.segments() {
		errs = append(errs, s.sync())
	}
	return errors.Join(errs...)
}

func (m *Meter) segments() []*segment {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.all)
}

// Flush brings the sink up to date with everything counted before the call.
func (m *Meter) Flush(ctx context.Context) error {
	m.flushing.Lock()
	defer m.flushing.Unlock()
	for _, s := range m.segments() {
		if err := m.flushSegment(ctx, s); err != nil {
			return fmt.Errorf("flush usage: %w", err)
		}
	}
	return nil
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
		if err := m.config.Sink.Flush(ctx, m.batch(s, numbers)); err != nil {
			for _, n := range numbers {
				s.touch(n)
			}
			return err
		}
	}
	if !last {
		return nil
	}
	m.mu.Lock()
	m.all = slices.DeleteFunc(m.all, func(o *segment) bool { return o == s })
	m.mu.Unlock()
	err := errors.Join(os.Remove(s.path), s.close())
	m.mu.Lock()
	m.full = nil // there is room now
	m.mu.Unlock()
	return err
}

// batch reads the totals of numbered records, and the newest use of each key
// among them.
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
	for _, s := range m.segments() {
		errs = append(errs, s.sync(), s.close())
	}
	m.mu.Lock()
	m.all = nil
	m.mu.Unlock()
	return errors.Join(errs...)
}
