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

// What slots may cost. A slot's heap is its cell and its places in a table that
// has just doubled, so is three eighths full; the cells of a segment are made at
// once, so a segment begun counts as a whole.
const (
	mostHeapPerSlot = int(unsafe.Sizeof(cell{})) + 8*8/3 + 3
	slotsPerFile    = perSegment - 8 // room for words
)

// Guarantee: an hour in which very many keys are active costs files and memory
// in proportion, within what the format promises, and all of it reaches either
// store. TOKSTA_MILLION=1 does it with a million keys and prints the figures.
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
			active(t, keys, db)
		})
	}
}

// active makes one call with each key and holds the limits.
func active(t *testing.T, keys int, db *sqlstore.Store) {
	dir, before := t.TempDir(), heap()
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
	memory := int(heap() - before)
	start = time.Now()
	flush(t, m)
	t.Logf("%d keys: counted in %v, %d files of %d bytes, %d MB of heap, flushed in %v",
		keys, counted.Round(time.Millisecond), files, segmentSize, memory/1e6, time.Since(start).Round(time.Millisecond))
	if files > most {
		t.Errorf("%d files, want at most %d", files, most)
	}
	if limit := files * perSegment * mostHeapPerSlot; memory > limit {
		t.Errorf("%d bytes of heap, want at most %d", memory, limit)
	}
	var stored int64
	query := store.UsageQuery{Account: testAccount, From: noon().Add(-time.Hour), To: noon().Add(time.Hour)}
	if err := db.EachUsage(t.Context(), query, func(row store.UsageRow) error {
		stored += row.Calls
		return nil
	}); err != nil || stored != int64(keys) {
		t.Errorf("the store has %d calls, want %d: %v", stored, keys, err)
	}
}
