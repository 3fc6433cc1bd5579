package meter

import (
	"context"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
)

// useCounter counts the rows that a store would write.
type useCounter struct {
	memStore
	totals, written int
}

func (c *useCounter) Flush(ctx context.Context, b store.UsageBatch) error {
	c.totals += len(b.Totals)
	c.written += len(b.LastUses)
	return c.memStore.Flush(ctx, b)
}

// Guarantee: a first use is sent with the next flush, further uses of the key once a minute, and no
// newest use is lost: not by a failed flush, and not if the key is never used again.
func TestLastUseOncePerMinute(t *testing.T) {
	t.Parallel()
	now, sink := noon(), &useCounter{}
	m := open(t, Config{Sink: sink, Now: func() time.Time { return now }})
	other := call(now)
	other.KeyID = "key_other"
	flush(t, m)
	count(t, m, call(now), other)
	flush(t, m)
	if sink.written != 2 {
		t.Errorf("%d first uses were sent, want 2", sink.written)
	}
	const flushes, keys = 12 * 10, 2 // ten minutes
	for range flushes {
		now = now.Add(5 * time.Second)
		e, o := call(now), other
		o.Now = now
		count(t, m, e, o)
		flush(t, m)
	}
	if want := keys * (1 + 10); sink.totals != keys*(flushes+1) || sink.written != want {
		t.Errorf("%d totals and %d last uses were sent in ten minutes, want %d and %d", sink.totals, sink.written, keys*(flushes+1), want)
	}
	now = now.Add(7 * time.Second)
	used := now
	count(t, m, call(now))
	sink.set(true, false)
	for range 20 {
		now = now.Add(5 * time.Second)
		if m.Flush(t.Context()) == nil {
			t.Fatal("a failed flush returned no error")
		}
	}
	sink.set(false, false)
	flush(t, m)
	if got := sink.uses[testKey].At; !got.Equal(used) {
		t.Errorf("the last use after an outage is %v, want %v", got, used)
	}
	before := sink.flushes
	now = now.Add(time.Hour)
	if flush(t, m); sink.flushes != before {
		t.Error("a key without calls was flushed again")
	}
}

// Guarantee: the newest use is sent when its segment is retired and at a clean stop.
func TestLastUseAtTheEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*Meter, *time.Time) error{
		"stop": func(m *Meter, _ *time.Time) error { return m.Close() },
		"next hour": func(m *Meter, now *time.Time) error {
			*now = now.Add(time.Hour)
			m.usesAt = *now // only the retirement sends it
			if err := m.rollHour(); err != nil {
				return err
			}
			return m.Flush(context.Background())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now, sink := noon(), &memStore{}
			m := open(t, Config{Sink: sink, Now: func() time.Time { return now }})
			for range 3 {
				now = now.Add(time.Second)
				count(t, m, call(now))
				flush(t, m)
			}
			if got := sink.uses[testKey].At; !got.Equal(now.Add(-2 * time.Second)) {
				t.Errorf("before the end the last use is %v, want the first one", got)
			}
			used := now
			if err := end(m, &now); err != nil {
				t.Fatal(err)
			}
			if got := sink.uses[testKey].At; !got.Equal(used) {
				t.Errorf("the last use is %v, want %v", got, used)
			}
		})
	}
}

// callingSink is a sink with calls during each flush.
type callingSink struct {
	memStore
	during           func()
	flushes, largest int
}

func (c *callingSink) Flush(ctx context.Context, b store.UsageBatch) error {
	c.flushes++
	c.largest = max(c.largest, len(b.Totals))
	c.during()
	return c.memStore.Flush(ctx, b)
}

// Guarantee: the transactions of a flush are short, and a flush ends although calls go on.
func TestFlushIsShort(t *testing.T) {
	t.Parallel()
	const keys = 3000
	sink := &callingSink{}
	m := open(t, Config{Sink: sink})
	sink.during = func() {
		for i := range keys {
			e := call(noon())
			e.KeyID = numberedKey(i)
			count(t, m, e)
		}
	}
	sink.during()
	flush(t, m)
	if most := batchSize + 63; sink.largest > most || sink.flushes > 2*keys/batchSize+2 {
		t.Errorf("%d transactions of up to %d totals for %d keys, want at most %d of %d", sink.flushes, sink.largest, keys, 2*keys/batchSize+2, most)
	}
}
