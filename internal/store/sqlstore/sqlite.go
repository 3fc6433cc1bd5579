package sqlstore

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"golang.org/x/sys/unix"

	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
)

// sqliteReaders bounds the read pool. Readers do not block the writer in WAL mode, but
// each has a page cache.
const sqliteReaders = 4

// openSQLite opens the file at path. It creates a missing file, readable by its owner only.
func openSQLite(path string, lease time.Duration) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	s, err := connectSQLite(path, cmp.Or(lease, 10*time.Second)/2)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s.release, s.isExclusive = lock.Close, true
	return s, nil
}

// connectSQLite opens two pools: one connection for writing, so that writers queue in the
// pool and not in SQLite's busy handler, and read-only connections. If another program
// locks the file, a call waits for it no longer than busy.
func connectSQLite(path string, busy time.Duration) (*Store, error) {
	// SQLite gives its WAL the permissions of the database file.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	writer, err := dbconn.OpenSQLite(sqliteName(path, "_txlock", "immediate", busy))
	if err != nil {
		return nil, err
	}
	writer.SetMaxOpenConns(1)
	reads, err := dbconn.OpenSQLite(sqliteName(path, "_query_only", "on", busy))
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	reads.SetMaxOpenConns(sqliteReaders)
	reads.SetMaxIdleConns(sqliteReaders)
	return &Store{
		writer: writer, reads: reads, feed: reads, acks: writer, dialect: sqliteDialect(), notifier: newLocalNotifier(),
	}, nil
}

// fullDisk is the free space, in bytes, below which SQLite cannot open a
// database.
const fullDisk = 256 << 10

// withFullDisk adds the cause to err if the disk is full: SQLite reports only "I/O error"
// or "unable to open".
func withFullDisk(path string, err error) error {
	path = strings.TrimPrefix(path, "sqlite:")
	var disk unix.Statfs_t
	if unix.Statfs(filepath.Dir(path), &disk) != nil || disk.Bavail*uint64(disk.Bsize) >= fullDisk {
		return err
	}
	return fmt.Errorf("the disk that holds %s is full: free some space, then start again: %w", path, err)
}

// sqliteName returns the driver's URI for path, with the settings of every connection and
// the given option. busy is the time to wait for a lock of another program.
func sqliteName(path, option, value string, busy time.Duration) string {
	q := url.Values{
		"_busy_timeout": {strconv.FormatInt(busy.Milliseconds(), 10)},
		"_foreign_keys": {"on"},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_pragma":       {"cache_size(-65536)"},
		option:          {value},
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// lockFile takes an advisory lock that one process at a time can hold. The kernel releases
// it when the process ends, also after a kill.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock database: %w", err)
	}
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case err == nil:
		return f, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		err = fmt.Errorf("the database is open in another process, which holds %s: stop that one, or use PostgreSQL to run several", path)
		return nil, errors.Join(err, f.Close())
	default:
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
}

func sqliteDialect() dialect {
	return dialect{
		origin:    `''`, // a file is restored before the start, when a node loads everything
		goose:     goose.DialectSQLite3,
		notify:    `''`,
		now:       `CAST(unixepoch('subsec') * 1000 AS INTEGER)`,
		chunk:     1, // for more, SQLite would keep a journal to undo a statement
		page:      8192,
		hasRowids: true,
		check:     `PRAGMA quick_check(1)`,
	}
}
