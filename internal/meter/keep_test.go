package meter

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/toksta/toksta/internal/store"
)

// EpochClosed behaves like the real store.
func (l *memStore) EpochClosed(_ context.Context, epoch string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unavailable {
		return false, errUnavailable
	}
	return l.closed[epoch], nil
}

// backup returns a copy of the store.
func (l *memStore) backup() *memStore {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := &memStore{epochs: map[string]map[store.UsageSlot]store.UsageTotal{}, uses: maps.Clone(l.uses), closed: maps.Clone(l.closed)}
	for epoch, totals := range l.epochs {
		out.epochs[epoch] = maps.Clone(totals)
	}
	return out
}

// Guarantee: a store that is restored from a backup receives every call that was counted since, of
// past hours and of the last one, whether the process was stopped or killed. Repeating the recovery
// changes nothing.
func TestRestoredStoreGetsEveryCall(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*Meter){
		"stopped": func(m *Meter) {
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		},
		"killed": crash,
	} {
		now, dir, sink := noon(), t.TempDir(), &memStore{}
		config := Config{Dir: dir, Sink: sink, Now: func() time.Time { return now }, Keep: time.Hour, Epochs: sink}
		m := open(t, config)
		var older *memStore
		counted := int64(0)
		for hour := range 5 {
			for range 3 + hour {
				count(t, m, call(now))
				counted++
			}
			flush(t, m)
			if hour == 1 {
				older = sink.backup()
			}
			now = now.Add(time.Hour)
			if err := m.rollHour(); err != nil {
				t.Fatal(err)
			}
			flush(t, m)
		}
		count(t, m, call(now))
		counted++
		end(m)
		if got := older.sum(); got != 3+4 {
			t.Fatalf("%s: the backup has %d calls", name, got)
		}
		for _, s := range []*memStore{older, sink} {
			config.Sink, config.Epochs = s, s
			again := open(t, config)
			recoverAll(t, again)
			if got := s.sum(); got != counted {
				t.Errorf("%s: the store has %d calls of %d", name, got, counted)
			}
			crash(again)
		}
		if n := len(journals(t, dir, "*"+suffixLive)); n > 1 {
			t.Errorf("%s: %d live journals are left", name, n)
		}
	}
}

// Guarantee: a journal is also recovered if the process was killed while keeping it, and the
// recovery is repeated while the store is unavailable.
func TestRecoveryIsRepeated(t *testing.T) {
	t.Parallel()
	dir, sink := t.TempDir(), &memStore{}
	m := open(t, Config{Dir: dir, Sink: sink, Keep: time.Hour, Epochs: sink})
	count(t, m, call(noon()))
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	kept := journals(t, dir, "*"+suffixFlushed)
	if len(kept) != 1 {
		t.Fatalf("%d journals are kept", len(kept))
	}
	if info, err := os.Stat(kept[0]); err != nil || info.Size() >= 2*headerSize {
		t.Errorf("a kept journal of one call has %d bytes: %v", info.Size(), err)
	}
	if err := os.Truncate(kept[0], int64(segmentSize)); err != nil {
		t.Fatal(err)
	}
	empty := &memStore{unavailable: true}
	again := open(t, Config{Dir: dir, Sink: empty, Keep: time.Hour, Epochs: empty})
	if err := again.recover(t.Context()); !errors.Is(err, errUnavailable) {
		t.Errorf("recover returned %v", err)
	}
	empty.set(false, false)
	recoverAll(t, again)
	if got := empty.sum(); got != 1 {
		t.Errorf("the store has %d calls", got)
	}
}

// Guarantee: flushed journals are deleted after Keep.
func TestOldFlushedJournalsAreDeleted(t *testing.T) {
	t.Parallel()
	dir, sink := t.TempDir(), &memStore{}
	m := open(t, Config{Dir: dir, Sink: sink, Keep: time.Hour, Epochs: sink})
	old, young := m.nextEpoch()+suffixFlushed, m.nextEpoch()+suffixFlushed
	for name, age := range map[string]time.Duration{old: 61 * time.Minute, young: 59 * time.Minute} {
		path, at := filepath.Join(dir, name), time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(path, []byte("x"), 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.prune(); err != nil {
		t.Fatal(err)
	}
	if left := journals(t, dir, "*"+suffixFlushed); len(left) != 1 || filepath.Base(left[0]) != young {
		t.Errorf("left are %v", left)
	}
}

// Guarantee: the meter leaves files alone that are not its own, even if it shares its directory
// with another program.
func TestForeignFilesStay(t *testing.T) {
	t.Parallel()
	dir, sink := t.TempDir(), &memStore{}
	names := []string{"toksta.yaml.new", "system.journal", "mail.flushed", "0123.new"}
	long := time.Now().Add(-time.Hour * 1000)
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte("x"), 0o600), os.Chtimes(path, long, long)); err != nil {
			t.Fatal(err)
		}
	}
	recoverAll(t, open(t, Config{Dir: dir, Sink: sink, Keep: time.Hour, Epochs: sink}))
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// recoverAll runs the tasks that Run runs at its start.
func recoverAll(t *testing.T, m *Meter) {
	t.Helper()
	if err := errors.Join(m.recover(t.Context()), m.adopt(), m.prune()); err != nil {
		t.Fatal(err)
	}
	flush(t, m)
}
