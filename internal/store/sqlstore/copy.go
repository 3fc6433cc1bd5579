package sqlstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/toksta/toksta/internal/store/sqlstore/dbconn"
)

// CopyConfig says what to copy where.
type CopyConfig struct {
	From string // a SQLite file that no process serves
	To   string // an empty PostgreSQL database, or one that a copy of From was interrupted in
	// Progress, when set, is called after each batch.
	Progress func(CopyProgress)
}

// CopyProgress is how far one table is.
type CopyProgress struct {
	Table     string
	Rows, Of  int64
	Comparing bool // copied; both sides are being read again
	Number    int  // the table's place among all, from 1
	Tables    int
}

// copied are the tables that move, parents before children, with what orders
// their rows. Who serves the target registers there: nodes stay behind. The
// clock and the cluster's name are written last.
var copied = []struct{ table, order string }{
	{"accounts", "id"},
	{"members", "id"},
	{"invitations", "code"},
	{"sessions", "id"},
	{"changes", "seq"},
	{"keys", "id"},
	{"secrets", "digest"},
	{"usage", "account_id, hour, key_id, family, cost_key, reason, epoch"},
	{"usage_epochs", "epoch"},
	{"last_uses", "key_id"},
	{"events", "id"},
	{"deliveries", "event_id, channel"},
	{"credit_accounts", "account_id"},
	{"reservations", "id"},
	{"credit_entries", "id"},
	{"usage_exports", "id"},
	{"export_state", "one"},
}

// copying begins the name of a cluster that a copy is on its way into.
const copying = "copying from "

// copyBatch is how many rows one transaction writes.
const copyBatch = 1000

// Copy moves a whole SQLite database into PostgreSQL, with its sequence, and
// compares the two, row by row, before it calls the new one fit to serve. An
// interrupted copy goes on where it stopped. It holds the source's lock, so
// nobody can serve it meanwhile, and writes nothing to it but the schema's
// migrations.
func Copy(ctx context.Context, c CopyConfig) error {
	ctx = dbconn.WithLongTimeout(ctx)
	if isPostgres(c.From) || !isPostgres(c.To) {
		return errors.New("a copy goes from a SQLite file to a PostgreSQL database")
	}
	from, err := open(ctx, Config{URL: c.From})
	if err != nil {
		return fmt.Errorf("open the source: %w", err)
	}
	defer from.Close()
	to, err := open(ctx, Config{URL: c.To})
	if err != nil {
		return fmt.Errorf("open the target: %w", err)
	}
	defer to.Close()
	m := move{from: from, to: to, progress: c.Progress}
	if m.progress == nil {
		m.progress = func(CopyProgress) {}
	}
	return m.run(ctx)
}

// move is one copy on its way.
type move struct {
	from, to *Store
	progress func(CopyProgress)
}

func (m move) run(ctx context.Context) error {
	if err := m.claim(ctx); err != nil {
		return err
	}
	for i := range copied {
		if err := m.table(ctx, i); err != nil {
			return fmt.Errorf("copy %s: %w", copied[i].table, err)
		}
	}
	for i, t := range copied {
		m.progress(CopyProgress{Table: t.table, Comparing: true, Number: i + 1, Tables: len(copied)})
		here, err := m.from.checksum(ctx, t.table, t.order)
		if err != nil {
			return err
		}
		there, err := m.to.checksum(ctx, t.table, t.order)
		if err != nil {
			return err
		}
		if here != there {
			return fmt.Errorf("%s differs after the copy, %d rows here and %d there: the source was used in between, so start again with an empty target", t.table, here.rows, there.rows)
		}
	}
	return m.finish(ctx)
}

// claim marks the target as being copied into, unless it has anything of its
// own. Nobody can serve it from then on until the copy is done.
func (m move) claim(ctx context.Context) error {
	source, err := m.from.incarnation(ctx)
	if err != nil {
		return err
	}
	target, err := m.to.incarnation(ctx)
	if err != nil {
		return err
	}
	if target == copying+source {
		return nil
	}
	for _, table := range []string{"changes", "accounts", "nodes", "usage"} {
		switch n, err := m.to.count(ctx, table); {
		case err != nil:
			return err
		case n > 0:
			return fmt.Errorf("the target is in use: it has %d rows of %s. Copy into an empty database", n, table)
		}
	}
	if _, err := m.to.writer.ExecContext(ctx, `UPDATE cluster SET incarnation = $1`, copying+source); err != nil {
		return fmt.Errorf("claim the target: %w", err)
	}
	return nil
}

// table copies what the target does not have. Rows come in one order and in
// whole transactions: as many as are there need not be read again.
func (m move) table(ctx context.Context, i int) error {
	t := copied[i]
	of, err := m.from.count(ctx, t.table)
	if err != nil {
		return err
	}
	done, err := m.to.count(ctx, t.table)
	if err != nil {
		return err
	}
	rows, err := m.from.reads.QueryContext(ctx, `SELECT * FROM `+t.table+` ORDER BY `+t.order+` LIMIT -1 OFFSET $1`, done)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	into := upsert[[]any]{
		table: t.table, columns: columns, key: strings.Split(t.order, ", "), chunk: m.to.chunk,
		args: func(row []any) ([]any, error) { return row, nil },
	}
	for batch := range batches(rows, len(columns), &err) {
		if err := m.to.inTx(ctx, func(tx *dbconn.Tx) error { return into.queue(ctx, tx, batch) }); err != nil {
			return err
		}
		done += int64(len(batch))
		m.progress(CopyProgress{Table: t.table, Rows: done, Of: of, Number: i + 1, Tables: len(copied)})
	}
	return err
}

// batches reads rows some at a time. The error is set when it ends.
func batches(rows *sql.Rows, width int, err *error) func(yield func([][]any) bool) {
	return func(yield func([][]any) bool) {
		batch := make([][]any, 0, copyBatch)
		for rows.Next() {
			row, failed := scanRow(rows, width)
			if failed != nil {
				*err = failed
				return
			}
			if batch = append(batch, row); len(batch) == copyBatch {
				if !yield(batch) {
					return
				}
				batch = batch[:0]
			}
		}
		if *err = rows.Err(); *err == nil && len(batch) > 0 {
			yield(batch)
		}
	}
}

// scanRow keeps values as the driver has them, so that a copy neither rounds
// nor decodes anything.
func scanRow(rows *sql.Rows, width int) ([]any, error) {
	row := make([]any, width)
	into := make([]any, width)
	for i := range row {
		into[i] = &row[i]
	}
	return row, rows.Scan(into...)
}

// finish gives the target the source's sequence and a name of its own: from
// then on it can be served, and nobody takes it for the source.
func (m move) finish(ctx context.Context) error {
	var seq int64
	if err := m.from.reads.QueryRowContext(ctx, `SELECT seq FROM clock`).Scan(&seq); err != nil {
		return fmt.Errorf("read the source's clock: %w", err)
	}
	return m.to.inTx(ctx, func(tx *dbconn.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE clock SET seq = $1`, seq); err != nil {
			return fmt.Errorf("set the clock: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE cluster SET incarnation = $1`, rand.Text()); err != nil {
			return fmt.Errorf("name the target: %w", err)
		}
		return nil
	})
}

// count reads the whole table: a copy compares exact numbers, and resumes by
// them.
func (s *Store) count(ctx context.Context, table string) (n int64, err error) {
	if err := s.reads.QueryRowContext(ctx, `SELECT count(*) FROM `+table).Scan(&n); err != nil {
		return 0, fmt.Errorf("count %s: %w", table, err)
	}
	return n, nil
}

// fingerprint tells two tables apart that are not the same.
type fingerprint struct {
	rows int64
	sum  [sha256.Size]byte
}

// checksum reads a whole table. Columns are taken by name, since migrations
// may have added them in another order.
func (s *Store) checksum(ctx context.Context, table, order string) (fingerprint, error) {
	var f fingerprint
	rows, err := s.reads.QueryContext(ctx, `SELECT * FROM `+table+` ORDER BY `+order)
	if err != nil {
		return f, fmt.Errorf("compare %s: %w", table, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return f, fmt.Errorf("compare %s: %w", table, err)
	}
	sorted := slices.Sorted(slices.Values(columns))
	sum, buffer := sha256.New(), []byte(nil)
	for rows.Next() {
		row, err := scanRow(rows, len(columns))
		if err != nil {
			return f, fmt.Errorf("compare %s: %w", table, err)
		}
		buffer = buffer[:0]
		for _, name := range sorted {
			buffer = appendValue(buffer, row[slices.Index(columns, name)])
		}
		sum.Write(buffer)
		f.rows++
	}
	sum.Sum(f.sum[:0])
	return f, rows.Err()
}

// appendValue writes a value so that no two different rows look the same; both
// engines return a number as int64 and a text as string.
func appendValue(b []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(b, 0)
	case int64:
		return binary.BigEndian.AppendUint64(append(b, 1), uint64(v))
	case []byte:
		return append(binary.BigEndian.AppendUint64(append(b, 2), uint64(len(v))), v...)
	default:
		text := fmt.Sprint(v)
		return append(binary.BigEndian.AppendUint64(append(b, 3), uint64(len(text))), text...)
	}
}
