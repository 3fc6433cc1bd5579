package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"

	"github.com/toksta/toksta/sdk/client"
)

// importTotals counts the rows of a file by their result.
type importTotals struct {
	Rows     int  `json:"rows"`     // processed so far
	Imported int  `json:"imported"` // new keys; in a dry run, keys that would be imported
	Existing int  `json:"existing"` // already imported, unchanged
	Rejected int  `json:"rejected"` // listed in the file of rejected rows
	DryRun   bool `json:"dry_run"`  // no key was imported
}

// table returns the totals for people.
func (t importTotals) table() table {
	out := table{header: []string{"rows", "imported", "existing", "rejected"}}
	n := strconv.Itoa
	out.add(n(t.Rows), n(t.Imported), n(t.Existing), n(t.Rejected))
	return out
}

// rejectedRow is a row that was not imported.
type rejectedRow struct {
	line   int    // in the file, from 1
	reason string // for the person who corrects the file
}

// importLog adds up the results of batches, in any order, and writes the rejected
// rows to a file. It creates the file with the first rejected row.
type importLog struct {
	bar  *progress // shows the totals
	path string    // of the file of rejected rows

	mu     sync.Mutex
	totals importTotals // guarded by mu, like file and out
	file   *os.File     // nil until a row is rejected
	out    *csv.Writer  // writes to file
}

// add records the result of a batch.
func (t *importLog) add(response client.ImportAnswer, rejected []rejectedRow) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.totals.Imported += response.Imported
	t.totals.Existing += response.Existing
	t.totals.Rejected += len(rejected)
	t.totals.Rows += response.Imported + response.Existing + len(rejected)
	t.bar.update(t.totals)
	if len(rejected) == 0 {
		return nil
	}
	if err := t.open(); err != nil {
		return err
	}
	for _, r := range rejected {
		_ = t.out.Write([]string{strconv.Itoa(r.line), r.reason}) // close returns the error
	}
	return nil
}

// open creates the file of rejected rows unless it is open. The caller holds mu.
func (t *importLog) open() (err error) {
	if t.file != nil {
		return nil
	}
	if t.file, err = os.OpenFile(t.path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600); err != nil {
		return err
	}
	t.out = csv.NewWriter(t.file)
	return t.out.Write([]string{"line", "reason"})
}

// removeStaleFile removes the file of an earlier import, after an import without
// rejected rows.
func (t *importLog) removeStaleFile() error {
	if err := os.Remove(t.path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// close flushes and closes the file of rejected rows.
func (t *importLog) close() error {
	if t.file == nil {
		return nil
	}
	t.out.Flush()
	if err := t.out.Error(); err != nil {
		return fmt.Errorf("write %s: %w", t.path, err)
	}
	return t.file.Close()
}
