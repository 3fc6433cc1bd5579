package meter

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/toksta/toksta/internal/store"
)

// A segment is 8 MiB: small enough to create one every hour, large enough that a million slots need
// sixteen files. All segments have the same size, so a file of any other size is damaged.
const (
	headerSize  = 4096
	perSegment  = 1 << 16 // records
	segmentSize = headerSize + perSegment*recordSize
	version     = 1

	// A file has the suffix suffixNew until it is complete, suffixLive until its totals are in the
	// store, and suffixBad if it could not be read.
	suffixLive = ".journal"
	suffixNew  = ".new"
	suffixBad  = ".bad"
)

// header is the start of a segment's file, written once. Its numbers are in the machine's byte
// order. A file from a machine of the other order is rejected by its version.
type header struct {
	magic      [8]byte
	version    uint32
	recordSize uint32
	records    uint64
	epoch      [32]byte // in hex: 96 random bits of the process, then a number
	check      uint32   // CRC-32 of everything before it
}

// magic ends in a line feed, so that a copy in text mode is detected as damage.
func magic() [8]byte { return [8]byte{'t', 'o', 'k', 's', 't', 'a', 'm', '\n'} }

func (h *header) checksum() uint32 {
	b := unsafe.Slice((*byte)(unsafe.Pointer(h)), unsafe.Offsetof(h.check))
	return crc32.ChecksumIEEE(b)
}

// segment is one mapped file of records. The meter creates records, under its lock. Adding to an
// existing record requires only the lock of its shard.
type segment struct {
	file    *os.File
	path    string
	mem     []byte
	epoch   string
	records []record
	cells   []cell // by record number; nil in an adopted segment
	names   *names // used by cells
	next    int    // number of the next record
	numbers map[string]uint32
	texts   atomic.Pointer[[]string] // words by number; copied on write
	sealed  bool                     // no more additions

	dirty    recordSet // changed since the last flush
	deferred recordSet // with a last use to send later
	paced    int       // word of dirty at which the next paced flush begins; guarded by Meter.flushing
}

// allocate reserves disk space for a file, so that a write to its mapping cannot fail with SIGBUS
// on a full disk.
type allocate func(f *os.File, size int64) error

func fallocate(f *os.File, size int64) error {
	return unix.Fallocate(int(f.Fd()), 0, 0, size)
}

// newOwner returns a random prefix for the epochs of one process.
func newOwner() string {
	var id [store.EpochOwnerLen / 2]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

// createSegment creates a file with a new epoch. The file is locked, allocated and has its header
// before it is renamed to its live name, so every live file is complete. After a failure no file
// remains. The caller holds the directory's lock.
func createSegment(dir, epoch string, reserve allocate) (_ *segment, err error) {
	path := filepath.Join(dir, epoch+suffixNew)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	s := &segment{file: f, path: path, epoch: epoch, cells: make([]cell, perSegment), names: newNames(), numbers: map[string]uint32{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(s.path), s.close())
		}
	}()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := reserve(f, int64(segmentSize)); err != nil {
		return nil, fmt.Errorf("allocate %d bytes for %s: %w", segmentSize, path, err)
	}
	if err := s.mapFile(); err != nil {
		return nil, err
	}
	h := s.header()
	*h = header{magic: magic(), version: version, recordSize: uint32(recordSize), records: perSegment}
	copy(h.epoch[:], epoch)
	h.check = h.checksum()
	s.texts.Store(&[]string{""})
	live := filepath.Join(dir, epoch+suffixLive)
	if err := os.Rename(s.path, live); err != nil {
		return nil, err
	}
	s.path = live
	return s, nil
}

// mapFile maps the whole file. The mapping is shared, so that an addition is in the page cache with
// the instruction that makes it. A private mapping would be lost with the process.
func (s *segment) mapFile() error {
	mem, err := unix.Mmap(int(s.file.Fd()), 0, segmentSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map %s: %w", s.path, err)
	}
	s.mem = mem
	s.records = unsafe.Slice((*record)(unsafe.Pointer(&mem[headerSize])), perSegment)
	return nil
}

func (s *segment) header() *header { return (*header)(unsafe.Pointer(&s.mem[0])) }

// hasRoom reports whether a slot and its words still fit.
func (s *segment) hasRoom() bool { return s.next+4 <= len(s.records) }

// intern returns the number of a word and records the word on first use. The record of a word comes
// before every record that refers to it.
func (s *segment) intern(text string) (uint32, error) {
	if text == "" {
		return 0, nil
	}
	if n, known := s.numbers[text]; known {
		return n, nil
	}
	old := *s.texts.Load()
	r := &s.records[s.next]
	if err := pack(r.text[:], text); err != nil {
		return 0, err
	}
	n := uint32(len(old))
	r.kind, r.hour = kindWord, n
	r.complete()
	s.next++
	texts := append(slices.Clip(old), string(r.word()))
	s.texts.Store(&texts)
	s.numbers[texts[n]] = n
	return n, nil
}

// sync writes the segment to the disk. It ignores a segment that was closed in the meantime: the
// store has all of its totals.
func (s *segment) sync() error {
	raw, err := s.file.SyscallConn()
	if err == nil {
		var failed error
		err = raw.Control(func(fd uintptr) { failed = unix.Fdatasync(int(fd)) })
		err = errors.Join(err, failed)
	}
	if err == nil || errors.Is(err, os.ErrClosed) {
		return nil
	}
	return fmt.Errorf("sync %s: %w", s.path, err)
}

// close unmaps the segment and releases its file lock; the file remains. It must be called after
// the segment was sealed, since access to an unmapped record crashes the process.
func (s *segment) close() error {
	var err error
	if s.mem != nil {
		err = unix.Munmap(s.mem)
		s.mem, s.records = nil, nil
	}
	return errors.Join(err, s.file.Close())
}

// checkHeader returns the epoch of a segment's file, or an error that describes the damage. It
// reads the file instead of mapping it, because access to a mapping beyond the end of a file kills
// the process.
func checkHeader(f *os.File) (epoch string, err error) {
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if info.Size() < headerSize {
		return "", errors.New("truncated within the header")
	}
	var raw [unsafe.Sizeof(header{})]byte
	if _, err := f.ReadAt(raw[:], 0); err != nil {
		return "", err
	}
	var h header
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&h)), len(raw)), raw[:])
	switch {
	case h.magic != magic():
		return "", errors.New("not a usage journal: unknown magic number")
	case h.version != version:
		return "", fmt.Errorf("format version %d, this program reads version %d", h.version, version)
	case h.check != h.checksum():
		return "", errors.New("header checksum does not match")
	case h.recordSize != uint32(recordSize) || h.records != perSegment:
		return "", errors.New("unknown record layout")
	case info.Size() != int64(segmentSize):
		return "", fmt.Errorf("size is %d bytes, want %d", info.Size(), segmentSize)
	}
	return string(bytes.TrimRight(h.epoch[:], "\x00")), nil
}
