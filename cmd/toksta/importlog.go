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
func (l *importLog) add(response client.ImportResponse, rejected []rejectedRow) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.totals.Imported += response.Imported
	l.totals.Existing += response.Existing
	l.totals.Rejected += len(rejected)
	l.totals.Rows += response.Imported + response.Existing + len(rejected)
	l.bar.update(l.totals)
	if len(rejected) == 0 {
		return nil
	}
	if err := l.open(); err != nil {
		return err
	}
	for _, r := range rejected {
		_ = l.out.Write([]string{strconv.Itoa(r.line), r.reason}) // close returns the error
	}
	return nil
}

// open creates the file of rejected rows unless it is open. The caller holds mu.
func (l *importLog) open() (err error) {
	if l.file != nil {
		return nil
	}
	if l.file, err = os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600); err != nil {
		return err
	}
	l.out = csv.NewWriter(l.file)
	return l.out.Write([]string{"line", "reason"})
}

// removeStaleFile removes the file of an earlier import, after an import without
// rejected rows.
func (l *importLog) removeStaleFile() error {
	if err := os.Remove(l.path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// close flushes and closes the file of rejected rows.
func (l *importLog) close() error {
	if l.file == nil {
		return nil
	}
	l.out.Flush()
	if err := l.out.Error(); err != nil {
		return fmt.Errorf("write %s: %w", l.path, err)
	}
	return l.file.Close()
}
