package meter

import (
	"os"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"github.com/toksta/toksta/internal/store"
	"github.com/toksta/toksta/internal/store/sqlstore"
	"github.com/toksta/toksta/internal/store/storetest/pgtest"
)

// The memory limit per slot: its cell and its entries in a table that has just doubled, so is three
// eighths full. The cells of a segment are allocated at once, so a segment counts as full.
const (
	maxHeapPerSlot = int(unsafe.Sizeof(cell{})) + 8*8/3 + 3
	slotsPerFile   = perSegment - 8 // room for words
)

// Guarantee: an hour with very many active keys needs files and memory in proportion, within the
// limits of the format, and either store receives all of it. TOKSTA_MILLION=1 runs it with a
// million keys and prints the figures.
func TestMillionActiveKeys(t *testing.T) {
	for name, url := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return filepath.Join(t.TempDir(), "store.db") },
		"PostgreSQL": func(t *testing.T) string { return pgtest.Start(t).NewDatabase(t) },
	} {
		t.Run(name, func(t *testing.T) {
			keys := 20_000
			if os.Getenv("TOKSTA_MILLION") == "1" {
				keys = 1_000_000
			}
			db, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: url(t)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			countActiveKeys(t, keys, db)
		})
	}
}

// countActiveKeys makes one call with each key and checks the limits.
func countActiveKeys(t *testing.T, keys int, db *sqlstore.Store) {
	dir, before := t.TempDir(), reachableHeap()
	m := open(t, Config{Dir: dir, Sink: db})
	start := time.Now()
	for i := range keys {
		e := call(noon())
		e.KeyID = numberedKey(i)
		count(t, m, e)
	}
	counted := time.Since(start)
	if err := m.prepare(); err != nil {
		t.Fatal(err)
	}
	files := len(journals(t, dir, "*"))
	most := (keys+slotsPerFile-1)/slotsPerFile + 1 // with the prepared one
	memory := int(reachableHeap() - before)
	start = time.Now()
	flush(t, m)
	t.Logf("%d keys: counted in %v, %d files of %d bytes, %d MB of heap, flushed in %v",
		keys, counted.Round(time.Millisecond), files, segmentSize, memory/1e6, time.Since(start).Round(time.Millisecond))
	if files > most {
		t.Errorf("%d files, want at most %d", files, most)
	}
	if limit := files * perSegment * maxHeapPerSlot; memory > limit {
		t.Errorf("%d bytes of heap, want at most %d", memory, limit)
	}
	var stored int64
	query := store.UsageQuery{Account: testAccount, From: noon().Add(-time.Hour), To: noon().Add(time.Hour)}
	if err := db.EachUsage(t.Context(), query, func(row store.UsageRow, _ string) error {
		stored += row.Calls
		return nil
	}); err != nil || stored != int64(keys) {
		t.Errorf("the store has %d calls, want %d: %v", stored, keys, err)
	}
}
