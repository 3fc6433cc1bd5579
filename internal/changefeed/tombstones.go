package changefeed

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/toksta/toksta"
)

// tombstones are the secrets that this node once saw revoked, in memory and in
// a file that only grows. Its methods are safe for concurrent use.
type tombstones struct {
	path string // "": none are kept

	mu      sync.Mutex // guards what follows
	file    *os.File   // nil before open and after close
	end     int64      // where the next record goes
	seen    map[toksta.Digest]struct{}
	pending []toksta.Digest // seen, and not in the file yet
}

func newTombstones(path string) *tombstones {
	return &tombstones{path: path, seen: map[toksta.Digest]struct{}{}}
}

// open reads the file and creates it when it is missing. It removes nothing but
// a last record that was never finished, and returns what it found damaged. A
// file of another kind is an error.
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

// load reads the file into seen, repairs it, and finds its end.
func (t *tombstones) load(file *os.File) (damage, error) {
	content, err := io.ReadAll(file)
	if err != nil {
		return damage{}, err
	}
	if isPrefix(content, tombstoneHeader) {
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

// has reports whether d was ever seen revoked.
func (t *tombstones) has(d toksta.Digest) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, seen := t.seen[d]
	return seen
}

// add notes that d is revoked. The file has it after the next flush.
func (t *tombstones) add(d toksta.Digest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, seen := t.seen[d]; seen || t.path == "" {
		return
	}
	t.seen[d] = struct{}{}
	t.pending = append(t.pending, d)
}

// perWrite bounds the records of one write: what does not fit on a full disk is
// undone with the write that it belongs to.
const perWrite = 1024

// flush writes the pending records. Those of a write that fails stay pending
// and leave nothing in the file.
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
		n := min(len(t.pending), perWrite)
		records := encodeTombstones(t.pending[:n])
		if _, err := t.file.WriteAt(records, t.end); err != nil {
			err = errors.Join(err, t.file.Truncate(t.end))
			return fmt.Errorf("record %d revocations in %s: %w", len(t.pending), t.path, err)
		}
		t.end += int64(len(records))
		t.pending = slices.Delete(t.pending, 0, n)
	}
	t.pending = nil
	return nil
}

// check reads the file again and compares it with what was seen. It returns how
// many secrets are recorded.
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
	inFile := make(map[toksta.Digest]struct{}, len(digests))
	for _, d := range digests {
		inFile[d] = struct{}{}
	}
	missing := 0
	for d := range t.seen {
		if _, in := inFile[d]; !in {
			missing++
		}
	}
	if missing > 0 || found != (damage{}) {
		return 0, fmt.Errorf("%s lacks %d of %d revoked secrets; %w", t.path, missing, len(t.seen), found)
	}
	return len(inFile), nil
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
