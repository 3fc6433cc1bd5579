package changefeed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/toksta/toksta"
)

// The file: a line that says what it is, then records of a digest and the
// CRC-32 of it. It only grows. It survives the process, not a power cut: the
// store does, and the file is for the day when the store went back in time.
const (
	tombstoneHeader = "toksta tombstones 1\n"
	digestLen       = len(toksta.Digest{})
	recordLen       = digestLen + crc32.Size
)

// tombstones are the secrets that this node once saw revoked, kept in a file
// of its own. The zero path keeps none. Used by one goroutine at a time.
type tombstones struct {
	file *os.File // nil: keeps none
	seen map[toksta.Digest]struct{}
}

// openTombstones reads the file at path, creating it when missing. A record
// torn by a crash ends it and is overwritten; a file of another kind is
// refused.
func openTombstones(path string) (*tombstones, error) {
	t := &tombstones{seen: map[toksta.Digest]struct{}{}}
	if path == "" {
		return t, nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open tombstones: %w", err)
	}
	if err := t.read(file); err != nil {
		return nil, fmt.Errorf("read tombstones %s: %w", path, errors.Join(err, file.Close()))
	}
	t.file = file
	return t, nil
}

func (t *tombstones) read(file *os.File) error {
	content, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	if len(content) < len(tombstoneHeader) && bytes.HasPrefix([]byte(tombstoneHeader), content) {
		content = []byte(tombstoneHeader)
		if _, err := file.WriteAt(content, 0); err != nil {
			return err
		}
	}
	records, ok := bytes.CutPrefix(content, []byte(tombstoneHeader))
	if !ok {
		return errors.New("this is not a file of tombstones: move it away")
	}
	good := int64(len(tombstoneHeader))
	for ; len(records) >= recordLen; records = records[recordLen:] {
		d, whole := parseRecord(records[:recordLen])
		if !whole {
			break
		}
		t.seen[d] = struct{}{}
		good += int64(recordLen)
	}
	if err := file.Truncate(good); err != nil {
		return err
	}
	_, err = file.Seek(good, io.SeekStart)
	return err
}

func parseRecord(b []byte) (d toksta.Digest, whole bool) {
	copy(d[:], b)
	return d, binary.BigEndian.Uint32(b[digestLen:]) == crc32.ChecksumIEEE(d[:])
}

// has reports whether d was ever seen revoked.
func (t *tombstones) has(d toksta.Digest) bool {
	_, seen := t.seen[d]
	return seen
}

// add notes that d is revoked, before anything is said to know it.
func (t *tombstones) add(d toksta.Digest) error {
	if t.file == nil || t.has(d) {
		return nil
	}
	record := binary.BigEndian.AppendUint32(d[:len(d):len(d)], crc32.ChecksumIEEE(d[:]))
	if _, err := t.file.Write(record); err != nil {
		return fmt.Errorf("note a revocation: %w", err)
	}
	t.seen[d] = struct{}{}
	return nil
}

// close gives the file up; has and add still work, add in no file.
func (t *tombstones) close() error {
	if t.file == nil {
		return nil
	}
	err := t.file.Close()
	t.file = nil
	return err
}
