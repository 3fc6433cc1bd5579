package meter

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
)

// pacedSlots is the number of slots of the tests below.
const pacedSlots = 12 * 640

// callEach counts a call of each of the first slots.
func callEach(t *testing.T, m *Meter, slots int) {
	t.Helper()
	for i := range slots {
		e := call(noon())
		e.KeyID = numberedKey(i)
		count(t, m, e)
	}
}

// Guarantee: a lone node with many changed totals writes a twelfth of them with each flush, and
// each of them within a minute. Where another node waits for them, and if they are few, a flush
// writes all.
func TestPacedFlush(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		slots int
		alone bool
		parts int // that the totals are written in
	}{
		"alone":       {pacedSlots, true, 12},
		"other nodes": {pacedSlots, false, 1},
		"few":         {pacedOver, true, 1},
	} {
		var got traffic
		sink := &memStore{}
		m := open(t, Config{Sink: bothSinks{sink, &got}, FlushEvery: 5 * time.Second, Alone: func() bool { return c.alone }})
		callEach(t, m, c.slots)
		for range c.parts {
			before := got.Rows
			if err := m.flushPeriodic(t.Context()); err != nil {
				t.Fatal(err)
			}
			// A part ends with a word of 64 records, and a few records are not totals.
			if rows, part := got.Rows-before, c.slots/c.parts; rows < part-64 || rows > part+64 {
				t.Errorf("%s: a flush wrote %d rows, want about %d", name, rows, part)
			}
			if c.parts > 1 { // so that the totals stay many
				callEach(t, m, c.slots)
			}
		}
		if n := len(sink.epochs[m.current.epoch]); n != c.slots {
			t.Errorf("%s: %d of %d totals are written after %d flushes", name, n, c.slots, c.parts)
		}
	}
}

// bothSinks passes each batch to two sinks.
type bothSinks struct{ a, b Sink }

func (s bothSinks) Flush(ctx context.Context, b store.UsageBatch) error {
	return errors.Join(s.a.Flush(ctx, b), s.b.Flush(ctx, b))
}

// Guarantee: a paced flush that fails loses nothing: the next one sends the same totals.
func TestPacedFlushFails(t *testing.T) {
	t.Parallel()
	sink := &memStore{}
	m := open(t, Config{Sink: sink, FlushEvery: time.Minute, Alone: func() bool { return true }})
	callEach(t, m, pacedSlots)
	sink.set(true, false)
	if err := m.flushPeriodic(t.Context()); err == nil {
		t.Error("the flush to an unavailable store succeeded")
	}
	sink.set(false, false)
	if err := m.flushPeriodic(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := sink.sum(); got != pacedSlots {
		t.Errorf("the store has %d calls, want %d", got, pacedSlots)
	}
}

// Guarantee: an explicit flush, as before a report, writes everything, also on a lone node.
func TestFlushIsNotPaced(t *testing.T) {
	t.Parallel()
	sink := &memStore{}
	m := open(t, Config{Sink: sink, Alone: func() bool { return true }})
	callEach(t, m, pacedSlots)
	if err := m.Flush(t.Context()); err != nil || sink.sum() != pacedSlots {
		t.Errorf("the store has %d calls, want %d; %v", sink.sum(), pacedSlots, err)
	}
}
