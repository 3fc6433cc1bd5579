package meter

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// lockDir locks the directory, so that processes that share it do not create or adopt the same file
// at once. Closing the returned file releases the lock.
func (m *Meter) lockDir() (*os.File, error) {
	d, err := os.Open(m.config.Dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", m.config.Dir, err), d.Close())
	}
	return d, nil
}

// create creates a segment whose name survives a power loss.
func (m *Meter) create() (*segment, error) {
	d, err := m.lockDir()
	if err != nil {
		return nil, err
	}
	defer d.Close()
	s, err := createSegment(m.config.Dir, m.nextEpoch(), m.config.allocate)
	if err != nil {
		return nil, err
	}
	if err := d.Sync(); err != nil {
		return nil, errors.Join(err, os.Remove(s.path), s.close())
	}
	return s, nil
}

// nextEpoch returns a new epoch of this process.
func (m *Meter) nextEpoch() string { return fmt.Sprintf("%s%08x", m.owner, m.epochs.Add(1)) }

// adopt takes over every segment of a dead process. The kernel releases the locks of a dead
// process, so a file that can be locked has no owner. adopt returns errors of the directory; it
// only logs damaged files.
func (m *Meter) adopt() error {
	found, err := m.loadAllUnowned()
	// mu is locked after the directory is unlocked, because create locks the directory under mu.
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inUse = append(m.inUse, found...)
	return err
}

// loadAllUnowned locks and loads the segments without an owner, and removes incomplete files.
func (m *Meter) loadAllUnowned() (found []*segment, err error) {
	d, err := m.lockDir()
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := os.ReadDir(m.config.Dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		path := filepath.Join(m.config.Dir, entry.Name())
		var s *segment
		switch {
		case isSegment(entry.Name(), suffixNew):
			// The process died during creation: no call was counted in it.
			err = os.Remove(path)
		case isSegment(entry.Name(), suffixLive):
			s, err = m.loadUnowned(path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return found, err
		}
		if s != nil {
			found = append(found, s)
		}
	}
	return found, nil
}

// isSegment reports whether a file's name is an epoch with the suffix. The meter never touches
// other files in its directory.
func isSegment(name, suffix string) bool {
	epoch, ok := strings.CutSuffix(name, suffix)
	raw, err := hex.DecodeString(epoch)
	return ok && err == nil && 2*len(raw) == len(header{}.epoch)
}

// loadUnowned locks and loads one file. It returns nil if the file's owner is alive, or if the file
// is damaged and was renamed.
func (m *Meter) loadUnowned(path string) (*segment, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, f.Close()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	s, damage := loadSegment(f, path)
	if damage == nil {
		return s, nil
	}
	m.config.Log.Error("a usage journal is damaged and was renamed; the usage lacks its counts since its last flush",
		"file", path+suffixBad, "error", damage)
	return nil, errors.Join(os.Rename(path, path+suffixBad), f.Close())
}

// loadSegment reads a segment of a dead process and marks all of its records as dirty, because it
// is unknown which of them were flushed. Repeated totals change nothing in the store.
func loadSegment(f *os.File, path string) (*segment, error) {
	epoch, err := checkHeader(f)
	if err != nil {
		return nil, err
	}
	s := &segment{file: f, path: path, epoch: epoch, sealed: true}
	if err := s.mapFile(); err != nil {
		return nil, err
	}
	if err := s.scan(); err != nil {
		return nil, errors.Join(err, unix.Munmap(s.mem))
	}
	return s, nil
}

// scan checks every complete record, collects the words and marks the totals as dirty. It skips
// incomplete records: none of their calls got a response.
func (s *segment) scan() error {
	texts := []string{""}
	for i := range s.records {
		r := &s.records[i]
		check := r.check.Load()
		if check == 0 {
			continue
		}
		if check != r.checksum() {
			return fmt.Errorf("record %d: checksum does not match", i)
		}
		switch r.kind {
		case kindWord:
			if int(r.hour) != len(texts) {
				return fmt.Errorf("record %d: word out of order", i)
			}
			texts = append(texts, string(r.word()))
		case kindTotal:
			if int(max(r.family, r.costKey, r.reason)) >= len(texts) {
				return fmt.Errorf("record %d refers to a missing word", i)
			}
			s.dirty.add(uint32(i))
		default:
			return fmt.Errorf("record %d has an unknown kind", i)
		}
	}
	s.texts.Store(&texts)
	return nil
}
