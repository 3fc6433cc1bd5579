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

// EpochClosed answers as the real store does.
func (l *ledger) EpochClosed(_ context.Context, epoch string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return false, errAway
	}
	return l.closed[epoch], nil
}

// backup is the store as it is now.
func (l *ledger) backup() *ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := &ledger{epochs: map[string]map[store.UsageSlot]store.UsageTotal{}, uses: maps.Clone(l.uses), closed: maps.Clone(l.closed)}
	for epoch, totals := range l.epochs {
		out.epochs[epoch] = maps.Clone(totals)
	}
	return out
}

// Guarantee: a store that is restored from a backup gets every call that was
// counted since, of past hours and of the last one, whether the process was
// stopped or killed; and asking it again changes nothing.
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
		now, dir, sink := noon(), t.TempDir(), &ledger{}
		config := Config{Dir: dir, Sink: sink, Now: func() time.Time { return now }, Keep: time.Hour, Epochs: sink}
		m := open(t, config)
		var older *ledger
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
			if err := m.turn(); err != nil {
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
		for _, s := range []*ledger{older, sink} {
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

// Guarantee: a journal whose keeping was interrupted by a kill is recovered as
// well, and a store that does not answer is asked again.
func TestRecoveryIsRepeated(t *testing.T) {
	t.Parallel()
	dir, sink := t.TempDir(), &ledger{}
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
	empty := &ledger{away: true}
	again := open(t, Config{Dir: dir, Sink: empty, Keep: time.Hour, Epochs: empty})
	if err := again.recover(t.Context()); !errors.Is(err, errAway) {
		t.Errorf("recover returned %v", err)
	}
	empty.set(false, false)
	recoverAll(t, again)
	if got := empty.sum(); got != 1 {
		t.Errorf("the store has %d calls", got)
	}
}

// Guarantee: flushed journals do not stay for ever.
func TestOldFlushedJournalsGo(t *testing.T) {
	t.Parallel()
	dir, sink := t.TempDir(), &ledger{}
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

// Guarantee: the meter leaves files alone that are not its own, when its
// directory is a directory of something else.
func TestForeignFilesStay(t *testing.T) {
	t.Parallel()
	dir, sink := t.TempDir(), &ledger{}
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

// recoverAll does what Run does at its start.
func recoverAll(t *testing.T, m *Meter) {
	t.Helper()
	if err := errors.Join(m.recover(t.Context()), m.adopt(), m.prune()); err != nil {
		t.Fatal(err)
	}
	flush(t, m)
}
