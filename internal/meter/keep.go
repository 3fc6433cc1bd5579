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

// suffixFlushed is the suffix of a segment whose totals are all in the store. The file is kept for
// a while, because a store that is restored from a backup may lack them.
const suffixFlushed = ".flushed"

// minFreeSpace is the disk space in bytes that kept segments must leave free.
const minFreeSpace = 1 << 30

// retire closes a segment whose totals are all in the store, and keeps the used part of its file
// under another name. It renames the file before it truncates it, because a live file must be
// complete.
func (m *Meter) retire(s *segment) error {
	used := s.usedRecords()
	if m.config.Keep <= 0 || used == 0 {
		return errors.Join(ignoreNotExist(os.Remove(s.path)), s.close())
	}
	kept := strings.TrimSuffix(s.path, suffixLive) + suffixFlushed
	if err := os.Rename(s.path, kept); err != nil {
		return errors.Join(ignoreNotExist(err), s.close())
	}
	err := unix.Munmap(s.mem)
	s.mem, s.records = nil, nil
	return errors.Join(err, s.file.Truncate(int64(headerSize+used*recordSize)), s.close())
}

// ignoreNotExist returns nil for the error of a missing file, and any other error unchanged. The
// owner of a file can flush and remove it while this process adopts it.
func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// usedRecords returns the number of records up to the last complete one.
func (s *segment) usedRecords() int {
	n := len(s.records)
	for n > 0 && s.records[n-1].check.Load() == 0 {
		n--
	}
	return n
}

// recover makes a kept segment live again if the store has not closed its epoch, which means that
// the store was restored from a backup. After it has once checked all segments, it does nothing.
func (m *Meter) recover(ctx context.Context) error {
	if m.recovered || m.config.Epochs == nil {
		return nil
	}
	paths, err := m.flushedPaths()
	if err != nil {
		return err
	}
	recovered := 0
	for _, path := range paths {
		epoch := strings.TrimSuffix(filepath.Base(path), suffixFlushed)
		closed, err := m.config.Epochs.EpochClosed(ctx, epoch)
		if err != nil {
			return fmt.Errorf("check epoch %s: %w", epoch, err)
		}
		if closed {
			continue
		}
		// The size is restored before the name, because a live file must be complete. The added part is
		// empty.
		err = os.Truncate(path, int64(segmentSize))
		if err == nil {
			err = os.Rename(path, strings.TrimSuffix(path, suffixFlushed)+suffixLive)
		}
		if ignoreNotExist(err) != nil {
			return err
		}
		recovered++
	}
	if recovered > 0 {
		m.config.Log.Warn("the store was restored from a backup; flushing the usage counted since then", "journals", recovered)
	}
	m.recovered = true
	return nil
}

// prune removes segments that were kept for longer than Keep. If the disk is nearly full, it
// removes the oldest kept segments first, until there is enough space.
func (m *Meter) prune() error {
	paths, err := m.flushedPaths()
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
		full, err := isLowOnSpace(m.config.Dir)
		if err != nil {
			return err
		}
		if !full && time.Since(f.at) < m.config.Keep {
			return nil
		}
		if err := ignoreNotExist(os.Remove(f.path)); err != nil {
			return err
		}
	}
	return nil
}

// flushedPaths returns the paths of the kept segments.
func (m *Meter) flushedPaths() ([]string, error) {
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

func isLowOnSpace(dir string) (bool, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return false, fmt.Errorf("read the free space of %s: %w", dir, err)
	}
	return s.Bavail*uint64(s.Bsize) < minFreeSpace, nil
}
