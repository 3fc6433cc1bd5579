package changefeed

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/toksta/toksta/sdk/toksta"
)

// tombstones holds the digests of all secrets that this node has seen revoked, in
// memory and in an append-only file. Its methods are safe for concurrent use.
type tombstones struct {
	path string // "": no file

	mu      sync.Mutex // guards the fields below
	file    *os.File   // nil before open and after close
	end     int64      // offset of the next record
	seen    map[toksta.Digest]struct{}
	pending []toksta.Digest // in seen, but not in the file
}

func newTombstones(path string) *tombstones {
	return &tombstones{path: path, seen: map[toksta.Digest]struct{}{}}
}

// open reads the file, or creates it if it is missing, and returns the damage found.
// It removes only an incomplete last record. A file of another kind is an error.
func (t *tombstones) open() (damage, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.path == "" {
		return damage{}, nil
	}
	file, err := os.OpenFile(t.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return damage{}, fmt.Errorf("open the tombstones: %w", err)
	}
	found, err := t.load(file)
	if err != nil {
		return found, fmt.Errorf("read the tombstones in %s: %w", t.path, errors.Join(err, file.Close()))
	}
	t.file = file
	return found, nil
}

// load reads the file into seen, repairs the file, and sets end.
func (t *tombstones) load(file *os.File) (damage, error) {
	content, err := io.ReadAll(file)
	if err != nil {
		return damage{}, err
	}
	if isPrefix(content, tombstoneHeader) { // the file is new, or its header was not fully written
		content = []byte(tombstoneHeader)
		if _, err := file.WriteAt(content, 0); err != nil {
			return damage{}, err
		}
	}
	digests, found, err := decodeTombstones(content)
	if err != nil {
		return found, err
	}
	for _, d := range digests {
		t.seen[d] = struct{}{}
	}
	if found.repaired > 0 {
		if _, err := file.WriteAt(content, 0); err != nil {
			return found, fmt.Errorf("repair a record: %w", err)
		}
	}
	t.end = int64(len(content) - found.torn)
	return found, file.Truncate(t.end)
}

// has reports whether this node has seen d revoked.
func (t *tombstones) has(d toksta.Digest) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, seen := t.seen[d]
	return seen
}

// add adds d to the pending records. The next flush writes it to the file.
func (t *tombstones) add(d toksta.Digest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, seen := t.seen[d]; seen || t.path == "" {
		return
	}
	t.seen[d] = struct{}{}
	t.pending = append(t.pending, d)
}

// recordsPerWrite limits the records of one write, and so the records that are removed
// again if the write fails because the disk is full.
const recordsPerWrite = 1024

// flush writes the pending records. If a write fails, its records stay pending and
// none of them remains in the file.
func (t *tombstones) flush() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.pending) == 0 {
		return nil
	}
	if t.file == nil {
		return fmt.Errorf("record %d revocations in %s: %w", len(t.pending), t.path, os.ErrClosed)
	}
	for len(t.pending) > 0 {
		n := min(len(t.pending), recordsPerWrite)
		records := encodeTombstones(t.pending[:n])
		if _, err := t.file.WriteAt(records, t.end); err != nil {
			err = errors.Join(err, t.file.Truncate(t.end))
			return fmt.Errorf("record %d revocations in %s: %w", len(t.pending), t.path, err)
		}
		t.end += int64(len(records))
		t.pending = t.pending[n:]
	}
	t.pending = nil
	return nil
}

// check reads the file again and compares it with memory. It returns the number of
// recorded secrets.
func (t *tombstones) check() (recorded int, err error) {
	if t.path == "" {
		return 0, nil
	}
	if err := t.flush(); err != nil {
		return 0, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	content, err := os.ReadFile(t.path)
	if err != nil {
		return 0, fmt.Errorf("read the tombstones: %w", err)
	}
	digests, found, err := decodeTombstones(content)
	if err != nil {
		return 0, fmt.Errorf("read the tombstones in %s: %w", t.path, err)
	}
	recordedSet := make(map[toksta.Digest]struct{}, len(digests))
	for _, d := range digests {
		recordedSet[d] = struct{}{}
	}
	missing := 0
	for d := range t.seen {
		if _, in := recordedSet[d]; !in {
			missing++
		}
	}
	var defects []string
	if missing > 0 {
		defects = append(defects, fmt.Sprintf("lacks %d of %d revoked secrets", missing, len(t.seen)))
	}
	if found != (damage{}) {
		defects = append(defects, "is damaged, "+found.Error())
	}
	if len(defects) > 0 {
		return 0, fmt.Errorf("%s %s", t.path, strings.Join(defects, " and "))
	}
	return len(recordedSet), nil
}

// close closes the file. Later revocations stay pending.
func (t *tombstones) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file == nil {
		return nil
	}
	err := t.file.Close()
	t.file = nil
	return err
}
