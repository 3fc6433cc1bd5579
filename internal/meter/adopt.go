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

// lockDir keeps processes that share a directory from meeting over a file that
// is being made or claimed. The lock goes with the returned file.
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

// create makes a segment whose name survives a power loss.
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

// nextEpoch is the process's own epoch for one more segment.
func (m *Meter) nextEpoch() string { return fmt.Sprintf("%s%08x", m.owner, m.made.Add(1)) }

// adopt takes over every segment whose owner is dead. The kernel drops a dead
// process's locks, so a file that can be locked has no owner. An error is one of
// the directory; a file's own damage is reported and does not stop the start.
func (m *Meter) adopt() error {
	found, err := m.claim()
	// Only now, with the directory unlocked: create locks it under mu.
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, found...)
	return err
}

// claim locks and loads the segments without an owner, and removes files that
// were never whole.
func (m *Meter) claim() (found []*segment, err error) {
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
			// Died before it had its name: nothing was counted in it.
			err = os.Remove(path)
		case isSegment(entry.Name(), suffixLive):
			s, err = m.claimFile(path)
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

// isSegment reports whether a file's name is an epoch and a suffix. The meter
// leaves every other file alone, whatever directory it is given.
func isSegment(name, suffix string) bool {
	epoch, ok := strings.CutSuffix(name, suffix)
	raw, err := hex.DecodeString(epoch)
	return ok && err == nil && 2*len(raw) == len(header{}.epoch)
}

// claimFile claims one file; nil when its owner lives, or when it is damaged
// and was put aside.
func (m *Meter) claimFile(path string) (*segment, error) {
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
	s, damage := load(f, path)
	if damage == nil {
		return s, nil
	}
	m.config.Log.Error("a usage journal is damaged and was put aside; what it counted since its last flush is not in the usage",
		"file", path+suffixBad, "error", damage)
	return nil, errors.Join(os.Rename(path, path+suffixBad), f.Close())
}

// load reads a dead process's segment and marks all of it as to be flushed: how
// far its owner came is unknown, and what the store has already it keeps.
func load(f *os.File, path string) (*segment, error) {
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

// scan checks every record that is in force, collects the words and marks the
// totals. A record not in force was never answered for and is passed over.
func (s *segment) scan() error {
	texts := []string{""}
	for i := range s.records {
		r := &s.records[i]
		check := r.check.Load()
		if check == 0 {
			continue
		}
		if check != r.sum() {
			return fmt.Errorf("record %d is damaged", i)
		}
		switch r.kind {
		case kindWord:
			if int(r.hour) != len(texts) {
				return fmt.Errorf("record %d is a word out of order", i)
			}
			texts = append(texts, string(r.word()))
		case kindTotal:
			if int(max(r.family, r.costKey, r.reason)) >= len(texts) {
				return fmt.Errorf("record %d refers to a word that is missing", i)
			}
			s.touch(uint32(i))
		default:
			return fmt.Errorf("record %d is of an unknown kind", i)
		}
	}
	s.texts.Store(&texts)
	return nil
}
