package meter

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/sdk/toksta"
)

// writeAbandonedJournal counts three calls, simulates a crash, and returns the path of the journal.
func writeAbandonedJournal(t *testing.T, dir string) string {
	t.Helper()
	m := open(t, Config{Dir: dir, Sink: &memStore{}})
	count(t, m, call(noon()), call(noon()), call(noon()))
	path := m.current.path
	crash(m)
	return path
}

// fieldOffset returns the offset in the file of a record's field.
func fieldOffset(record int, field uintptr) int64 {
	return int64(headerSize + record*recordSize + int(field))
}

func overwrite(offset int64, b ...byte) func(*os.File) error {
	return func(f *os.File) error {
		_, err := f.WriteAt(b, offset)
		return err
	}
}

func truncateTo(size int64) func(*os.File) error {
	return func(f *os.File) error { return f.Truncate(size) }
}

// olderVersion writes a valid header of an earlier version.
func olderVersion(f *os.File) error {
	h := header{magic: magic(), version: version - 1, recordSize: uint32(recordSize), records: perSegment}
	h.check = h.checksum()
	return overwrite(0, unsafe.Slice((*byte)(unsafe.Pointer(&h)), unsafe.Sizeof(h))...)(f)
}

// Guarantee: a file that is torn, truncated or of another version is kept and reported, and none of
// its numbers is used. The files beside it are adopted.
func TestDamagedFilesArePutAside(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(*os.File) error{
		"empty":                   truncateTo(0),
		"cut within the header":   truncateTo(100),
		"cut within the records":  truncateTo(int64(segmentSize) - 1),
		"grown":                   truncateTo(int64(segmentSize) + 1),
		"not a journal":           overwrite(0, 'x'),
		"older version":           olderVersion,
		"version unreadable":      overwrite(int64(unsafe.Offsetof(header{}.version)), 9),
		"epoch torn":              overwrite(int64(unsafe.Offsetof(header{}.epoch)), 'x', 'x'),
		"key torn":                overwrite(fieldOffset(2, unsafe.Offsetof(record{}.text)+idField+5), 'x'),
		"hour torn":               overwrite(fieldOffset(2, unsafe.Offsetof(record{}.hour)), 1),
		"checksum torn":           overwrite(fieldOffset(2, unsafe.Offsetof(record{}.check)), 1),
		"a word gone":             overwrite(fieldOffset(1, unsafe.Offsetof(record{}.check)), 0, 0, 0, 0),
		"a stray checksum":        overwrite(fieldOffset(99, unsafe.Offsetof(record{}.check)), 7),
		"a length that cannot be": overwrite(fieldOffset(2, unsafe.Offsetof(record{}.text)), 255),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := writeAbandonedJournal(t, dir)
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(damage(f), f.Close()); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			sink := &memStore{}
			m := open(t, Config{Dir: dir, Sink: sink, Log: slog.New(slog.NewTextHandler(&log, nil))})
			count(t, m, call(noon()))
			flush(t, m)
			if got := sink.sum(); got != 1 {
				t.Errorf("the store has %d calls, want the 1 counted since", got)
			}
			after, err := os.ReadFile(path + suffixBad)
			if err != nil || !bytes.Equal(before, after) {
				t.Errorf("the file was not kept as it was: %v", err)
			}
			if !strings.Contains(log.String(), path+suffixBad) {
				t.Errorf("not reported: %q", &log)
			}
			crash(m)
			log.Reset()
			open(t, Config{Dir: dir, Sink: sink, Log: slog.New(slog.NewTextHandler(&log, nil))})
			if log.Len() > 0 {
				t.Errorf("reported again at the next start: %s", &log)
			}
		})
	}
}

// Guarantee: a journal with an incomplete record, of a process killed while creating it, is adopted
// without that record. None of its calls got a response.
func TestIncompleteRecordIsIgnored(t *testing.T) {
	t.Parallel()
	dir, sink := t.TempDir(), &memStore{}
	m := open(t, Config{Dir: dir, Sink: &memStore{}})
	count(t, m, call(noon()))
	r := &m.current.records[m.current.next]
	r.kind, r.hour = kindTotal, 77
	if err := packIDs(r, testAccount, testKey); err != nil {
		t.Fatal(err)
	}
	crash(m)
	flush(t, open(t, Config{Dir: dir, Sink: sink}))
	if got := sink.calls(); len(got) != 1 || sink.sum() != 1 {
		t.Errorf("got %v, want the one call", got)
	}
}

// Guarantee: a process killed while creating a file does not prevent the next start.
func TestIncompleteFileIsRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, strings.Repeat("0", 32)+suffixNew)
	if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, Config{Dir: dir, Sink: &memStore{}})
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
}

// fill counts calls with new keys until the meter rejects one, and returns the number of counted
// calls.
func fill(t *testing.T, m *Meter, most int) (int64, error) {
	t.Helper()
	for i := range most {
		e := call(noon())
		e.KeyID = numberedKey(i)
		if err := m.Count(e); err != nil {
			return int64(i), err
		}
	}
	return int64(most), nil
}

// Guarantee: when the disk is full, a call of a new slot is rejected, existing slots continue to
// count, nothing crashes (SIGBUS), and freed space is used.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	now, full, tries := noon(), false, 0
	limited := func(f *os.File, size int64) error {
		tries++
		if full {
			return unix.ENOSPC
		}
		return fallocate(f, size)
	}
	dir, sink := t.TempDir(), &memStore{}
	m := open(t, Config{Dir: dir, Sink: sink, Now: func() time.Time { return now }, allocate: limited})
	full = true
	counted, err := fill(t, m, 2*perSegment)
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("after %d calls: %v", counted, err)
	}
	before := tries
	if _, err := fill(t, m, 2*perSegment); !errors.Is(err, unix.ENOSPC) || tries != before {
		t.Errorf("rejected with %v after %d more attempts, want one attempt per second on a full disk", err, tries-before)
	}
	known := call(noon())
	known.KeyID = numberedKey(0)
	count(t, m, known)
	if n := len(journals(t, dir, "*")); n != 1 {
		t.Errorf("%d files, want 1: a failed one was left", n)
	}
	full, now = false, now.Add(2*time.Second)
	count(t, m, call(noon()))
	flush(t, m)
	// fill's second run counted the known keys once more.
	if got, want := sink.sum(), 2*counted+2; got != want {
		t.Errorf("the store has %d calls, want %d", got, want)
	}
}

// Guarantee: as above on a real file system with space for two files, where a write to an
// unallocated page would kill the process.
func TestFullFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=20m"); err != nil {
		t.Skipf("SKIPPED, needs root to mount a small file system (TestFullDisk covers the error path): %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	sink := &memStore{unavailable: true}
	m := open(t, Config{Dir: dir, Sink: sink})
	counted, err := fill(t, m, 3*perSegment)
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("after %d calls: %v", counted, err)
	}
	crash(m)
	sink.set(false, false)
	again := open(t, Config{Dir: dir, Sink: sink})
	flush(t, again)
	if got := sink.sum(); got != counted || got < perSegment {
		t.Errorf("the store has %d calls, want the %d counted", got, counted)
	}
	count(t, again, call(noon()))
}

// Guarantee: after any sequence of counts, flushes, lost acknowledgements, outages, changes of the
// hour, crashes and restarts, the store has exactly the calls that were counted.
func TestAnyHistory(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir, sink, now, want := t.TempDir(), &memStore{}, noon(), map[store.UsageSlot]int64{}
		config := Config{Dir: dir, Sink: sink, Now: func() time.Time { return now }}
		m := open(t, config)
		rt.Repeat(map[string]func(*rapid.T){
			"count": func(rt *rapid.T) {
				e := call(now)
				e.KeyID = numberedKey(rapid.IntRange(0, 3).Draw(rt, "key"))
				e.Reason = rapid.SampledFrom([]toksta.Reason{"", toksta.ReasonRateLimited}).Draw(rt, "reason")
				count(t, m, e)
				want[store.UsageSlot{AccountID: e.AccountID, KeyID: e.KeyID, Family: e.Family, CostKey: e.CostKey, Reason: e.Reason, Hour: now.Unix() / 3600}]++
			},
			"flush": func(*rapid.T) { _ = m.Flush(t.Context()) },
			"store": func(rt *rapid.T) { sink.set(rapid.Bool().Draw(rt, "unavailable"), rapid.Bool().Draw(rt, "lose")) },
			"clock": func(rt *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(-90, 90).Draw(rt, "minutes")) * time.Minute)
			},
			"turn": func(*rapid.T) { _ = m.rollHour() },
			"half full": func(*rapid.T) {
				m.current.next = max(m.current.next, perSegment/2)
				_ = m.prepare()
			},
			"full": func(*rapid.T) { m.current.next = perSegment },
			"restart": func(rt *rapid.T) {
				if rapid.IntRange(0, 3).Draw(rt, "rarely") > 0 {
					return // creating files takes most of the time of this test
				}
				if rapid.Bool().Draw(rt, "killed") {
					crash(m)
				} else {
					_ = m.Close()
				}
				m = open(t, config)
			},
		})
		sink.set(false, false)
		if err := m.Close(); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, sink.calls()); diff != "" {
			rt.Fatal(diff)
		}
	})
}
