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

// importTotal is what became of a file's rows.
type importTotal struct {
	Rows     int  `json:"rows"`     // seen so far, or in all
	Imported int  `json:"imported"` // new; in a dry run, would be
	Existing int  `json:"existing"` // there before, left as they are
	Rejected int  `json:"rejected"` // left out, each with its reason in the file
	DryRun   bool `json:"dry_run"`  // nothing was written
}

// table is the total for people.
func (t importTotal) table() table {
	out := table{header: []string{"rows", "imported", "existing", "rejected"}}
	n := strconv.Itoa
	out.add(n(t.Rows), n(t.Imported), n(t.Existing), n(t.Rejected))
	return out
}

// rejectedRow is a row that stays out.
type rejectedRow struct {
	line   int    // in the file, from 1
	reason string // for whoever mends the file
}

// tally adds up batches as they come back, in whatever order, and writes down
// the rejected rows. The file is made with the first of them.
type tally struct {
	bar  *progress // shows the total
	path string    // of the file of rejected rows

	mu    sync.Mutex
	total importTotal // guarded by mu, as what follows
	file  *os.File    // nil until a row is rejected
	out   *csv.Writer // into file
}

// add counts a batch and writes down its rejected rows.
func (t *tally) add(answer client.ImportAnswer, rejected []rejectedRow) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total.Imported += answer.Imported
	t.total.Existing += answer.Existing
	t.total.Rejected += len(rejected)
	t.total.Rows += answer.Imported + answer.Existing + len(rejected)
	t.bar.step(t.total)
	if len(rejected) == 0 {
		return nil
	}
	if err := t.open(); err != nil {
		return err
	}
	for _, r := range rejected {
		_ = t.out.Write([]string{strconv.Itoa(r.line), r.reason}) // close reports it
	}
	return nil
}

// open makes the file of rejected rows unless it is open. The caller holds mu.
func (t *tally) open() (err error) {
	if t.file != nil {
		return nil
	}
	if t.file, err = os.OpenFile(t.path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600); err != nil {
		return err
	}
	t.out = csv.NewWriter(t.file)
	return t.out.Write([]string{"line", "reason"})
}

// forget removes the file of rejected rows of an earlier import, whose rows are
// rejected no longer.
func (t *tally) forget() error {
	if err := os.Remove(t.path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// close finishes the file of rejected rows.
func (t *tally) close() error {
	if t.file == nil {
		return nil
	}
	t.out.Flush()
	if err := t.out.Error(); err != nil {
		return fmt.Errorf("write %s: %w", t.path, err)
	}
	return t.file.Close()
}
