package meter

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// suffixFlushed names a segment whose totals are all in the store. It is kept
// for a while: a store that is restored from a backup does not have them.
const suffixFlushed = ".flushed"

// leaveFree is how much of the disk flushed segments never take.
const leaveFree = 1 << 30

// retire closes a segment whose totals are all in the store, and keeps its used
// part under another name. The name comes first: a file that is live is whole.
func (m *Meter) retire(s *segment) error {
	used := s.used()
	if m.config.Keep <= 0 || used == 0 {
		return errors.Join(gone(os.Remove(s.path)), s.close())
	}
	kept := strings.TrimSuffix(s.path, suffixLive) + suffixFlushed
	if err := os.Rename(s.path, kept); err != nil {
		return errors.Join(gone(err), s.close())
	}
	err := unix.Munmap(s.mem)
	s.mem, s.records = nil, nil
	return errors.Join(err, s.file.Truncate(int64(headerSize+used*recordSize)), s.close())
}

// gone is err, except for a file that is not there: its last owner flushed it
// while it was being adopted.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// used returns the number of records up to the last one in force.
func (s *segment) used() int {
	n := len(s.records)
	for n > 0 && s.records[n-1].check.Load() == 0 {
		n--
	}
	return n
}

// recover makes live again each flushed segment whose epoch the store does not
// know to be closed: the store was restored from a backup. Once it has asked
// for every segment it does nothing.
func (m *Meter) recover(ctx context.Context) error {
	if m.recovered || m.config.Epochs == nil {
		return nil
	}
	paths, err := m.flushed()
	if err != nil {
		return err
	}
	recovered := 0
	for _, path := range paths {
		epoch := strings.TrimSuffix(filepath.Base(path), suffixFlushed)
		closed, err := m.config.Epochs.EpochClosed(ctx, epoch)
		if err != nil {
			return fmt.Errorf("ask for epoch %s: %w", epoch, err)
		}
		if closed {
			continue
		}
		// The rest of the file was never used: the size first, so that a live
		// file is whole.
		err = os.Truncate(path, int64(segmentSize))
		if err == nil {
			err = os.Rename(path, strings.TrimSuffix(path, suffixFlushed)+suffixLive)
		}
		if gone(err) != nil {
			return err
		}
		recovered++
	}
	if recovered > 0 {
		m.config.Log.Warn("the store is an older one: usage counted since its backup is flushed again", "journals", recovered)
	}
	m.recovered = true
	return nil
}

// prune removes flushed segments that are older than is asked for, and the
// oldest ones as long as the disk is nearly full.
func (m *Meter) prune() error {
	paths, err := m.flushed()
	if err != nil {
		return err
	}
	type file struct {
		path string
		at   time.Time
	}
	var files []file
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			files = append(files, file{path, info.ModTime()})
		}
	}
	slices.SortFunc(files, func(a, b file) int { return a.at.Compare(b.at) })
	for _, f := range files {
		full, err := isFull(m.config.Dir)
		if err != nil {
			return err
		}
		if !full && time.Since(f.at) < m.config.Keep {
			return nil
		}
		if err := gone(os.Remove(f.path)); err != nil {
			return err
		}
	}
	return nil
}

// flushed returns the paths of the flushed segments.
func (m *Meter) flushed() ([]string, error) {
	entries, err := os.ReadDir(m.config.Dir)
	if err != nil {
		return nil, fmt.Errorf("list the flushed journals: %w", err)
	}
	var paths []string
	for _, entry := range entries {
		if isSegment(entry.Name(), suffixFlushed) {
			paths = append(paths, filepath.Join(m.config.Dir, entry.Name()))
		}
	}
	return paths, nil
}

func isFull(dir string) (bool, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return false, fmt.Errorf("ask for the free space of %s: %w", dir, err)
	}
	return s.Bavail*uint64(s.Bsize) < leaveFree, nil
}
