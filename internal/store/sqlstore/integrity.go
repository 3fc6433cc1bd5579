package sqlstore

import (
	"context"
	"fmt"

	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
)

// Integrity looks for damage that answers to single questions would not show:
// a page of a SQLite file that cannot be read, and a change log that is not
// what the clock counted. It writes nothing and holds no change up. On SQLite
// it reads the whole file, so it takes seconds for a million keys: for people,
// not for probes that come by the second.
func (s *Store) Integrity(ctx context.Context) error {
	ctx = dbconn.WithLongTimeout(ctx)
	if s.check != "" {
		var found string
		if err := s.reads.QueryRowContext(ctx, s.check).Scan(&found); err != nil {
			return fmt.Errorf("read the database through: %w", err)
		}
		if found != "ok" {
			return fmt.Errorf("the database is damaged: %s", found)
		}
	}
	// One statement sees one state, whatever is committed meanwhile.
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
