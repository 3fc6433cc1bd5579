package sqlstore

import (
	"context"
	"fmt"

	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
)

// Integrity checks that every page of a SQLite file can be read, and that the change log
// is complete up to the number of the clock. It writes nothing and delays no change. On
// SQLite it reads the whole file, which takes seconds for a million keys: it is for
// people, not for frequent probes.
func (s *Store) Integrity(ctx context.Context) error {
	ctx = dbconn.WithLongTimeout(ctx)
	if s.check != "" {
		var found string
		if err := s.reads.QueryRowContext(ctx, s.check).Scan(&found); err != nil {
			return fmt.Errorf("read the whole database: %w", err)
		}
		if found != "ok" {
			return fmt.Errorf("the database is damaged: %s", found)
		}
	}
	// One statement sees one moment.
	const log = `SELECT c.seq, count(l.seq), COALESCE(max(l.seq), 0) FROM clock c LEFT JOIN changes l ON true GROUP BY c.seq`
	var clock, rows, last int64
	if err := s.reads.QueryRowContext(ctx, log).Scan(&clock, &rows, &last); err != nil {
		return fmt.Errorf("count the change log: %w", err)
	}
	if rows != clock || last != clock {
		return fmt.Errorf("the change log has %d rows up to number %d, but %d changes were made", rows, last, clock)
	}
	return nil
}
